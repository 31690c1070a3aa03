"""Limits of failed logins stop guesses, and lock no user out."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from exam_harness.environments.processes.servers.redis import Redis
from exam_web import metrics
from exam_web.users import counters, throttle
from exam_web.users.counters import Counters, ProcessCounters

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
WRONG = "guess"


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch, real_cache: None) -> None:
    """Each test begins without failures."""
    cache.clear()
    monkeypatch.setattr(throttle, "counters", Counters())


def log_in(address: str, username: str = "sara", password: str = WRONG, client: Client | None = None) -> int:
    """Log in from an address; returns the status."""
    body = {"username": username, "password": password}
    headers = {"X-Forwarded-For": address}
    path = "/api/auth/students/login"
    return (client or Client()).post(path, body, content_type="application/json", headers=headers).status_code


def test_spellings_of_a_name_share_a_limit(people) -> None:
    """A guesser does not get more tries by writing the name in another case or width."""
    names = ("sara", "SARA", "ｓara")  # noqa: RUF001
    statuses = [log_in("203.0.113.1", names[n % 3]) for n in range(11)]
    assert statuses == [401] * 10 + [429]


def test_guesses_from_many_addresses_become_slow_and_lock_nothing(people, monkeypatch) -> None:
    """Once a user has many failures, an address has three tries, and the user logs in from another one."""
    monkeypatch.setattr(throttle, "FAILURES_OF_USER", 12)
    for n in range(12):
        assert log_in(f"198.51.100.{n}") == 401
    assert [log_in("203.0.113.1") for _ in range(4)] == [401, 401, 401, 429]
    assert log_in("203.0.113.2", password=PASSWORD) == 200


def test_guesses_at_many_users_stop_an_address(people, monkeypatch) -> None:
    """An address that tries one password with many names is stopped; other addresses are not."""
    monkeypatch.setattr(throttle, "FAILURES_OF_ADDRESS", 5)
    assert [log_in("203.0.113.1", f"name-{n}") for n in range(6)] == [401] * 5 + [429]
    assert log_in("203.0.113.2", password=PASSWORD) == 200


def test_a_known_device_is_not_locked_out_from_its_address(people, monkeypatch) -> None:
    """Behind one address with a guesser, the device on which a student logged in before logs in again."""
    monkeypatch.setattr(throttle, "FAILURES_OF_ADDRESS", 5)
    device = Client()
    assert log_in("203.0.113.1", password=PASSWORD, client=device) == 200
    for n in range(12):
        log_in("203.0.113.1", f"name-{n}")
        log_in("203.0.113.1")
    assert log_in("203.0.113.1", password=PASSWORD) == 429
    assert log_in("203.0.113.1", password=PASSWORD, client=device) == 200
    assert [log_in("203.0.113.1", client=device) for _ in range(11)] == [401] * 10 + [429]


def test_a_device_is_known_to_its_user_alone(people) -> None:
    """The cookie of one user, or a forged one, gives no tries with another name."""
    device = Client()
    assert log_in("203.0.113.9", "omar", PASSWORD, device) == 200
    for _ in range(10):
        log_in("203.0.113.1")
    assert log_in("203.0.113.1", client=device) == 429
    device.cookies[throttle.DEVICE_COOKIE] = "InNhcmEi:forged:signature"
    assert log_in("203.0.113.1", client=device) == 429


def test_the_platform_has_a_limit_in_all(people, monkeypatch) -> None:
    """Once there are many failures in all, each address has three tries with a user; a right password is accepted."""
    monkeypatch.setattr(throttle, "FAILURES_IN_ALL", 8)
    for n in range(8):
        log_in(f"198.51.100.{n}", f"name-{n}")
    assert [log_in("203.0.113.1") for _ in range(4)] == [401, 401, 401, 429]
    assert log_in("203.0.113.2", password=PASSWORD) == 200


def test_an_ipv6_network_is_one_address(people) -> None:
    """A client that changes its IPv6 address within its network gets no more tries."""
    assert [log_in(f"2001:db8::{n + 1:x}") for n in range(11)] == [401] * 10 + [429]
    assert log_in("2001:db8:0:1::1", password=PASSWORD) == 200


def test_successful_logins_are_not_counted(people) -> None:
    """A level that logs in from one address uses up nothing."""
    assert {log_in("203.0.113.1", password=PASSWORD) for _ in range(15)} == {200}


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_are_limited(people) -> None:
    """Of many guesses that arrive at the same time no more are hashed than of guesses one after another."""
    barrier = Barrier(16)

    def guess(_: int) -> int:
        try:
            barrier.wait(timeout=30)
            return log_in("203.0.113.1")
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(guess, range(16)))
    assert sorted(statuses) == [401] * 10 + [429] * 6


def test_without_redis_a_process_limits_by_itself_and_reports_it(people, redis_server: Redis) -> None:
    """With Redis frozen, logins are limited by the process's own counters, which a metric shows."""
    counted_in_process = metrics.LOGIN_LIMITS.labels("process")._value.get
    before = counted_in_process()
    redis_server.process.pause()
    try:
        assert [log_in("203.0.113.1") for _ in range(11)] == [401] * 10 + [429]
        assert log_in("203.0.113.2", password=PASSWORD) == 200
    finally:
        redis_server.process.resume()
    assert counted_in_process() > before


def test_hashing_is_bounded(people, monkeypatch) -> None:
    """While half of the threads hash passwords, a login waits for some seconds and is then asked to retry."""
    monkeypatch.setattr(throttle, "HASHING_WAIT_SECONDS", 0.01)
    taken = 0
    while throttle._hashing.acquire(blocking=False):
        taken += 1
    try:
        assert log_in("203.0.113.1", password=PASSWORD) == 503
    finally:
        throttle._hashing.release(taken)
    assert log_in("203.0.113.1", password=PASSWORD) == 200


def test_counters_of_a_process_expire_and_are_bounded(monkeypatch) -> None:
    """A counter begins again after its time, and expired ones do not fill the memory."""
    now = [0.0]
    counts = ProcessCounters(lambda: now[0])
    assert counts.add(["a"], seconds=60) == {"a": 1}
    assert counts.add(["a"], seconds=60) == {"a": 2}
    counts.subtract(["a", "unknown"])
    assert counts.add(["a"], seconds=60) == {"a": 2}
    now[0] = 60.0
    assert counts.add(["a"], seconds=60) == {"a": 1}
    monkeypatch.setattr(counters, "MAX_KEYS", 1)
    counts.add(["b"], seconds=60)
    now[0] = 120.0
    counts.add(["c"], seconds=60)
    assert set(counts._counts) == {"c"}
