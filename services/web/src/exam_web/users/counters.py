"""Counters that expire, in the cache; in this process while the cache is unavailable.

Without Redis each process limits logins by what it counts itself, so that the limits of all processes add up, and
reports it: a log event and the metric `exam_web_login_limits_total`.
"""

import threading
import time
from collections.abc import Callable, Sequence

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

from exam_web import metrics

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0
"""How long counters stay in the process after a failure: waiting for Redis at each login would block all threads."""
MAX_KEYS = 100_000


class ProcessCounters:
    """Counters in memory, of a bounded number of keys."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def add(self, keys: Sequence[str], *, seconds: int) -> dict[str, int]:
        """Increment counters; returns them."""
        now = self._clock()
        with self._lock:
            if len(self._counts) > MAX_KEYS:
                self._counts = {key: entry for key, entry in self._counts.items() if entry[1] > now}
            counted = {}
            for key in keys:
                count, expires = self._counts.get(key, (0, 0.0))
                if expires <= now:
                    count, expires = 0, now + seconds
                self._counts[key] = (count + 1, expires)
                counted[key] = count + 1
        return counted

    def subtract(self, keys: Sequence[str]) -> None:
        """Decrement counters that have not expired."""
        now = self._clock()
        with self._lock:
            for key in keys:
                count, expires = self._counts.get(key, (0, 0.0))
                if expires > now and count > 0:
                    self._counts[key] = (count - 1, expires)


class Counters:
    """Counters in the cache, which all processes share, or else in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process = ProcessCounters(clock)
        self._retry_at = 0.0

    def add(self, keys: Sequence[str], *, seconds: int) -> dict[str, int]:
        """Increment counters, which expire that long after their first increment; returns them."""
        counted = self._in_cache(lambda: {key: _increment(key, seconds) for key in keys})
        if counted is None:
            metrics.LOGIN_LIMITS.labels("process").inc()
            return self._process.add(keys, seconds=seconds)
        metrics.LOGIN_LIMITS.labels("redis").inc()
        return counted

    def subtract(self, keys: Sequence[str]) -> None:
        """Decrement counters."""
        if self._in_cache(lambda: {key: _decrement(key) for key in keys}) is None:
            self._process.subtract(keys)

    def _in_cache(self, count: Callable[[], dict[str, int]]) -> dict[str, int] | None:
        if self._clock() < self._retry_at:
            return None
        try:
            return count()
        except RedisError as error:
            self._retry_at = self._clock() + RETRY_SECONDS
            log.warning("login_limits_in_process", error=str(error), seconds=RETRY_SECONDS)
            return None


def _increment(key: str, seconds: int) -> int:
    cache.add(key, 0, seconds)
    try:
        return cache.incr(key)
    except ValueError:
        # It expired between the two calls.
        cache.set(key, 1, seconds)
        return 1


def _decrement(key: str) -> int:
    try:
        return cache.decr(key)
    except ValueError:
        # It has expired.
        return 0


counters = Counters()
"""The counters of this process."""
