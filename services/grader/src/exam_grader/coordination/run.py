"""Seeing a sitting through: a coordinator called again and again until all is done, whatever is away meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from exam_grader.coordination.coordinator import Coordinator, Phase, Report, Tell
from exam_grader.errors import RETRYABLE_ERRORS, HaltedError

POLL_SECONDS = 0.25
TROUBLE_SECONDS = 1.0


class Lock(Protocol):
    """The courtesy among coordinators."""

    def take(self) -> bool:
        """Whether the sitting is ours to coordinate now."""


class TimedOutError(Exception):
    """Time ran out; the last report says what was waited for. Running again goes on from there."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How waiting is done.

    Attributes:
        clock: a clock that only goes forward, in seconds.
        wait: waits so many seconds; True when the process was told to stop.
        timeout: after how many seconds to give up.
    """

    clock: Callable[[], float]
    wait: Callable[[float], bool]
    timeout: float


def run_to_completion(coordinator: Coordinator, lock: Lock, *, tell: Tell, patience: RetryPolicy) -> Report:
    """Coordinate until the revision is graded (and, if automatic, published).

    A store that is away is reported and waited for: every step can be repeated, so nothing is hidden by trying again.

    Raises:
        Problem: the sitting cannot be graded as things are.
        SealDamagedError: a seal is not what was sealed.
        TimedOutError: time ran out.
        HaltedError: the process was told to stop.
    """
    give_up_at = patience.clock() + patience.timeout
    while True:
        report, pause = _turn(coordinator, lock)
        tell(report)
        if report.phase is Phase.DONE:
            return report
        if patience.clock() + pause > give_up_at:
            raise TimedOutError(f"not done after {patience.timeout:g} s: {report.text}")
        if patience.wait(pause):
            raise HaltedError("told to stop")


def _turn(coordinator: Coordinator, lock: Lock) -> tuple[Report, float]:
    """One call, and how long to wait before the next."""
    try:
        return (coordinator.advance() if lock.take() else coordinator.watch()), POLL_SECONDS
    except RETRYABLE_ERRORS as error:
        return Report(phase=Phase.AWAY, text=f"a store is away: {error}"), TROUBLE_SECONDS
