"""The cache: no stampede, no stale values, and everything works without it."""

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
    """Invalidate as a committed change does."""
    cache._start_generation(FAMILY)


def test_concurrent_reads_of_a_cold_key_load_once() -> None:
    """When twenty requests read a list at the same moment, the database is queried once."""
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


def test_without_the_lock_every_reader_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control of the test above: without the lock all twenty load."""
    together, loading, loads = threading.Barrier(20), threading.Barrier(20), []

    def load_without_lock(cache_key: str, seconds: int, load: Callable[[], Any]) -> Any:
        return load()

    monkeypatch.setattr(cache, "_load_once", load_without_lock)

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


def test_a_change_invalidates_the_family() -> None:
    """After a change no key of the family returns its old value."""
    assert read(lambda: 1, "a") == 1
    assert read(lambda: 1, "b") == 1
    invalidate()
    assert read(lambda: 2, "a") == 2
    assert read(lambda: 2, "b") == 2
    assert read(lambda: 3, "a") == 2


def test_a_load_that_races_a_change_is_not_served() -> None:
    """A list that was read before a change and stored after it is never served."""
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


def test_waiting_for_a_dead_loader_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock whose holder died delays others for a bounded time; then they load the value themselves."""
    monkeypatch.setattr(cache, "LOADING_SECONDS", 1)
    generation = cache._generation(FAMILY)
    caches["default"].add(f"{FAMILY}:{generation}:list:loading", "a dead process", 60)
    assert read(lambda: "loaded") == "loaded"
    assert caches["default"].get(f"{FAMILY}:{generation}:list:loading") == "a dead process"


def test_a_failed_load_releases_the_lock() -> None:
    """An error is raised to its caller, and the next reader can load the value."""

    def broken() -> str:
        raise LookupError("the query failed")

    with pytest.raises(LookupError):
        read(broken)
    assert read(lambda: "fine") == "fine"


@pytest.fixture
def frozen(redis_server: Redis) -> Iterator[None]:
    """A Redis that keeps its connections and does not respond."""
    redis_server.process.pause()
    yield
    redis_server.process.resume()


def test_reads_with_a_frozen_redis(frozen: None) -> None:
    """With Redis frozen a list is read from the database."""
    assert read(lambda: "from the database") == "from the database"


def test_reads_without_redis(settings) -> None:
    """With Redis down lists are read from the database, and changes succeed."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert read(lambda: "first") == "first"
    invalidate()
    assert read(lambda: "second") == "second"


def test_cached_values_are_json(redis_client) -> None:
    """Write access to Redis must not mean code execution in web: values are JSON, never pickles."""
    read(lambda: {"slug": "algebra", "count": 3})
    (key,) = redis_client.keys("*:list")
    assert redis_client.get(key) == b'{"slug":"algebra","count":3}'
    redis_client.set(key, b"\x80\x04}.")
    assert read(lambda: "read anew") == "read anew"


@pytest.mark.django_db(transaction=True)
def test_only_committed_changes_invalidate() -> None:
    """A change that is rolled back does not invalidate the cache."""
    assert read(lambda: "kept") == "kept"
    with transaction.atomic():
        cache.invalidate_on_commit(FAMILY)
        transaction.set_rollback(True)
    assert read(lambda: "other") == "kept"
    with transaction.atomic():
        cache.invalidate_on_commit(FAMILY)
        assert read(lambda: "other") == "kept"
    assert read(lambda: "other") == "other"
