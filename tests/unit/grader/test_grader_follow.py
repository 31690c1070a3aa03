"""Seeing a sitting through: patient with stores that are away, never silent, never endless."""

from dataclasses import dataclass, field

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_grader.coordination.coordinator import Phase, Report
from exam_grader.coordination.run import POLL_SECONDS, RetryPolicy, TimedOutError, run_to_completion
from exam_grader.errors import HaltedError, SealDamagedError

DRAINING = Report(phase=Phase.DRAINING, text="algebra: waiting for solver 1")
DONE = Report(phase=Phase.DONE, text="algebra: done")
BESIDE = Report(phase=Phase.WAITING, text="algebra: another coordinator is at work on it")


@dataclass
class Scripted:
    """A coordinator that says what it is told to, one thing a call."""

    says: list[Report | Exception]
    watched: int = 0

    def advance(self) -> Report:
        """The next thing it is to say."""
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    def watch(self) -> Report:
        """Always the same."""
        self.watched += 1
        return BESIDE


@dataclass
class Turnstile:
    """A lock that is somebody else's for so many calls."""

    taken: int = 0

    def take(self) -> bool:
        """No, for so many calls."""
        self.taken -= 1
        return self.taken < 0


@dataclass
class Time:
    """Time that passes only while it is waited for."""

    now: float = 0.0
    halted_at: float = float("inf")
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        """Let time pass."""
        self.waits.append(seconds)
        self.now += seconds
        return self.now >= self.halted_at

    def patience(self, timeout: float = 60.0) -> RetryPolicy:
        """RetryPolicy in this time."""
        return RetryPolicy(clock=lambda: self.now, wait=self.wait, timeout=timeout)


def follow(
    coordinator: Scripted, time: Time, *, lock: Turnstile | None = None, timeout: float = 60.0
) -> tuple[Report, list[Report]]:
    """The end and everything that was told."""
    told: list[Report] = []
    end = run_to_completion(coordinator, lock or Turnstile(), tell=told.append, patience=time.patience(timeout))  # type: ignore[arg-type]
    return end, told


def test_it_asks_again_four_times_a_second_until_all_is_done() -> None:
    """I see what is waited for, and the end as soon as it is there."""
    time = Time()
    assert follow(Scripted([DRAINING, DRAINING, DONE]), time) == (DONE, [DRAINING, DRAINING, DONE])
    assert time.waits == [POLL_SECONDS, POLL_SECONDS]


def test_a_store_that_is_away_is_named_and_waited_for() -> None:
    """An outage does not end the grading, and I am told which store is away."""
    end, told = follow(Scripted([AnswerLogUnavailableError("no Cassandra node answers"), DONE]), Time())
    assert end == DONE
    assert told[0].text == "a store is away: no Cassandra node answers"


def test_a_fault_that_is_no_outage_is_not_waited_out() -> None:
    """What waiting cannot mend ends the grading at once."""
    damage = SealDamagedError(None, 3, "its bytes are others")  # type: ignore[arg-type]
    with pytest.raises(SealDamagedError):
        follow(Scripted([damage, DONE]), Time())


def test_when_time_runs_out_it_says_what_was_waited_for() -> None:
    """If it takes too long I learn what it was waiting for."""
    with pytest.raises(TimedOutError, match=r"not done after 1 s: algebra: waiting for solver 1"):
        follow(Scripted([DRAINING] * 100), Time(), timeout=1.0)


def test_told_to_stop_it_stops() -> None:
    """A signal ends the waiting."""
    with pytest.raises(HaltedError):
        follow(Scripted([DRAINING] * 100), Time(halted_at=1.0))


def test_while_another_coordinator_holds_the_sitting_it_watches() -> None:
    """The second coordinator watches, and takes over when the first is gone."""
    coordinator = Scripted([DONE])
    end, told = follow(coordinator, Time(), lock=Turnstile(taken=3))
    assert (end, coordinator.watched) == (DONE, 3)
    assert told == [BESIDE, BESIDE, BESIDE, DONE]
