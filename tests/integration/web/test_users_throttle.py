"""Limits of failed logins stop guesses, and lock no user out."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import redis
from django.db import connection
from django.test import Client, RequestFactory

from exam_core.problems import Problem, ProblemKind
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.waiting import eventually
from exam_web import metrics
from exam_web.users import services
from exam_web.users.logins import counters, throttle
from exam_web.users.logins.counters import Counters, ProcessCounters, RedisCounters, Window
from exam_web.users.logins.devices import DEVICE_COOKIE
from exam_web.users.logins.hashing import HashingSlots

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
WRONG = "guess"


@pytest.fixture(autouse=True)
def no_failures(monkeypatch: pytest.MonkeyPatch, real_cache: None) -> None:
    """Each test begins without failures; a Redis that an earlier one froze is asked again."""
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


def test_guesses_at_many_users_lock_none_out(people, monkeypatch) -> None:
    """An address that tries one password with many names has fewer tries with each; others there still log in."""
    monkeypatch.setattr(throttle, "FAILURES_OF_ADDRESS", 5)
    for n in range(5):
        assert log_in("203.0.113.1", f"name-{n}") == 401
    assert [log_in("203.0.113.1", "omar") for _ in range(4)] == [401, 401, 401, 429]
    assert log_in("203.0.113.1", password=PASSWORD) == 200


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


def test_a_device_that_used_up_its_tries_is_like_any_other(people) -> None:
    """A guesser on a device that a student once used gets ten tries more, and takes none from other devices."""
    lent, own = Client(), Client()
    for device in (lent, own):
        assert log_in("203.0.113.1", password=PASSWORD, client=device) == 200
    assert [log_in("203.0.113.2", client=lent) for _ in range(21)] == [401] * 20 + [429]
    assert log_in("203.0.113.2", password=PASSWORD, client=own) == 200


def test_the_admin_knows_devices_too(people) -> None:
    """A Doctor whose browser logged in to the admin before logs in while others guess from the same address."""
    device, form = Client(), {"username": "noor", "password": PASSWORD}
    assert device.post("/admin/login/?next=/admin/", form).status_code == 302
    assert device.cookies[DEVICE_COOKIE]["httponly"]
    for _ in range(10):
        Client().post("/admin/login/", {"username": "noor", "password": WRONG})
    assert Client().post("/admin/login/", form).status_code == 429
    device.post("/admin/logout/")
    assert device.post("/admin/login/?next=/admin/", form).status_code == 302


def test_an_incomplete_form_is_no_login(people) -> None:
    """Neither an empty name nor an empty password is counted, and no device is remembered for it."""
    for form in ({"username": "", "password": WRONG}, {"username": "noor", "password": ""}):
        browser = Client()
        assert browser.post("/admin/login/", form).status_code == 200
        assert DEVICE_COOKIE not in browser.cookies
    assert counters.counters.add(["all"], seconds=60).window.counts == {"all": 1}


def test_a_device_is_known_to_its_user_alone(people) -> None:
    """The cookie of one user, or a forged one, gives no tries with another name."""
    device = Client()
    assert log_in("203.0.113.9", "omar", PASSWORD, device) == 200
    for _ in range(10):
        log_in("203.0.113.1")
    assert log_in("203.0.113.1", client=device) == 429
    device.cookies[DEVICE_COOKIE] = "InNhcmEi:forged:signature"
    assert log_in("203.0.113.1", client=device) == 429


def test_a_cookie_of_another_user_is_given_up_under_attack(people, monkeypatch) -> None:
    """While there are too many failures, a foreign cookie is refused and deleted; the next try on the device counts."""
    monkeypatch.setattr(throttle, "FAILURES_OF_ADDRESS", 2)
    shared = Client()
    assert log_in("203.0.113.1", "omar", PASSWORD, shared) == 200
    for n in range(2):
        log_in("203.0.113.1", f"name-{n}")
    assert log_in("203.0.113.1", password=PASSWORD, client=shared) == 429
    assert shared.cookies[DEVICE_COOKIE].value == ""
    del shared.cookies[DEVICE_COOKIE]
    assert log_in("203.0.113.1", password=PASSWORD, client=shared) == 200


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
def test_guesses_at_once_are_limited(people, monkeypatch) -> None:
    """Of many guesses that arrive at the same time no more are hashed than of guesses one after another."""
    monkeypatch.setattr(throttle, "hashing_slots", HashingSlots(16, reserved=0))
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


def test_without_the_broker_a_process_limits_by_itself_and_reports_it(people, broker_server: Redis) -> None:
    """With the broker's Redis frozen, logins are limited by the process's own counters, which a metric shows."""
    counted_in_process = metrics.LOGINS_COUNTED.labels("process")._value.get
    before = counted_in_process()
    broker_server.process.pause()
    try:
        assert [log_in("203.0.113.1") for _ in range(11)] == [401] * 10 + [429]
        assert log_in("203.0.113.2", password=PASSWORD) == 200
    finally:
        broker_server.process.resume()
    assert counted_in_process() > before


def test_a_full_cache_forgets_no_failures(people, redis_client: redis.Redis) -> None:
    """The cache evicts lists to make room, with or without a lifetime, but not the failures of a guesser."""
    for _ in range(10):
        log_in("203.0.113.1")
    limit = redis_client.config_get("maxmemory")["maxmemory"]
    used = int(redis_client.info("memory")["used_memory"])
    try:
        redis_client.config_set("maxmemory", used + 2_000_000)
        for n in range(400):
            redis_client.set(f"list-{n}", b"x" * 20_000, ex=600 if n % 2 else None)
        assert sum(redis_client.exists(f"list-{n}") for n in range(400)) < 400, "nothing was evicted"
        assert log_in("203.0.113.1") == 429
    finally:
        redis_client.config_set("maxmemory", str(limit))


def test_an_unavailable_database_is_no_failure(people, monkeypatch) -> None:
    """Logins that end with an error of the platform use up none of the user's tries."""

    def fail(**_: object) -> None:
        raise Problem(ProblemKind.UNAVAILABLE, "the database is not reachable")

    with monkeypatch.context() as patch:
        patch.setattr(services, "login", fail)
        assert {log_in("203.0.113.1") for _ in range(12)} == {503}
    assert log_in("203.0.113.1", password=PASSWORD) == 200


