"""Uvicorn with a graceful shutdown: unready first, then requests finish, the lease is released, the exit code is 0."""

import signal
import time
from types import FrameType

import uvicorn

from exam_solver.health import Lifecycle


class Server(uvicorn.Server):
    """Serves for `drain` more seconds after the first signal, and exits with code 0.

    uvicorn's own server stops at once, and raises the signal again at the end, so that a graceful exit would look like
    a kill. A second signal ends the draining; a third, if it is SIGINT, forces the exit.
    """

    def __init__(self, config: uvicorn.Config, *, lifecycle: Lifecycle, drain: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._drain = drain
        self._drained_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Record the signal; the next tick acts on it."""
        if not self._lifecycle.draining:
            self._lifecycle.draining = True
            self._drained_at = time.monotonic() + self._drain
        elif self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self._drained_at = 0.0

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop."""
        if time.monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)
