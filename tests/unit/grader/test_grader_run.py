"""Running a coordinator to completion: unavailable stores are retried, and every wait ends."""

from dataclasses import dataclass, field

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_grader.coordination.port import Phase, Report
from exam_grader.coordination.run import POLL_SECONDS, RetryPolicy, TimedOutError, run_to_completion
from exam_grader.errors import SealDamagedError, StopRequestedError

DRAINING = Report(phase=Phase.DRAINING, text="algebra: waiting for solver 1")
DONE = Report(phase=Phase.DONE, text="algebra: done")
WATCHING = Report(phase=Phase.WAITING, text="algebra: another coordinator holds the lock")


@dataclass
class ScriptedCoordinator:
    """A coordinator with a fixed outcome for each call."""

    outcomes: list[Report | Exception]
    watched: int = 0

    def advance(self) -> Report:
        """The next outcome."""
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def watch(self) -> Report:
        """Always the same report."""
        self.watched += 1
        return WATCHING


@dataclass
class FakeLock:
    """A lock that another coordinator holds for some calls."""

    held_elsewhere: int = 0

    def acquire(self) -> bool:
        """False for the first `held_elsewhere` calls."""
        self.held_elsewhere -= 1
        return self.held_elsewhere < 0


@dataclass
class FakeClock:
    """Time that passes only in `wait`."""

    now: float = 0.0
    stopped_at: float = float("inf")
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        """Let time pass."""
        self.waits.append(seconds)
        self.now += seconds
        return self.now >= self.stopped_at

    def retry(self, timeout: float = 60.0) -> RetryPolicy:
        """A retry policy on this clock."""
        return RetryPolicy(clock=lambda: self.now, wait=self.wait, timeout=timeout)


def run(
    coordinator: ScriptedCoordinator, clock: FakeClock, *, lock: FakeLock | None = None, timeout: float = 60.0
) -> tuple[Report, list[Report]]:
    """The last report, and all reports."""
    reports: list[Report] = []
    end = run_to_completion(
        coordinator,  # type: ignore[arg-type]
        lock or FakeLock(),
        on_report=reports.append,
        retry=clock.retry(timeout),
    )
    return end, reports


def test_it_polls_four_times_a_second_until_the_revision_is_done() -> None:
    """I see what is awaited, and the end soon after it comes."""
    clock = FakeClock()
    assert run(ScriptedCoordinator([DRAINING, DRAINING, DONE]), clock) == (DONE, [DRAINING, DRAINING, DONE])
    assert clock.waits == [POLL_SECONDS, POLL_SECONDS]


def test_an_unavailable_store_is_reported_and_retried() -> None:
    """An outage does not end the grading, and I see which store is unavailable."""
    end, reports = run(ScriptedCoordinator([AnswerLogUnavailableError("no Cassandra node answers"), DONE]), FakeClock())
    assert end == DONE
    assert reports[0].text == "a store is unavailable: no Cassandra node answers"


def test_errors_that_are_not_outages_are_not_retried() -> None:
    """A damaged seal ends the grading at once."""
    damage = SealDamagedError(None, 3, "other bytes")  # type: ignore[arg-type]
    with pytest.raises(SealDamagedError):
        run(ScriptedCoordinator([damage, DONE]), FakeClock())


def test_a_timeout_names_what_was_awaited() -> None:
    """If it takes too long, I learn what it was waiting for."""
    with pytest.raises(TimedOutError, match=r"timed out after 1 s: algebra: waiting for solver 1"):
        run(ScriptedCoordinator([DRAINING] * 100), FakeClock(), timeout=1.0)


def test_a_stop_request_ends_the_wait() -> None:
    """A signal ends the command without waiting for the timeout."""
    with pytest.raises(StopRequestedError):
        run(ScriptedCoordinator([DRAINING] * 100), FakeClock(stopped_at=1.0))


def test_it_watches_while_another_coordinator_holds_the_lock() -> None:
    """A second coordinator watches, and takes over when the first one is gone."""
    coordinator = ScriptedCoordinator([DONE])
    end, reports = run(coordinator, FakeClock(), lock=FakeLock(held_elsewhere=3))
    assert (end, coordinator.watched) == (DONE, 3)
    assert reports == [WATCHING, WATCHING, WATCHING, DONE]
