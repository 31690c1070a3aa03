"""Counters of a minute that begins with the first of them; in Redis, or in this process while Redis is unavailable.

All processes share those in Redis. Without Redis each limits logins by what it counts itself, so that the limits of
all processes add up, and reports it: a log event and the metric `exam_web_logins_counted_total`.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from exam_web import metrics

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 5.0
"""How long counters stay in the process after a failure: waiting for Redis at each login would block all threads."""
MAX_KEYS: Final = 200_000
"""In a process without Redis. Every failed login has cost a hash, so a minute has fewer."""
REDIS_KEY: Final = "login-failures"

# One hash, in the Redis that evicts nothing. It has one window, by Redis' own clock, so no counter outlives the window,
# whatever happens between two commands. A clock that was set back ends it.
_ADD: Final = """
local seconds = tonumber(ARGV[1])
local now = tonumber(redis.call('TIME')[1])
local ends = tonumber(redis.call('HGET', KEYS[1], 'ends'))
if not ends or ends <= now or ends > now + seconds then
    ends = now + seconds
    redis.call('UNLINK', KEYS[1])
    redis.call('HSET', KEYS[1], 'ends', string.format('%d', ends))
end
local result = {ends, ends - now}
for i = 2, #ARGV do
    result[#result + 1] = redis.call('HINCRBY', KEYS[1], ARGV[i], 1)
end
return result
"""
_SUBTRACT: Final = """
if redis.call('HGET', KEYS[1], 'ends') ~= ARGV[1] then
    return
end
for i = 2, #ARGV do
    if redis.call('HINCRBY', KEYS[1], ARGV[i], -1) <= 0 then
        redis.call('HDEL', KEYS[1], ARGV[i])
    end
end
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Counters after an increment: when their window ends, by their store's clock and in seconds, and their values."""

    ends: int
    seconds_left: int
    counts: Mapping[str, int]


class CounterStore(Protocol):
    """Counters that begin again at 0 with each window."""

    def add(self, keys: Sequence[str], *, seconds: int) -> Window:
        """Increment counters; if there is no window, one of that length begins."""

    def subtract(self, window: Window) -> None:
        """Take an increment back, unless its window is over."""


class RedisCounters:
    """Counters that all processes share."""

    def __init__(self, url: str) -> None:
        client = Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1))
        self._add, self._subtract = client.register_script(_ADD), client.register_script(_SUBTRACT)

    def add(self, keys: Sequence[str], *, seconds: int) -> Window:
        """Increment counters; raises RedisError."""
        ends, seconds_left, *counts = self._add(keys=[REDIS_KEY], args=[seconds, *keys])
        return Window(ends, seconds_left, dict(zip(keys, counts, strict=True)))

    def subtract(self, window: Window) -> None:
        """Take an increment back; raises RedisError."""
        self._subtract(keys=[REDIS_KEY], args=[window.ends, *window.counts])


class ProcessCounters:
    """Counters in memory, of a bounded number of keys: beyond it the oldest is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ends = 0
        self._counts: dict[str, int] = {}

    def add(self, keys: Sequence[str], *, seconds: int) -> Window:
        """Increment counters."""
        now = int(self._clock())
        with self._lock:
            if self._ends <= now:
                self._ends, self._counts = now + seconds, {}
            for key in keys:
                self._counts[key] = self._counts.get(key, 0) + 1
            counts = {key: self._counts[key] for key in keys}
            while len(self._counts) > MAX_KEYS:
                del self._counts[next(iter(self._counts))]
            return Window(self._ends, self._ends - now, counts)

    def subtract(self, window: Window) -> None:
        """Take an increment back."""
        with self._lock:
            if window.ends != self._ends:
                return
            for key in window.counts:
                count = self._counts.pop(key, 0) - 1
                if count > 0:
                    self._counts[key] = count


@dataclass(frozen=True, slots=True)
class Counted:
    """An increment, and the store that has it."""

    window: Window
    store: CounterStore

    def take_back(self) -> None:
        """Count it no longer; while Redis is unavailable it stays until its window ends."""
        try:
            self.store.subtract(self.window)
        except RedisError as error:
            log.warning("login_failure_kept", error=str(error))


class Counters:
    """Counters in Redis, or else in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._process = ProcessCounters(clock)
        self._retry_at = 0.0

    def add(self, keys: Sequence[str], *, seconds: int) -> Counted:
        """Increment counters; if there is no window, one of that length begins."""
        if self._clock() >= self._retry_at:
            try:
                redis = _redis(settings.LOGIN_COUNTERS_URL)
                counted = Counted(redis.add(keys, seconds=seconds), redis)
            except RedisError as error:
                self._retry_at = self._clock() + RETRY_SECONDS
                log.warning("logins_counted_in_process", error=str(error), seconds=RETRY_SECONDS)
            else:
                metrics.LOGINS_COUNTED.labels("redis").inc()
                return counted
        metrics.LOGINS_COUNTED.labels("process").inc()
        return Counted(self._process.add(keys, seconds=seconds), self._process)


@cache
def _redis(url: str) -> RedisCounters:
    return RedisCounters(url)


counters = Counters()
"""The counters of this process."""
