"""Crash a solver (SIGKILL) in the middle of a sitting, and find out which lease it held."""

import asyncio
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

_LIVE = 3_000_000
"""A holder that renewed its lease this recently (µs) is alive: solvers renew every second."""
_POLL_SECONDS = 0.2


class Solver(Protocol):
    """A solver process that can be killed and started again."""

    def kill(self) -> None:
        """Kill it (SIGKILL)."""

    def start(self) -> None:
        """Start it; returns before it is ready."""

    def await_ready(self) -> None:
        """Wait until it is ready."""


class LeaseReader(Protocol):
    """Reads leases and the clock of PostgreSQL."""

    def leases(self) -> dict[UUID, int]:
        """Return when each lease holder last renewed (µs)."""

    def now(self) -> int:
        """Return the platform's time (µs)."""


@dataclass(frozen=True, slots=True)
class Killed:
    """A solver that was killed: its lease holder id, and when it died and was ready again (µs)."""

    holder: UUID
    killed_at: int
    back_at: int


async def kill_and_restart(solver: Solver, reader: LeaseReader) -> Killed:
    """Kill a solver, identify its lease holder by the missing renewals, and start the solver again."""
    before, now = await asyncio.to_thread(_leases, reader)
    live = [holder for holder, renewed_at in before.items() if renewed_at > now - _LIVE]
    solver.kill()
    killed_at = await asyncio.to_thread(reader.now)
    holder = await _silent_holder(reader, live, killed_at)
    # Start it from this thread: the stack's children end with the thread that started them.
    solver.start()
    await asyncio.to_thread(solver.await_ready)
    return Killed(holder, killed_at, await asyncio.to_thread(reader.now))


async def _silent_holder(reader: LeaseReader, live: list[UUID], killed_at: int) -> UUID:
    """Return the one holder that has not renewed since the kill, once all others have."""
    async with asyncio.timeout(15):
        while True:
            leases, _ = await asyncio.to_thread(_leases, reader)
            silent = [holder for holder in live if leases.get(holder, 0) <= killed_at]
            if len(silent) == 1:
                return silent[0]
            await asyncio.sleep(_POLL_SECONDS)


def _leases(reader: LeaseReader) -> tuple[dict[UUID, int], int]:
    return reader.leases(), reader.now()
