"""Killing a solver: its lease holder id is found by the missing renewals."""

from uuid import UUID

import pytest

from exam_harness.faults.solver_crash import kill_and_restart

FIRST, SECOND, OLD = (UUID(int=number) for number in (1, 2, 3))


class SolverAndLeases:
    """A solver and leases in memory: the first holder renews until it is killed, the second always, a third expired."""

    def __init__(self) -> None:
        self.time = 100_000_000
        self.killed_at: int | None = None
        self.log: list[str] = []

    def now(self) -> int:
        """Advances with every call."""
        self.time += 400_000
        return self.time

    def leases(self) -> dict[UUID, int]:
        """Every live holder renewed half a second ago at most."""
        live = self.now() - 500_000
        return {FIRST: live if self.killed_at is None else self.killed_at - 1, SECOND: live, OLD: 1_000_000}

    def kill(self) -> None:
        """Stop renewing."""
        self.killed_at = self.time
        self.log.append("kill")

    def start(self) -> None:
        """Record the start."""
        self.log.append("start")

    def await_ready(self) -> None:
        """Record the readiness check."""
        self.log.append("ready")


@pytest.mark.timeout(20)
async def test_the_killed_holder_is_the_one_that_stops_renewing() -> None:
    """Of all live solvers, the one that never renews again is the one that was killed; then it is restarted."""
    fake = SolverAndLeases()
    killed = await kill_and_restart(fake, fake)
    assert killed.holder == FIRST
    assert fake.log == ["kill", "start", "ready"]
    assert killed.killed_at < killed.back_at
