"""Exams that nothing is expected of any more: full lists leave them out, and they are read at long intervals."""

from exam_core.instants import HOUR, MINUTE
from exam_operator.model.exam import Exam
from exam_operator.model.status import Phase

PUBLICATION_EXPECTED = HOUR
"""How long after grading the degrees are likely to be published by hand."""
UNPUBLISHED_POLL = 5 * MINUTE
"""Interval at which a later publication by hand is looked for."""
SETTLED_POLL = HOUR


def is_settled(exam: Exam, now: int) -> bool:
    """Whether, by its status, an Exam stays as it is until it is edited."""
    status = exam.status
    degraded = status.conditions_by_type.get("Degraded")
    if exam.deleting or status.observed_generation != exam.generation or degraded is None or degraded.status == "True":
        return False
    if status.phase is Phase.GRADED:
        graded_at = None if status.grading is None else status.grading.finished_at
        return graded_at is not None and now > graded_at + PUBLICATION_EXPECTED
    return status.phase in {Phase.PUBLISHED, Phase.CANCELLED}


def idle_poll(exam: Exam) -> int:
    """How long to wait before an Exam is reconciled again that no action and no moment is planned for, in µs."""
    return UNPUBLISHED_POLL if exam.status.phase is Phase.GRADED else SETTLED_POLL
