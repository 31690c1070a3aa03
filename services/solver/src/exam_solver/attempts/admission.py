"""What may be done at a sitting now. Pure: what is known and the time are arguments, and a refusal is a value.

The order matters. A cancelled sitting takes nothing; a closing one takes nothing however much time its window seems to
leave; a pause stops everybody's clock; only then the personal deadline counts.
"""

from dataclasses import dataclass
from typing import Final

from exam_core.deadlines import Deadline, check_start, paused_problem, personal_deadline
from exam_core.instants import SECOND, rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting, State

STALE: Final = 2 * SECOND
"""With knowledge older than this nobody is told that they are late: they may have been granted time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an attempt may be answered at some moment, and the deadline that was judged by."""

    deadline: Deadline
    refusal: Problem | None = None

    @property
    def late(self) -> bool:
        """Whether what came was too late for certain."""
        return self.refusal is not None and self.refusal.kind is ProblemKind.LATE

    @property
    def deadline_at(self) -> int:
        """The deadline that an answer is stamped with; a late one at a paused sitting has no better than the close."""
        return self.deadline.closes_at if self.deadline.at is None else self.deadline.at


def deadline_of(sitting: ScheduledSitting, *, student: int, started_at: int) -> Deadline:
    """A student's deadline as the sitting is known now."""
    return personal_deadline(
        sitting.window, started_at=started_at, extra=max(0, sitting.accommodations.get(student, 0))
    )


def judge(sitting: ScheduledSitting, *, student: int, started_at: int, now: int, lease_age: int) -> Verdict:
    """Whether an attempt may be answered.

    Args:
        sitting: as known with the lease.
        student: whose attempt it is.
        started_at: when it began.
        now: the platform's time of the admission.
        lease_age: how old the knowledge of the sitting is.

    Raises:
        Problem: CANCELLED.
    """
    check_not_cancelled(sitting)
    deadline = deadline_of(sitting, student=student, started_at=started_at)
    if sitting.state is not State.SCHEDULED:
        return Verdict(deadline, _late(deadline, now))
    if deadline.at is None:
        return Verdict(deadline, paused_problem())
    if now <= deadline.at:
        return Verdict(deadline)
    return Verdict(
        deadline,
        _stale(f"the deadline known here was {rfc3339(deadline.at)}") if lease_age > STALE else _late(deadline, now),
    )


def judge_start(sitting: ScheduledSitting, *, level: str | None, now: int, lease_age: int) -> None:
    """Whether an attempt may start now.

    Args:
        sitting: as known with the lease.
        level: the student's.
        now: the platform's time of the admission.
        lease_age: how old the knowledge of the sitting is.

    Raises:
        Problem: CANCELLED, STARTS_OVER, WRONG_LEVEL, NOT_OPEN_YET, PAUSED, or UNAVAILABLE when it seems over to
            knowledge that is too old to say so.
    """
    check_not_over(sitting)
    if level != sitting.level:
        raise Problem(ProblemKind.WRONG_LEVEL, f"the sitting is for level {sitting.level}, the student's is {level}")
    try:
        check_start(sitting.window, now=now)
    except Problem as problem:
        if problem.kind is ProblemKind.STARTS_OVER and lease_age > STALE:
            raise _stale(problem.detail) from problem
        raise


def check_not_over(sitting: ScheduledSitting) -> None:
    """Refuse to start or resume where nothing can be answered any more.

    Raises:
        Problem: CANCELLED, STARTS_OVER.
    """
    check_not_cancelled(sitting)
    if sitting.state is not State.SCHEDULED:
        raise Problem(ProblemKind.STARTS_OVER, "the sitting is over: it is being closed or was sealed")


def check_not_cancelled(sitting: ScheduledSitting) -> None:
    """Refuse everything at a cancelled sitting.

    Raises:
        Problem: CANCELLED.
    """
    if sitting.state is State.CANCELLED:
        raise Problem(ProblemKind.CANCELLED, "the sitting was cancelled; nothing in it counts")


def _late(deadline: Deadline, now: int) -> Problem:
    until = "the sitting is over" if deadline.at is None else f"the deadline was {rfc3339(deadline.at)}"
    return Problem(
        ProblemKind.LATE,
        f"{until}; it is {rfc3339(now)}",
        received_at=rfc3339(now),
        deadline=deadline.to_json(),
    )


def _stale(known: str) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE,
        f"{known}, but more time may have been granted since this solver last heard; send it again",
        retry_after=1,
    )
