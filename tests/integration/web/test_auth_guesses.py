"""What a stranger can learn or take at the login, and what two holders of one token get."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import jwt
import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client

from exam_harness.environments.processes.servers.redis import Redis
from exam_web.users import hashers
from exam_web.users.models import LoginSession, Revocation, User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"


def post(path: str, *, headers: dict[str, str] | None = None, **body: str):
    """POST a JSON body."""
    return Client(headers=headers).post(path, body, content_type="application/json")


def sara(**more: Any):
    """Log the student Sara in."""
    return post("/api/auth/students/login", username="sara", password=PASSWORD, **more)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each time that Argon2 does its work."""
    calls: list[str] = []
    for name in ("encode", "verify"):
        real = getattr(hashers.Argon2, name)

        def spy(*words: Any, _real: Any = real, _name: str = name) -> Any:
            calls.append(_name)
            return _real(*words)

        monkeypatch.setattr(hashers.Argon2, name, spy)
    return calls


@pytest.mark.parametrize(
    ("door", "username", "password"),
    [
        ("students", "nobody", PASSWORD),
        ("students", "noor", PASSWORD),
        ("doctors", "sara", PASSWORD),
        ("students", "sara", "wrong"),
        ("students", "gone", PASSWORD),
        ("doctors", "root", PASSWORD),
    ],
)
def test_every_refused_login_costs_one_hash(people, hashed, door: str, username: str, password: str) -> None:
    """An unknown name, another kind, a wrong password and a disabled account take as long as each other."""
    gone = User(username="gone", kind="student", level=people.year_1, is_active=False, password=people.student.password)
    gone.save()
    answer = post(f"/api/auth/{door}/login", username=username, password=password)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (401, "bad-credentials")
    assert len(hashed) == 1


def test_passwords_are_kept_as_owasp_recommends(people) -> None:
    """Argon2id with 19 MiB, two passes, one lane."""
    assert people.student.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_refused_logins_are_counted(people, client) -> None:
    """Operators see accepted and refused logins by kind."""

    def count(outcome: str) -> float:
        line = f'exam_web_logins_total{{kind="student",outcome="{outcome}"}} '
        lines = client.get("/metrics").content.decode().splitlines()
        return sum(float(each.removeprefix(line)) for each in lines if each.startswith(line))

    before = count("accepted"), count("refused")
    sara()
    post("/api/auth/students/login", username="sara", password="guess")
    assert (count("accepted"), count("refused")) == (before[0] + 1, before[1] + 1)


def test_guesses_from_one_address_do_not_lock_out_another(people) -> None:
    """Who guesses at Sara's password from elsewhere does not keep Sara out; the gateway says where from."""
    for _ in range(10):
        headers = {"X-Forwarded-For": "203.0.113.9"}
        post("/api/auth/students/login", username="sara", password="guess", headers=headers)
    assert sara(headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    assert sara(headers={"X-Forwarded-For": "203.0.113.10"}).status_code == 200


def test_the_admins_door_counts_guesses_too(people) -> None:
    """Who is refused at the API's door after ten guesses is refused at the admin's as well, and the other way round."""
    browser = Client()
    for _ in range(5):
        post("/api/auth/doctors/login", username="noor", password="guess")
        browser.post("/admin/login/", {"username": "noor", "password": "guess"})
    answer = browser.post("/admin/login/", {"username": "noor", "password": PASSWORD})
    assert "wait a minute" in answer.content.decode()
    assert post("/api/auth/doctors/login", username="noor", password=PASSWORD).status_code == 429
    other = browser.post("/admin/login/?next=/admin/", {"username": "adel", "password": PASSWORD})
    assert other.status_code == 302


def test_an_address_that_a_client_claims_is_not_believed(people) -> None:
    """The gateway adds the real address last; what a client wrote before it changes nothing."""
    for n in range(10):
        headers = {"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.9"}
        post("/api/auth/students/login", username="sara", password="guess", headers=headers)
    assert sara(headers={"X-Forwarded-For": "198.51.100.99, 203.0.113.9"}).status_code == 429


def test_guessing_is_forgotten_after_a_while(people) -> None:
    """The count of wrong passwords has an end: nobody is locked out for good."""
    post("/api/auth/students/login", username="sara", password="guess")
    redis = caches["default"]._cache.get_client()
    (key,) = redis.keys("*login-failures*")
    assert 0 < redis.ttl(key) <= 60


def test_logins_wait_for_no_redis_that_hangs(people, redis_server: Redis) -> None:
    """With Redis frozen a login takes a little longer and succeeds."""
    redis_server.process.pause()
    try:
        assert sara().status_code == 200
    finally:
        redis_server.process.resume()


@pytest.mark.parametrize(
    "body",
    [
        {"username": "sara"},
        {"username": "sara", "password": None},
        {"username": "s" * 151, "password": "x"},
        {"username": "sara", "password": "x" * 1001},
        {"username": "sara\0", "password": PASSWORD},
        [],
    ],
)
def test_a_login_that_is_none_is_refused_by_its_content(people, client, body: Any) -> None:
    """Missing, oversized and unprintable members are 422, whatever the body's shape, and nothing of it comes back."""
    answer = client.post("/api/auth/students/login", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert PASSWORD not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_refresh_at_once_one_wins_and_the_login_ends(people) -> None:
    """Two holders of one refresh token are one too many: whoever comes second ends the login for both."""
    token = sara().json()["refresh"]
    together = Barrier(2)

    def refresh() -> Any:
        try:
            together.wait(10)
            return post("/api/auth/refresh", refresh=token)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = [work.result(timeout=30) for work in [pool.submit(refresh) for _ in range(2)]]
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert post("/api/auth/verify", token=won["access"]).json() == {"active": False}
    assert LoginSession.objects.get().revoked_at is not None
    assert Revocation.objects.count() == 1


def test_logging_out_once_leaves_other_devices_alone(people) -> None:
    """A login is one device's: ending it leaves the person's other logins good."""
    here, there = sara().json(), sara().json()
    assert post("/api/auth/logout", refresh=here["refresh"]).status_code == 204
    assert post("/api/auth/verify", token=here["access"]).json() == {"active": False}
    assert post("/api/auth/verify", token=there["access"]).json()["active"] is True


def test_what_verify_says_is_what_the_token_says(people) -> None:
    """Solvers that lack a key ask web and get the very claims."""
    token = sara().json()["access"]
    said = post("/api/auth/verify", token=token).json()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert {name: said[name] for name in ("sub", "role", "level", "sid", "jti", "iat", "exp")} == {
        name: claims[name] for name in ("sub", "role", "level", "sid", "jti", "iat", "exp")
    }


def test_a_refresh_does_not_make_a_login_last_longer(people) -> None:
    """However often it is refreshed, a login ends at the hour that was set when it began."""
    first = sara().json()["refresh"]
    second = post("/api/auth/refresh", refresh=first).json()["refresh"]
    ends = {jwt.decode(token, options={"verify_signature": False})["exp"] for token in (first, second)}
    assert len(ends) == 1


def test_someone_disabled_gets_no_new_tokens(people) -> None:
    """A refresh token of a disabled account is worth nothing, even if nobody wrote a revocation."""
    token = sara().json()["refresh"]
    User.objects.filter(pk=people.student.pk).update(is_active=False)
    assert post("/api/auth/refresh", refresh=token).status_code == 401


def test_the_key_set_may_be_kept_for_minutes(client) -> None:
    """Solvers and proxies may cache the public keys."""
    answer = client.get("/.well-known/jwks.json")
    assert answer["Cache-Control"] == "public, max-age=300"
