"""SIGKILL to a solver in the middle of a sitting, and how its answers are told from the others'."""

import asyncio
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from exam_harness.scenarios.sitting.store_readers import Postgres

_LIVE = 3_000_000
"""A holder that renewed this recently (µs) was alive: solvers renew every second."""
_LOOK_EVERY = 0.2


class Solver(Protocol):
    """What is needed of a solver process of the stack."""

    def kill(self) -> None:
        """End it as a crash would."""

    def start(self) -> None:
        """Start it."""

    def await_ready(self) -> None:
        """Wait until it serves."""


@dataclass(frozen=True, slots=True)
class Killed:
    """A solver that was killed: the lease holder it was, and when it died and was back (µs)."""

    holder: UUID
    killed_at: int
    back_at: int


async def kill_and_restart(solver: Solver, postgres: Postgres) -> Killed:
    """Kill a solver, learn from the leases which holder it was, and start it again."""
    before, now = await asyncio.to_thread(_leases, postgres)
    live = [holder for holder, renewed_at in before.items() if renewed_at > now - _LIVE]
    solver.kill()
    killed_at = await asyncio.to_thread(postgres.now)
    holder = await _the_silent_one(postgres, live, killed_at)
    # Started from this very thread: the stack's children end with the thread that started them.
    solver.start()
    await asyncio.to_thread(solver.await_ready)
    return Killed(holder, killed_at, await asyncio.to_thread(postgres.now))


async def _the_silent_one(postgres: Postgres, live: list[UUID], killed_at: int) -> UUID:
    """The one holder that does not renew any more, once all the others have."""
    async with asyncio.timeout(15):
        while True:
            leases, _ = await asyncio.to_thread(_leases, postgres)
            silent = [holder for holder in live if leases.get(holder, 0) <= killed_at]
            if len(silent) == 1:
                return silent[0]
            await asyncio.sleep(_LOOK_EVERY)


def _leases(postgres: Postgres) -> tuple[dict[UUID, int], int]:
    return postgres.leases(), postgres.now()