def test_hashing_is_bounded(people, monkeypatch) -> None:
    """While as many passwords are hashed as may be, a login is asked at once to retry, and is not counted."""
    monkeypatch.setattr(throttle, "FAILURES", 1)
    slots = HashingSlots(2, reserved=1)
    monkeypatch.setattr(throttle, "hashing_slots", slots)
    device = Client()
    assert log_in("203.0.113.1", password=PASSWORD, client=device) == 200
    body = {"username": "sara", "password": PASSWORD}
    with slots.hold(known=False):
        for _ in range(3):
            answer = Client().post("/api/auth/students/login", body, content_type="application/json")
            assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        page = Client().post("/admin/login/", {"username": "noor", "password": PASSWORD})
        assert (page.status_code, page["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert log_in("203.0.113.1", password=PASSWORD, client=device) == 200, "a slot is for known devices"
        with slots.hold(known=True):
            assert log_in("203.0.113.1", password=PASSWORD, client=device) == 503
    assert log_in("203.0.113.1", password=PASSWORD) == 200


def test_invalid_refresh_tokens_are_limited_and_valid_ones_are_not(people, monkeypatch) -> None:
    """An address that sends made-up tokens gets 429; a token that was issued is exchanged there all the same."""
    monkeypatch.setattr(throttle, "FAILURES_OF_ADDRESS", 3)
    body = {"username": "sara", "password": PASSWORD}
    tokens = Client().post("/api/auth/students/login", body, content_type="application/json").json()

    def refresh(token: str) -> int:
        answer = Client().post("/api/auth/refresh", {"refresh": token}, content_type="application/json")
        return int(answer.status_code)

    assert [refresh("made-up") for _ in range(5)] == [401, 401, 401, 429, 429]
    assert refresh(tokens["refresh"]) == 200


def test_counters_of_a_process_expire_and_are_bounded(monkeypatch) -> None:
    """A counter begins again after its time, an increment is taken back within it alone, and memory is bounded."""
    now = [0.0]
    counts = ProcessCounters(lambda: now[0])
    first = counts.add(["a"], seconds=60)
    assert (first.counts, first.seconds_left) == ({"a": 1}, 60)
    now[0] = 59.0
    assert (counts.add(["a"], seconds=60).counts, counts.add(["a"], seconds=60).seconds_left) == ({"a": 2}, 1)
    counts.subtract(first)
    assert counts.add(["a"], seconds=60).counts == {"a": 3}
    now[0] = 60.0
    assert counts.add(["a"], seconds=60).counts == {"a": 1}
    counts.subtract(first)
    assert counts.add(["a"], seconds=60).counts == {"a": 2}
    monkeypatch.setattr(counters, "MAX_KEYS", 1)
    counts.add(["b"], seconds=60)
    assert set(counts._counts) == {"b"}


def test_counters_in_redis_expire(real_cache: None, broker_server: Redis) -> None:
    """The same of the counters that all processes share."""
    counts = RedisCounters(broker_server.url_of("web"))
    first = counts.add(["a", "b"], seconds=1)
    assert first.counts == {"a": 1, "b": 1}
    second = eventually(lambda: _new_window(counts.add(["a"], seconds=1000), first), "a new window begins")
    assert second.counts == {"a": 1}
    counts.subtract(first)
    assert counts.add(["a", "b"], seconds=1000).counts == {"a": 2, "b": 1}
    counts.subtract(second)
    assert counts.add(["a"], seconds=1000).counts == {"a": 2}


def _new_window(window: Window, before: Window) -> Window | None:
    return window if window.ends > before.ends else None


def test_a_clock_that_was_set_back_does_not_prolong_a_window(real_cache: None, broker_server: Redis) -> None:
    """A window that ends later than its length allows is over."""
    counts = RedisCounters(broker_server.url_of("web"))
    counts.add(["a"], seconds=60)
    with redis.Redis.from_url(broker_server.url) as administrator:
        administrator.hset(counters.REDIS_KEY, "ends", 4_000_000_000)
    window = counts.add(["a"], seconds=60)
    assert (window.counts, window.seconds_left) == ({"a": 1}, 60)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("10.0.0.1, 203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("unix:", "unix:"),
    ],
)
def test_the_address_of_a_client(rf: RequestFactory, forwarded: str, address: str) -> None:
    """IPv4 addresses in the form of IPv6 stay apart, and an IPv6 network is one."""
    assert throttle.address_of(rf.get("/", headers={"X-Forwarded-For": forwarded})) == address
