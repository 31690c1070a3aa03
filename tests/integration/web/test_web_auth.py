"""Login, logout, and the validity of tokens."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.db.models import F
from django.test import Client

from exam_core.instants import SECOND
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.tokens import Access, Role, sign_access
from exam_web.common.clock import database_now
from exam_web.settings import ENVIRONMENT
from exam_web.users import authentication, services
from exam_web.users.models import LoginSession, Revocation, User
from exam_web.users.services import account_disable

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"


def login(client, kind: str, username: str, password: str = PASSWORD):
    """Log in over HTTP."""
    body = {"username": username, "password": password}
    return client.post(f"/api/auth/{kind}/login", json.dumps(body), content_type="application/json")


def post(client, path: str, **body: str):
    """POST a JSON body."""
    return client.post(path, json.dumps(body), content_type="application/json")


def bearer(token: str) -> dict[str, str]:
    """The Authorization header of a token."""
    return {"Authorization": f"Bearer {token}"}


def refresh(client, tokens: dict[str, str]):
    """Exchange the refresh token of a login."""
    return post(client, "/api/auth/refresh", refresh=tokens["refresh"])


def jti(token: str) -> str:
    """The id of a token."""
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def slug(response) -> str:
    """The kind of a problem."""
    return str(response.json()["type"].rsplit("/", 1)[1])


def grace_passes() -> None:
    """Let the grace of every login's last refresh pass."""
    LoginSession.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=ENVIRONMENT.refresh_grace_seconds))


def access_for(user: User, *, keys: SigningKeys | None = None, issued_at: int | None = None) -> str:
    """An access token as web would issue it."""
    now = issued_at or database_now()
    access = Access(
        subject=user.pk,
        role=Role(user.kind),
        level="year-1",
        session=uuid4(),
        token=uuid4(),
        issued_at=now,
        expires_at=now + 600 * SECOND,
    )
    return sign_access(access, keys or authentication.signing_keys())


def test_students_and_doctors_have_their_own_logins(client, people) -> None:
    """A student gets tokens at the students' login and a Doctor at the Doctors', and /api/me returns the user."""
    for kind, user in (("students", people.student), ("doctors", people.doctor)):
        answer = login(client, kind, user.username)
        assert answer.status_code == 200
        me = client.get("/api/me", headers=bearer(answer.json()["access"])).json()
        assert (me["username"], me["kind"]) == (user.username, user.kind)


@pytest.mark.parametrize(
    ("kind", "username", "password"),
    [("doctors", "sara", PASSWORD), ("students", "sara", "wrong"), ("students", "unknown", PASSWORD)],
)
def test_every_rejected_login_has_the_same_error(client, people, kind: str, username: str, password: str) -> None:
    """A wrong password, an unknown name and the other login's users get the same answer."""
    answer = login(client, kind, username, password)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "wrong username or password"


def test_disabling_an_account_revokes_its_logins(client, people) -> None:
    """Disabling an account revokes its logins, also for solvers."""
    access = login(client, "students", "sara").json()["access"]
    account_disable(user=people.student, now=database_now())
    assert client.get("/api/me", headers=bearer(access)).status_code == 401
    assert login(client, "students", "sara").status_code == 401
    assert Revocation.objects.filter(kind="subject", value=str(people.student.pk)).exists()


