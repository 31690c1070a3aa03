"""Runs a coordinator repeatedly until the revision is done, and retries while a store is unavailable."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from exam_grader.coordination.coordinator import Coordinator
from exam_grader.coordination.port import OnReport, Phase, Report
from exam_grader.errors import RETRYABLE_ERRORS, StopRequestedError

POLL_SECONDS = 0.25
RETRY_SECONDS = 1.0


class Lock(Protocol):
    """The lock that one of several coordinators of a sitting holds."""

    def acquire(self) -> bool:
        """Acquire the lock without blocking; returns whether it is held."""


class TimedOutError(Exception):
    """The timeout passed; the message has the last report. The command is resumable."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How to wait between two attempts.

    Attributes:
        clock: a monotonic clock in seconds.
        wait: waits for so many seconds; returns True if the process was asked to stop.
        timeout: after how many seconds to raise TimedOutError.
    """

    clock: Callable[[], float]
    wait: Callable[[float], bool]
    timeout: float


def run_to_completion(coordinator: Coordinator, lock: Lock, *, on_report: OnReport, retry: RetryPolicy) -> Report:
    """Coordinate until the revision is graded and, if automatic, published.

    An unavailable store is reported and retried; every step is idempotent, so retrying is safe.

    Raises:
        Problem: the sitting cannot be graded in its state.
        SealDamagedError: a seal differs from its record.
        TimedOutError: the timeout passed.
        StopRequestedError: the process was asked to stop.
    """
    deadline = retry.clock() + retry.timeout
    while True:
        report, delay = _attempt(coordinator, lock)
        on_report(report)
        if report.phase is Phase.DONE:
            return report
        if retry.clock() + delay > deadline:
            raise TimedOutError(f"timed out after {retry.timeout:g} s: {report.text}")
        if retry.wait(delay):
            raise StopRequestedError("stop requested")


def _attempt(coordinator: Coordinator, lock: Lock) -> tuple[Report, float]:
    """Call the coordinator once; returns its report and the delay before the next call."""
    try:
        return (coordinator.advance() if lock.acquire() else coordinator.watch()), POLL_SECONDS
    except RETRYABLE_ERRORS as error:
        return Report(phase=Phase.UNAVAILABLE, text=f"a store is unavailable: {error}"), RETRY_SECONDS
