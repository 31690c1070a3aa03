"""Liveness of a main loop: when it last ran, and whether it is expected to run."""

import time
from dataclasses import dataclass, field

from exam_grader.health.checks import CheckFailedError

STALL_SECONDS = 60.0


@dataclass
class LoopMonitor:
    """Records the iterations of a main loop.

    While a worker reconnects to its broker the loop stands still on purpose: a restart would not help.

    Attributes:
        expected: whether the loop should run.
        last_iteration: when it last ran.
    """

    expected: bool = False
    last_iteration: float = field(default_factory=time.monotonic)

    def record_iteration(self) -> None:
        """Record that the loop ran."""
        self.last_iteration = time.monotonic()

    def check(self) -> None:
        """Raise CheckFailedError if the loop is expected to run and has stalled."""
        idle = time.monotonic() - self.last_iteration
        if self.expected and idle > STALL_SECONDS:
            raise CheckFailedError(f"the main loop has not run for {idle:.0f} s")