def test_a_refresh_whose_reply_was_lost_is_repeated(client, people) -> None:
    """My refresh got no reply and I send it again: I get tokens, and the login goes on from either reply."""
    first = login(client, "students", "sara").json()
    replies = [refresh(client, first) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert len({jti(reply.json()["refresh"]) for reply in replies}) == 1
    for reply in replies:
        assert client.get("/api/me", headers=bearer(reply.json()["access"])).status_code == 200
        assert refresh(client, reply.json()).status_code == 200
    assert Revocation.objects.count() == 0


def test_a_refresh_token_replayed_after_the_grace_ends_the_chain(client, people, introspect) -> None:
    """A used refresh token that comes back later was stolen: no token of the login gives access any more."""
    first = login(client, "students", "sara").json()
    second = refresh(client, first).json()
    grace_passes()
    replayed = refresh(client, first)
    assert (replayed.status_code, slug(replayed)) == (401, "token-revoked")
    for tokens in (first, second):
        assert refresh(client, tokens).status_code == 401
        assert client.get("/api/me", headers=bearer(tokens["access"])).status_code == 401
        assert introspect(tokens["access"]) == {"active": False}
    assert [revocation.kind for revocation in Revocation.objects.all()] == ["chain"]


def test_a_refresh_token_before_the_last_two_ends_the_chain_at_once(client, people) -> None:
    """Only the last used token may be sent again: an older one is theft, even within the grace."""
    first = login(client, "students", "sara").json()
    third = refresh(client, refresh(client, first).json()).json()
    assert refresh(client, first).status_code == 401
    assert refresh(client, third).status_code == 401


def test_without_a_grace_a_repeated_refresh_ends_the_chain(client, people, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with `EXAM_REFRESH_GRACE_SECONDS=0` a refresh whose reply was lost ends the login."""
    monkeypatch.setattr(services, "ENVIRONMENT", ENVIRONMENT.model_copy(update={"refresh_grace_seconds": 0}))
    first = login(client, "students", "sara").json()
    second = refresh(client, first).json()
    assert refresh(client, first).status_code == 401
    assert refresh(client, second).status_code == 401


def test_a_logout_after_a_replay_revokes_the_whole_login(client, people) -> None:
    """A replay has ended my refresh tokens: my logout still reaches the solvers, once, and ends my attempts."""
    first = login(client, "students", "sara").json()
    second = refresh(client, first).json()
    grace_passes()
    refresh(client, first)
    for _ in range(2):
        assert post(client, "/api/auth/logout", refresh=second["refresh"]).status_code == 204
    assert [revocation.kind for revocation in Revocation.objects.order_by("id")] == ["chain", "session"]


def test_a_disabled_account_gets_no_tokens_for_a_repeated_refresh(client, people) -> None:
    """My account was disabled after a refresh: sending it again gives no tokens."""
    first = login(client, "students", "sara").json()
    refresh(client, first)
    User.objects.filter(pk=people.student.pk).update(is_active=False)
    assert refresh(client, first).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_two_tabs_refresh_at_once(client, people) -> None:
    """Two tabs send the same refresh token at once: both get tokens, and both go on."""
    first = login(client, "students", "sara").json()
    barrier = Barrier(2)

    def tab(_: int) -> Any:
        try:
            barrier.wait()
            return refresh(Client(), first)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(tab, range(2)))
    assert [reply.status_code for reply in replies] == [200, 200]
    assert len({jti(reply.json()["refresh"]) for reply in replies}) == 1
    for reply in replies:
        assert client.get("/api/me", headers=bearer(reply.json()["access"])).status_code == 200
        assert refresh(client, reply.json()).status_code == 200


def test_logout_revokes_the_login(client, people, introspect) -> None:
    """After a logout neither token works, solvers get a revocation, and a second logout succeeds."""
    tokens = login(client, "students", "sara").json()
    session = jwt.decode(tokens["access"], options={"verify_signature": False})["sid"]
    assert introspect(tokens["access"])["active"] is True
    for _ in range(2):
        assert post(client, "/api/auth/logout", refresh=tokens["refresh"]).status_code == 204
    assert client.get("/api/me", headers=bearer(tokens["access"])).status_code == 401
    assert post(client, "/api/auth/refresh", refresh=tokens["refresh"]).status_code == 401
    assert introspect(tokens["access"]) == {"active": False}
    assert Revocation.objects.get().value == session


def test_tokens_verify_with_the_jwks(client, people) -> None:
    """The JWK set at /.well-known/jwks.json verifies an access token with a plain JOSE library."""
    token = login(client, "students", "sara").json()["access"]
    jwks = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json())
    key = jwks[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="exam-platform", issuer="exam-web")
    assert (claims["role"], claims["level"]) == ("student", "year-1")
    assert all("d" not in published for published in client.get("/.well-known/jwks.json").json()["keys"])


def test_invalid_tokens_return_401(client, people, introspect) -> None:
    """A token with another key, without a signature, expired or of another kind is 401 in problem+json."""
    stranger = SigningKeys([(authentication.signing_keys().kid, Ed25519PrivateKey.generate())])
    unknown = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})
    good = access_for(people.student)
    claims = jwt.decode(good, options={"verify_signature": False})
    tokens = {
        "another key": access_for(people.student, keys=stranger),
        "an unknown key": access_for(people.student, keys=unknown),
        "no signature": jwt.encode(claims, "", algorithm="none", headers={"typ": "at+jwt", "kid": stranger.kid}),
        "too old": access_for(people.student, issued_at=database_now() - 3600 * SECOND),
        "a refresh token": login(client, "students", "sara").json()["refresh"],
        "no token": "x.y.z",
    }
    assert client.get("/api/me", headers=bearer(good)).status_code == 200
    for name, token in tokens.items():
        answer = client.get("/api/me", headers=bearer(token))
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json"), name
        assert introspect(token) == {"active": False}, name
    assert client.get("/api/me").status_code == 401


def test_failed_logins_are_rate_limited(client, people) -> None:
    """After ten wrong passwords logins for a name are rejected for a while, even with the right one."""
    for _ in range(10):
        assert login(client, "students", "sara", "guess").status_code == 401
    answer = login(client, "students", "sara")
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert login(client, "doctors", "noor").status_code == 200


def test_logins_work_without_redis(client, people, settings) -> None:
    """With Redis down users can still log in."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    settings.LOGIN_COUNTERS_URL = "redis://127.0.0.1:1/0"
    assert login(client, "students", "sara", "guess").status_code == 401
    assert login(client, "students", "sara").status_code == 200
