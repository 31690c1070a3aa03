"""Killing a solver: which lease holder it was is learned from who stops renewing."""

from uuid import UUID

import pytest

from exam_harness.faults.solver_crash import kill_and_restart
from exam_harness.scenarios.sitting.store_readers import Postgres

FIRST, SECOND, OLD = (UUID(int=number) for number in (1, 2, 3))


class Stores(Postgres):
    """Leases in memory: the first holder renews until it is killed, the second always, a third died long ago."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.time = 100_000_000
        self.killed_at: int | None = None
        self.log: list[str] = []

    def now(self) -> int:
        """Time passes with every look."""
        self.time += 400_000
        return self.time

    def leases(self) -> dict[UUID, int]:
        """Everyone alive renewed half a second ago at most."""
        now = self.now()
        alive = now - 500_000
        return {FIRST: alive if self.killed_at is None else self.killed_at - 1, SECOND: alive, OLD: 1_000_000}

    def kill(self) -> None:
        """The solver's side: dies."""
        self.killed_at = self.time
        self.log.append("kill")

    def start(self) -> None:
        """Starts again."""
        self.log.append("start")

    def await_ready(self) -> None:
        """Serves again."""
        self.log.append("ready")


@pytest.mark.timeout(20)
async def test_the_killed_holder_is_the_one_that_falls_silent() -> None:
    """Of all solvers alive before, the one that never renews again is the one that was killed; then it is started."""
    world = Stores()
    killed = await kill_and_restart(world, world)
    assert killed.holder == FIRST
    assert world.log == ["kill", "start", "ready"]
    assert killed.killed_at < killed.back_at
