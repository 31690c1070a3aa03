"""The cache: no stampede, nothing stale, and nothing lost without it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import caches
from django.db import transaction

from exam_harness.environments.processes.servers.redis import Redis
from exam_web.common import cache

pytestmark = pytest.mark.integration

FAMILY = "fruit"


@pytest.fixture(autouse=True)
def no_schedule(real_cache: None) -> None:
    """These tests need the real Redis and no database."""


def read(load: Callable[[], Any], key: str = "list") -> Any:
    """Read the cached value."""
    return cache.cached(FAMILY, key, seconds=60, load=load)


def invalidate() -> None:
    """What a committed change does."""
    cache._start_generation(FAMILY)


def test_twenty_at_once_on_a_cold_key_load_once() -> None:
    """When a list is asked for by twenty people at the same moment, the database is asked once."""
    together, loads = threading.Barrier(20), []

    def load() -> list[str]:
        loads.append(threading.get_ident())
        return ["apple"]

    def one() -> list[str]:
        together.wait(20)
        value: list[str] = read(load)
        return value

    with ThreadPoolExecutor(20) as pool:
        values = [work.result(30) for work in [pool.submit(one) for _ in range(20)]]
    assert values == [["apple"]] * 20
    assert len(loads) == 1


def test_without_the_lease_everyone_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above sees it when the lease is gone: twenty load."""
    together, loading, loads = threading.Barrier(20), threading.Barrier(20), []

    def everyone_alone(place: str, seconds: int, load: Callable[[], Any]) -> Any:
        return load()

    monkeypatch.setattr(cache, "_load_once", everyone_alone)

    def load() -> list[str]:
        loads.append(1)
        loading.wait(20)
        return ["apple"]

    def one() -> list[str]:
        together.wait(20)
        value: list[str] = read(load)
        return value

    with ThreadPoolExecutor(20) as pool:
        assert all(work.result(30) for work in [pool.submit(one) for _ in range(20)])
    assert len(loads) == 20


def test_a_change_is_seen_by_the_next_reader() -> None:
    """After a change the old value is unreachable, in every key of the family."""
    assert read(lambda: 1, "a") == 1
    assert read(lambda: 1, "b") == 1
    invalidate()
    assert read(lambda: 2, "a") == 2
    assert read(lambda: 2, "b") == 2
    assert read(lambda: 3, "a") == 2


def test_a_loader_that_races_a_change_stores_nothing_stale() -> None:
    """A list read before a change and stored after it is not shown to anybody again."""
    reading, changed = threading.Event(), threading.Event()

    def slow() -> str:
        reading.set()
        assert changed.wait(10)
        return "as it was before"

    with ThreadPoolExecutor(1) as pool:
        racing = pool.submit(read, slow)
        assert reading.wait(10)
        invalidate()
        changed.set()
        assert racing.result(20) == "as it was before"
    assert read(lambda: "as it is") == "as it is"


def test_nobody_waits_for_a_loader_that_died(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease whose holder is gone keeps others for a bounded time only; then they load themselves."""
    monkeypatch.setattr(cache, "LOADING_SECONDS", 1)
    generation = cache._generation(FAMILY)
    caches["default"].add(f"{FAMILY}:{generation}:list:loading", "somebody who is gone", 60)
    assert read(lambda: "loaded") == "loaded"
    assert caches["default"].get(f"{FAMILY}:{generation}:list:loading") == "somebody who is gone"


def test_a_load_that_fails_lets_the_next_one_try() -> None:
    """An error is the reader's own; the key is free for whoever comes next."""

    def broken() -> str:
        raise LookupError("the database said no")

    with pytest.raises(LookupError):
        read(broken)
    assert read(lambda: "fine") == "fine"


@pytest.fixture
def frozen(redis_server: Redis) -> Iterator[None]:
    """A Redis that keeps its connections and answers nothing."""
    redis_server.process.pause()
    yield
    redis_server.process.resume()


def test_a_redis_that_hangs_costs_time_and_no_answer(frozen: None) -> None:
    """With Redis frozen a list comes straight from the database."""
    assert read(lambda: "from the database") == "from the database"


def test_a_redis_that_is_gone_costs_nothing(settings) -> None:
    """With Redis away lists come from the database, and changes go on."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert read(lambda: "first") == "first"
    invalidate()
    assert read(lambda: "second") == "second"


def test_what_is_in_redis_is_json() -> None:
    """Who may write to Redis cannot make web run code: values are JSON, never pickles."""
    read(lambda: {"slug": "algebra", "count": 3})
    redis = caches["default"]._cache.get_client()
    (key,) = redis.keys("*:list")
    assert redis.get(key) == b'{"slug":"algebra","count":3}'
    redis.set(key, b"\x80\x04}.")
    assert read(lambda: "read anew") == "read anew"


@pytest.mark.django_db(transaction=True)
def test_only_what_was_committed_invalidates() -> None:
    """A change that is rolled back leaves the cache as it was."""
    assert read(lambda: "kept") == "kept"
    with transaction.atomic():
        cache.invalidate_on_commit(FAMILY)
        transaction.set_rollback(True)
    assert read(lambda: "other") == "kept"
    with transaction.atomic():
        cache.invalidate_on_commit(FAMILY)
        assert read(lambda: "other") == "kept"
    assert read(lambda: "other") == "other"
