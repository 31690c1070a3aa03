"""Decide what an attempt may do at a sitting now. Pure: the sitting and the time are arguments, a refusal is a value.

The order of the checks matters. A cancelled sitting accepts nothing; a closing one accepts nothing, even within its
window; a pause stops the clock of every student; only then does the personal deadline count.
"""

from dataclasses import dataclass

from exam_core.deadlines import Deadline, check_start, paused_problem, personal_deadline
from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting, State
from exam_core.windows import Window


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an attempt may be answered at some moment, and the deadline that the decision is based on."""

    deadline: Deadline
    refusal: Problem | None = None

    @property
    def late(self) -> bool:
        """Whether the answer is certainly past its deadline."""
        return self.refusal is not None and self.refusal.kind is ProblemKind.LATE

    @property
    def deadline_at(self) -> int:
        """The deadline that an answer is stamped with; while a pause lasts it is the end of the window."""
        return self.deadline.closes_at if self.deadline.at is None else self.deadline.at


def deadline_of(sitting: ScheduledSitting, *, student: int, started_at: int) -> Deadline:
    """A student's deadline by the sitting's current schedule."""
    return personal_deadline(
        sitting.window, started_at=started_at, extra=max(0, sitting.accommodations.get(student, 0))
    )


def decide(
    sitting: ScheduledSitting, *, student: int, started_at: int, now: int, as_of: int, lease_ttl: int
) -> Decision:
    """Decide whether an attempt may be answered.

    An answer is rejected as late only by a schedule that was read at or after its deadline: in an older one, time that
    was granted before the deadline may be missing. After a stop it is not rejected as late while another solver may not
    know of the stop: that one could accept the same answer.

    Args:
        sitting: the sitting as of the lease's last renewal.
        student: the attempt's student.
        started_at: when the attempt began.
        now: the platform's time of the admission.
        as_of: the platform's time at which `sitting` was read.
        lease_ttl: for how long after a stop a solver may not know of it (µs).

    Raises:
        Problem: CANCELLED.
    """
    check_not_cancelled(sitting)
    deadline = deadline_of(sitting, student=student, started_at=started_at)
    stopped_at = sitting.window.stopped_at
    if sitting.state is State.CLOSING and stopped_at is not None and as_of < stopped_at + lease_ttl:
        return Decision(deadline, _closing(stopped_at))
    if sitting.state is not State.SCHEDULED:
        return Decision(deadline, _late(deadline, now))
    if deadline.at is None:
        return Decision(deadline, paused_problem())
    if now <= deadline.at:
        return Decision(deadline)
    return Decision(
        deadline,
        _late(deadline, now) if as_of >= deadline.at else _stale(f"the last known deadline was {rfc3339(deadline.at)}"),
    )


def check_may_start(sitting: ScheduledSitting, *, level: str | None, now: int, as_of: int) -> None:
    """Check that an attempt may start now.

    Args:
        sitting: the sitting as of the lease's last renewal.
        level: the student's level.
        now: the platform's time of the admission.
        as_of: the platform's time at which `sitting` was read.

    Raises:
        Problem: CANCELLED, STARTS_OVER, WRONG_LEVEL, NOT_OPEN_YET, PAUSED; UNAVAILABLE instead of STARTS_OVER when
            `sitting` was read before it closed, because it may have been extended since.
    """
    check_not_over(sitting)
    if level != sitting.level:
        raise Problem(ProblemKind.WRONG_LEVEL, f"the sitting is for level {sitting.level}, the student's is {level}")
    try:
        check_start(sitting.window, now=now)
    except Problem as problem:
        if problem.kind is ProblemKind.STARTS_OVER and not _starts_over(sitting.window, now=as_of):
            raise _stale(problem.detail) from problem
        raise


def check_not_over(sitting: ScheduledSitting) -> None:
    """Check that the sitting can still be answered, before an attempt is started or resumed.

    Raises:
        Problem: CANCELLED, STARTS_OVER.
    """
    check_not_cancelled(sitting)
    if sitting.state is not State.SCHEDULED:
        raise Problem(ProblemKind.STARTS_OVER, "the sitting is over: it is being closed or was sealed")


def check_not_cancelled(sitting: ScheduledSitting) -> None:
    """Check that the sitting was not cancelled.

    Raises:
        Problem: CANCELLED.
    """
    if sitting.state is State.CANCELLED:
        raise Problem(ProblemKind.CANCELLED, "the sitting was cancelled; nothing in it counts")


def _starts_over(window: Window, *, now: int) -> bool:
    try:
        check_start(window, now=now)
    except Problem as problem:
        return problem.kind is ProblemKind.STARTS_OVER
    return False


def _late(deadline: Deadline, now: int) -> Problem:
    until = "the sitting is over" if deadline.at is None else f"the deadline was {rfc3339(deadline.at)}"
    return Problem(
        ProblemKind.LATE,
        f"{until}; it is {rfc3339(now)}",
        received_at=rfc3339(now),
        deadline=deadline.to_json(),
    )


def _stale(detail: str) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE,
        f"{detail}, but this solver's schedule is out of date and more time may have been granted; try again",
        retry_after=1,
    )


def _closing(stopped_at: int) -> Problem:
    return Problem(
        ProblemKind.UNAVAILABLE,
        f"the sitting was stopped at {rfc3339(stopped_at)} and is being closed: whether an answer counts is certain in"
        " a moment; try again",
        retry_after=1,
    )
