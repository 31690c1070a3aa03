"""Group commit: combine many small appends into few larger writes, without a timer.

An append to an idle lane is written at once. Appends that arrive in a lane during a write are combined into the next
write, so that batches grow as the store slows down.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

LaneT = TypeVar("LaneT", bound=Hashable)
RowT = TypeVar("RowT")

MAX_ROWS = 64
"""Larger batches are hardly faster, but delay all their appends until the slowest row is written."""


@dataclass(slots=True, eq=False)
class _Entry(Generic[RowT]):
    """Rows that are written together, and the future of their waiter."""

    rows: Sequence[RowT]
    outcome: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Lane(Generic[RowT]):
    """The entries of the write in progress, and those queued behind it."""

    writing: list[_Entry[RowT]] = field(default_factory=list)
    waiting: deque[_Entry[RowT]] = field(default_factory=deque)


class GroupCommit(Generic[LaneT, RowT]):
    """Combines appends by lane (here: a partition) and calls `write` for one batch of a lane at a time.

    Every append receives the outcome of the writes that contain its own rows. An append that is cancelled before its
    rows are taken into a batch is not written; after that its rows are written without a waiter. Use it from one event
    loop at a time.
    """

    def __init__(self, write: Callable[[LaneT, Sequence[RowT]], Awaitable[None]], *, max_rows: int = MAX_ROWS) -> None:
        self._write = write
        self._max_rows = max_rows
        self._lanes: dict[LaneT, _Lane[RowT]] = {}
        self._writers: set[asyncio.Task[None]] = set()
        self._closed = False

    async def append(self, name: LaneT, rows: Sequence[RowT]) -> None:
        """Return when all rows are written; raise the error of a write that failed."""
        if self._closed:
            raise RuntimeError("this group commit is closed")
        loop = asyncio.get_running_loop()
        entries = [
            _Entry(rows[start : start + self._max_rows], loop.create_future())
            for start in range(0, len(rows), self._max_rows)
        ]
        if not entries:
            return
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane()
            writer = loop.create_task(self._drain(name, lane))
            self._writers.add(writer)
            writer.add_done_callback(partial(self._ended, name, lane))
        lane.waiting.extend(entries)
        await asyncio.gather(*(entry.outcome for entry in entries))

    async def close(self) -> None:
        """Reject further appends and return when all accepted ones are written or have failed."""
        self._closed = True
        if self._writers:
            await asyncio.wait(self._writers)

    async def _drain(self, name: LaneT, lane: _Lane[RowT]) -> None:
        while self._take(lane):
            await self._write_batch(name, lane)
        del self._lanes[name]  # without an await since the last check, so that the next append creates a new lane

    async def _write_batch(self, name: LaneT, lane: _Lane[RowT]) -> None:
        rows = [row for entry in lane.writing for row in entry.rows]
        try:
            await self._write(name, rows)
        except Exception as error:  # noqa: BLE001  # every waiter of this batch raises it
            for entry in lane.writing:
                if not entry.outcome.done():
                    entry.outcome.set_exception(error)
        else:
            for entry in lane.writing:
                if not entry.outcome.done():
                    entry.outcome.set_result(None)

    def _take(self, lane: _Lane[RowT]) -> bool:
        """Move as many queued entries, in order, as fit one write into it; drop those that were cancelled."""
        lane.writing = []
        size = 0
        while lane.waiting:
            entry = lane.waiting[0]
            if not entry.outcome.done():
                size += len(entry.rows)
                if size > self._max_rows:
                    break
                lane.writing.append(entry)
            lane.waiting.popleft()
        return bool(lane.writing)

    def _ended(self, name: LaneT, lane: _Lane[RowT], writer: asyncio.Task[None]) -> None:
        """Cancel the waiters that are left when a writer ends in any way, including shutdown of its loop."""
        self._writers.discard(writer)
        if self._lanes.get(name) is lane:
            del self._lanes[name]
        for entry in (*lane.writing, *lane.waiting):
            entry.outcome.cancel()
