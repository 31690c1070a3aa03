"""A delaying work queue: keys with the time at which they are due, each with one worker at a time.

A key that is being processed is not handed out again until it is done, which serves as the lock on its object; a key
that is added meanwhile is handed out afterwards.
"""

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from exam_core.instants import SECOND

MAX_WAIT_SECONDS = 1.0
"""The longest wait before the clock is read again, so that a clock that is set while all workers wait is noticed."""

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys by the time at which they are due.

    Args:
        clock: UTC time in µs.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._due: dict[K, int] = {}
        self._heap: list[tuple[int, int, K]] = []
        self._added = 0
        self._processing: set[K] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many keys are due and wait for a worker."""
        now = self._clock()
        return sum(at <= now and key not in self._processing for key, at in self._due.items())

    def add(self, key: K, at: int | None = None) -> None:
        """Make a key due at a time (default: now); an earlier time that it already has stays."""
        at = self._clock() if at is None else at
        if key in self._due and self._due[key] <= at:
            return
        self._due[key] = at
        self._push(key, at)

    async def get(self) -> K:
        """Wait for a key that is due and lock it until `done`."""
        while True:
            self._changed.clear()
            key, wait = self._next()
            if key is not None:
                return key
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """Unlock a key; it is due again if it was added meanwhile."""
        self._processing.discard(key)
        if key in self._due:
            self._push(key, self._due[key])

    def _push(self, key: K, at: int) -> None:
        self._added += 1
        heapq.heappush(self._heap, (at, self._added, key))
        self._changed.set()

    def _next(self) -> tuple[K | None, float]:
        """A key that is due, or how long to wait at most (s)."""
        now = self._clock()
        while self._heap:
            at, _, key = self._heap[0]
            if self._due.get(key) != at or key in self._processing:
                heapq.heappop(self._heap)  # superseded, or pushed again by `done`
            elif at > now:
                return None, min((at - now) / SECOND, MAX_WAIT_SECONDS)
            else:
                heapq.heappop(self._heap)
                del self._due[key]
                self._processing.add(key)
                return key, 0.0
        return None, MAX_WAIT_SECONDS
