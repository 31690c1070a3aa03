"""A read-through cache in Redis: no stale values after a change, no stampede on a cold key, usable without Redis.

A cached value belongs to a *generation* of its family, a random id in Redis that every change replaces. A value that
was read before a change is stored under the old generation, which is never read again.
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
"""How long a request waits for another one to load a value before it loads the value itself."""
POLL_SECONDS = 0.02
GENERATION_SECONDS = 7 * 24 * 3600


class JsonSerializer:
    """Serialiser of Django's cache: unlike a pickle, a JSON value written to Redis cannot execute code here."""

    def dumps(self, value: object) -> bytes:
        """Serialise a value; numbers stay numbers that Redis can increment."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:  # noqa: ANN401 - any JSON value
        """Deserialise a value; None, as for a missing key, when it is not JSON."""
        try:
            return json.loads(data)
        except ValueError as error:
            log.warning("cache_value_rejected", error=str(error))
            return None


def cached(family: str, key: str, *, seconds: int, load: Callable[[], T]) -> T:
    """Return a value from the cache, or load and store it; JSON-like values other than None.

    Args:
        family: the values that are invalidated together.
        key: identifies the value in its family.
        seconds: its lifetime in the cache.
        load: reads it from the database.
    """
    try:
        cache_key = f"{family}:{_generation(family)}:{key}"
        value: T | None = cache.get(cache_key)
        if value is None:
            return _load_once(cache_key, seconds, load)
    except RedisError as error:
        metrics.CACHE.labels("unavailable").inc()
        log.warning("cache_unavailable", error=str(error))
        return load()
    metrics.CACHE.labels("hit").inc()
    return value


def invalidate_on_commit(family: str) -> None:
    """Invalidate all cached values of a family when the current transaction commits."""
    transaction.on_commit(lambda: _start_generation(family))


def _load_once(cache_key: str, seconds: int, load: Callable[[], T]) -> T:
    """Load a missing value in one request; concurrent requests wait for it, for at most LOADING_SECONDS."""
    lock, token = f"{cache_key}:loading", uuid4().hex
    deadline = time.monotonic() + LOADING_SECONDS
    while not cache.add(lock, token, LOADING_SECONDS):
        value: T | None = cache.get(cache_key)
        if value is not None:
            metrics.CACHE.labels("waited").inc()
            return value
        if time.monotonic() > deadline:
            metrics.CACHE.labels("impatient").inc()
            return load()
        time.sleep(POLL_SECONDS)
    try:
        # The previous holder may have stored the value between our last read and our lock.
        value = cache.get(cache_key)
        if value is not None:
            metrics.CACHE.labels("waited").inc()
            return value
        metrics.CACHE.labels("miss").inc()
        value = load()
        cache.set(cache_key, value, seconds)
        return value
    finally:
        # Only a lock that is still held: after a load longer than its lifetime it may belong to another request.
        if cache.get(lock) == token:
            cache.delete(lock)


def _generation(family: str) -> str:
    generation = cache.get(f"{family}:generation")
    if generation is None:
        # Never reuse an id: if Redis loses the key, old values must not become valid again.
        created = uuid4().hex
        cache.add(f"{family}:generation", created, GENERATION_SECONDS)
        generation = cache.get(f"{family}:generation") or created
    return str(generation)


def _start_generation(family: str) -> None:
    try:
        cache.set(f"{family}:generation", uuid4().hex, GENERATION_SECONDS)
    except RedisError as error:
        # Cached values live for minutes at most; until then a list may be stale, but never a paper or a degree.
        log.warning("cache_invalidation_failed", family=family, error=str(error))
