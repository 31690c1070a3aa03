"""The phase of a sitting."""

from exam_core.schedule import State
from exam_operator.decide.plan import next_revision
from exam_operator.model.exam import DesiredState, Exam
from exam_operator.model.observed import ObservedState, Sitting
from exam_operator.model.status import Phase


def phase_of(exam: Exam, observed: ObservedState, now: int) -> Phase:
    """The phase by PostgreSQL's state and the platform's time (µs)."""
    sitting = observed.sitting
    if sitting is None:
        return Phase.CANCELLED if exam.spec.desired_state is DesiredState.CANCELLED else Phase.PENDING
    if sitting.state is State.CANCELLED:
        return Phase.CANCELLED
    if sitting.state is State.SCHEDULED:
        return _phase_by_clock(exam, sitting, now)
    if sitting.state is State.CLOSING and not sitting.drained:
        return Phase.CLOSING
    if next_revision(exam, sitting) is not None:
        return Phase.GRADING
    return Phase.PUBLISHED if sitting.published_revision >= exam.spec.grading.revision else Phase.GRADED


def _phase_by_clock(exam: Exam, sitting: Sitting, now: int) -> Phase:
    if sitting.ends_at is not None and now > sitting.ends_at:
        return Phase.CLOSING
    if sitting.has_opened(now):
        return Phase.PAUSED if sitting.paused else Phase.OPEN
    warm = now >= sitting.window.opens_at - exam.spec.solver.prewarm
    return Phase.WARMING if warm else Phase.SCHEDULED
