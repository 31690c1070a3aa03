"""Work that is due at some time, a key at a time: the deadlines of all sittings, by UTC.

A key that is being worked at is not handed out again until that is over, which is the lock on an object; what came up
meanwhile makes it due anew.
"""

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from exam_core.instants import SECOND

LONGEST_NAP = 1.0
"""Seconds; a clock that is set while everybody sleeps is noticed within them."""

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys with the time at which they are due.

    Args:
        clock: UTC time in µs.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._due: dict[K, int] = {}
        self._heap: list[tuple[int, int, K]] = []
        self._added = 0
        self._working: set[K] = set()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many keys are due now and wait for a worker."""
        now = self._clock()
        return sum(at <= now and key not in self._working for key, at in self._due.items())

    def add(self, key: K, at: int | None = None) -> None:
        """Have a key handed out at a time (now, when none is given), or earlier if it is due earlier already."""
        at = self._clock() if at is None else at
        if key in self._due and self._due[key] <= at:
            return
        self._due[key] = at
        self._push(key, at)

    def forget(self, key: K) -> None:
        """Drop what is due for a key."""
        self._due.pop(key, None)

    async def take(self) -> K:
        """Wait for a key that is due, and have it: nobody else gets it before `done`."""
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
        """Give a key back; what was added meanwhile is due."""
        self._working.discard(key)
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
            if self._due.get(key) != at or key in self._working:
                heapq.heappop(self._heap)  # outdated, or pushed again by `done`
            elif at > now:
                return None, min((at - now) / SECOND, LONGEST_NAP)
            else:
                heapq.heappop(self._heap)
                del self._due[key]
                self._working.add(key)
                return key, 0.0
        return None, LONGEST_NAP
