"""Attacks on logins: enumeration, guessing, forged addresses, stolen refresh tokens."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.test import Client

from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.waiting import eventually
from exam_web.users import hashers
from exam_web.users.logins import throttle
from exam_web.users.models import User

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
    """The calls of Argon2."""
    calls: list[str] = []
    for name in ("encode", "verify"):
        real = getattr(hashers.Argon2, name)

        def spy(*words: Any, _real: Any = real, _name: str = name) -> Any:
            calls.append(_name)
            return _real(*words)

        monkeypatch.setattr(hashers.Argon2, name, spy)
    return calls


@pytest.mark.parametrize(
    ("endpoint", "username", "password"),
    [
        ("students", "unknown", PASSWORD),
        ("students", "noor", PASSWORD),
        ("doctors", "sara", PASSWORD),
        ("students", "sara", "wrong"),
        ("students", "gone", PASSWORD),
        ("doctors", "root", PASSWORD),
    ],
)
def test_every_rejected_login_costs_one_hash(people, hashed, endpoint: str, username: str, password: str) -> None:
    """An unknown name, another kind, a wrong password and a disabled account take equally long."""
    gone = User(username="gone", kind="student", level=people.year_1, is_active=False, password=people.student.password)
    gone.save()
    answer = post(f"/api/auth/{endpoint}/login", username=username, password=password)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (401, "bad-credentials")
    assert len(hashed) == 1


def test_passwords_use_the_recommended_argon2_parameters(people) -> None:
    """Argon2id with 19 MiB, two iterations, one lane."""
    assert people.student.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_logins_are_counted_by_outcome(people, client) -> None:
    """Metrics show accepted and rejected logins by kind of user."""

    def count(outcome: str) -> float:
        line = f'exam_web_logins_total{{kind="student",outcome="{outcome}"}} '
        lines = client.get("/metrics").content.decode().splitlines()
        return sum(float(each.removeprefix(line)) for each in lines if each.startswith(line))

    before = count("accepted"), count("refused")
    sara()
    post("/api/auth/students/login", username="sara", password="guess")
    assert (count("accepted"), count("refused")) == (before[0] + 1, before[1] + 1)


def test_the_rate_limit_is_per_address(people) -> None:
    """Failed logins from one address do not lock the user out elsewhere; the gateway reports the address."""
    for _ in range(10):
        headers = {"X-Forwarded-For": "203.0.113.9"}
        post("/api/auth/students/login", username="sara", password="guess", headers=headers)
    assert sara(headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    assert sara(headers={"X-Forwarded-For": "203.0.113.10"}).status_code == 200


def test_the_admin_shares_the_rate_limit(people) -> None:
    """Failed logins at the API and at the admin are counted together, and both then reject further ones."""
    browser = Client()
    for _ in range(5):
        post("/api/auth/doctors/login", username="noor", password="guess")
        browser.post("/admin/login/", {"username": "noor", "password": "guess"})
    answer = browser.post("/admin/login/", {"username": "noor", "password": PASSWORD})
    assert (answer.status_code, answer["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert "wait a minute" in answer.content.decode()
    assert post("/api/auth/doctors/login", username="noor", password=PASSWORD).status_code == 429
    other = browser.post("/admin/login/?next=/admin/", {"username": "adel", "password": PASSWORD})
    assert other.status_code == 302


def test_a_forged_x_forwarded_for_is_ignored(people) -> None:
    """The gateway adds the real address last; entries that a client wrote before it have no effect."""
    for n in range(10):
        headers = {"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.9"}
        post("/api/auth/students/login", username="sara", password="guess", headers=headers)
    assert sara(headers={"X-Forwarded-For": "198.51.100.99, 203.0.113.9"}).status_code == 429


def test_failed_logins_expire(people, monkeypatch) -> None:
    """The counters of failed logins begin again, so no user is locked out for good."""
    monkeypatch.setattr(throttle, "WINDOW_SECONDS", 3)
    monkeypatch.setattr(throttle, "FAILURES", 1)
    log_in_until(429, lambda: post("/api/auth/students/login", username="sara", password="guess"))
    log_in_until(200, sara)


def log_in_until(status: int, log_in: Callable[[], Any]) -> None:
    """Log in until the response has a status."""
    eventually(lambda: log_in().status_code == status, f"a login is answered with {status}")


def test_login_with_a_frozen_redis(people, redis_server: Redis, broker_server: Redis) -> None:
    """With cache and broker frozen a login takes a little longer and succeeds."""
    for server in (redis_server, broker_server):
        server.process.pause()
    try:
        assert sara().status_code == 200
    finally:
        for server in (redis_server, broker_server):
            server.process.resume()


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
def test_an_invalid_login_body_returns_422(people, client, body: Any) -> None:
    """Missing, oversized and unprintable fields are 422, for any shape of the body, and the password is not echoed."""
    answer = client.post("/api/auth/students/login", body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert PASSWORD not in answer.content.decode()


def test_logout_keeps_other_logins(people, introspect) -> None:
    """Logging out on one device keeps the user's other logins valid."""
    here, there = sara().json(), sara().json()
    assert post("/api/auth/logout", refresh=here["refresh"]).status_code == 204
    assert introspect(here["access"]) == {"active": False}
    assert introspect(there["access"])["active"] is True


def test_verify_returns_the_claims(people, introspect) -> None:
    """Introspection returns the claims of the token; solvers without the key depend on them."""
    token = sara().json()["access"]
    body = introspect(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert {name: body[name] for name in ("sub", "role", "level", "sid", "jti", "iat", "exp")} == {
        name: claims[name] for name in ("sub", "role", "level", "sid", "jti", "iat", "exp")
    }


def test_refreshing_does_not_extend_a_login(people) -> None:
    """However often it is refreshed, a login ends at the time that was set at its start."""
    first = sara().json()["refresh"]
    second = post("/api/auth/refresh", refresh=first).json()["refresh"]
    ends = {jwt.decode(token, options={"verify_signature": False})["exp"] for token in (first, second)}
    assert len(ends) == 1


def test_a_disabled_account_cannot_refresh(people) -> None:
    """The refresh token of a disabled account is rejected, even without a revocation."""
    token = sara().json()["refresh"]
    User.objects.filter(pk=people.student.pk).update(is_active=False)
    assert post("/api/auth/refresh", refresh=token).status_code == 401


def test_the_jwks_is_cacheable(client) -> None:
    """Solvers and proxies may cache the public keys."""
    answer = client.get("/.well-known/jwks.json")
    assert answer["Cache-Control"] == "public, max-age=300"
