"""The cache in front of PostgreSQL: no stale value after a change, no stampede on a cold key, no need of Redis.

A cached value belongs to a *generation*, a number in Redis that every change replaces. A loader that read before a
change stores under the old generation, where nobody looks any more.
"""

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import structlog
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

from exam_web import metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

LOADING_SECONDS = 5
"""For how long others wait for the one who loads before they load themselves."""
POLL_SECONDS = 0.02
GENERATION_SECONDS = 7 * 24 * 3600


class JsonSerializer:
    """How Django's cache writes values: whoever can write to Redis must not be able to run code here."""

    def dumps(self, value: object) -> bytes:
        """A value's bytes; a number stays one that Redis can count with."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:  # noqa: ANN401 - whatever was cached
        """The inverse of `dumps`; what is no JSON counts as not there."""
        try:
            return json.loads(data)
        except ValueError as error:
            log.warning("cache holds what we did not write", error=str(error))
            return None


def cached(family: str, key: str, *, seconds: int, load: Callable[[], T]) -> T:
    """The value of `load`, from the cache where it is there; JSON-like values other than None.

    Args:
        family: what is invalidated together.
        key: which value of the family.
        seconds: how long it may be kept.
        load: reads it from the database.
    """
    try:
        place = f"{family}:{_generation(family)}:{key}"
        found: T | None = cache.get(place)
        if found is None:
            return _load_alone(place, seconds, load)
    except RedisError as error:
        metrics.CACHE.labels("unavailable").inc()
        log.warning("cache unavailable", error=str(error))
        return load()
    metrics.CACHE.labels("hit").inc()
    return found


def invalidate_on_commit(family: str) -> None:
    """Make everything cached of a family unreachable once the present transaction is there for others to read."""
    transaction.on_commit(lambda: _raise_generation(family))


def _load_alone(place: str, seconds: int, load: Callable[[], T]) -> T:
    """Load a cold key in one place; whoever comes meanwhile waits for that value, but not for ever."""
    lock, ours = f"{place}:loading", uuid4().hex
    deadline = time.monotonic() + LOADING_SECONDS
    while not cache.add(lock, ours, LOADING_SECONDS):
        found: T | None = cache.get(place)
        if found is not None:
            metrics.CACHE.labels("waited").inc()
            return found
        if time.monotonic() > deadline:
            metrics.CACHE.labels("impatient").inc()
            return load()
        time.sleep(POLL_SECONDS)
    try:
        # The one before us may have finished between our look and our lock.
        found = cache.get(place)
        if found is not None:
            metrics.CACHE.labels("waited").inc()
            return found
        metrics.CACHE.labels("miss").inc()
        value = load()
        cache.set(place, value, seconds)
        return value
    finally:
        # Only our own: a load that took longer than the lock lasts must not open the door behind its follower.
        if cache.get(lock) == ours:
            cache.delete(lock)


def _generation(family: str) -> int:
    found = cache.get(f"{family}:generation")
    if found is None:
        # Never one that was used before: a lost counter must not bring old values back.
        cache.add(f"{family}:generation", time.time_ns(), GENERATION_SECONDS)
        found = cache.get(f"{family}:generation")
    return int(found or 0)


def _raise_generation(family: str) -> None:
    try:
        cache.set(f"{family}:generation", time.time_ns(), GENERATION_SECONDS)
    except RedisError as error:
        # Values are kept for minutes at most; until then a list may be old, never a paper or a grade.
        log.warning("cache not invalidated", family=family, error=str(error))
