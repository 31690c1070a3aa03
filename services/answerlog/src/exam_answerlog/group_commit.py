"""Group commit: many small appends become few larger writes, and nobody waits for a timer.

An append whose lane is idle is written at once. What arrives in a lane while a write of it is under way is gathered
into the next write, so that batches grow exactly as the store slows down.
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
"""Larger batches hardly write faster, but make everyone in them wait for the slowest."""


@dataclass(slots=True, eq=False)
class _Entry(Generic[RowT]):
    """Rows that go into one write together, and the outcome that their waiter is told."""

    rows: Sequence[RowT]
    outcome: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Lane(Generic[RowT]):
    """What is being written, and what waits for that to end."""

    writing: list[_Entry[RowT]] = field(default_factory=list)
    waiting: deque[_Entry[RowT]] = field(default_factory=deque)


class GroupCommit(Generic[LaneT, RowT]):
    """Gathers appends by lane (here: a partition) and hands them to `write`, one write of a lane at a time.

    Every append is told the outcome of the writes that its own rows were in. An append that is cancelled before its
    rows were taken up is not written; later its rows are written all the same, and only nobody waits for it. Use it
    from one event loop at a time.
    """

    def __init__(self, write: Callable[[LaneT, Sequence[RowT]], Awaitable[None]], *, max_rows: int = MAX_ROWS) -> None:
        self._write = write
        self._max_rows = max_rows
        self._lanes: dict[LaneT, _Lane[RowT]] = {}
        self._writers: set[asyncio.Task[None]] = set()
        self._closed = False

    async def append(self, name: LaneT, rows: Sequence[RowT]) -> None:
        """Return when all rows are written; raise what a write raised when some of them may not be."""
        if self._closed:
            raise RuntimeError("this group commit is closed: it takes nothing more")
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
        """Take nothing more and return when everything taken is written or has failed."""
        self._closed = True
        if self._writers:
            await asyncio.wait(self._writers)

    async def _drain(self, name: LaneT, lane: _Lane[RowT]) -> None:
        while self._take(lane):
            await self._write_batch(name, lane)
        del self._lanes[name]  # in the same step as the last look at it, so that the next append opens a new one

    async def _write_batch(self, name: LaneT, lane: _Lane[RowT]) -> None:
        rows = [row for entry in lane.writing for row in entry.rows]
        try:
            await self._write(name, rows)
        except Exception as error:  # noqa: BLE001  # not ours to judge: every waiter of this batch raises it
            for entry in lane.writing:
                if not entry.outcome.done():
                    entry.outcome.set_exception(error)
        else:
            for entry in lane.writing:
                if not entry.outcome.done():
                    entry.outcome.set_result(None)

    def _take(self, lane: _Lane[RowT]) -> bool:
        """Take up as many waiting entries, in order, as fit one write; those whose waiter is gone are dropped."""
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
        """However a writer ended, also when its loop was torn down: no waiter stays without an outcome."""
        self._writers.discard(writer)
        if self._lanes.get(name) is lane:
            del self._lanes[name]
        for entry in (*lane.writing, *lane.waiting):
            entry.outcome.cancel()
