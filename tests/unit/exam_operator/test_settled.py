"""Which Exams full lists leave out."""

from dataclasses import replace
from typing import Any

import pytest

from exam_core.instants import HOUR, MINUTE
from exam_operator.decide.settled import idle_poll, is_settled
from exam_operator.model.exam import Exam
from exam_operator.model.status import Condition, ExamStatus, GradingStatus, Phase
from exam_operator.testing.world import EPOCH_2027, make_exam

HEALTHY = Condition(type="Degraded", status="False")


def exam_in(phase: Phase, *, degraded: Condition = HEALTHY, generation: int = 1, **changes: Any) -> Exam:
    """An Exam in a phase, graded at the epoch."""
    status = ExamStatus(
        phase=phase,
        observed_generation=generation,
        conditions=(degraded,),
        grading=GradingStatus(finished_at=EPOCH_2027),
    )
    return replace(make_exam(EPOCH_2027), status=status, **changes)


@pytest.mark.parametrize("phase", Phase)
def test_an_exam_is_settled_at_its_end(phase: Phase) -> None:
    """If my Exam is published or cancelled, it is not read with every list; in every other phase it is."""
    assert is_settled(exam_in(phase), EPOCH_2027) == (phase in {Phase.PUBLISHED, Phase.CANCELLED})


def test_an_exam_that_is_never_published_settles() -> None:
    """If I publish soon after grading, the Exam says so at once; if I do not publish, it is read less often."""
    graded = exam_in(Phase.GRADED)
    assert not is_settled(graded, EPOCH_2027 + HOUR)
    assert is_settled(graded, EPOCH_2027 + HOUR + 1)
    assert (idle_poll(graded), idle_poll(exam_in(Phase.PUBLISHED))) == (5 * MINUTE, HOUR)


@pytest.mark.parametrize(
    "exam",
    [
        exam_in(Phase.PUBLISHED, degraded=Condition(type="Degraded", status="True")),
        exam_in(Phase.PUBLISHED, generation=0),
        exam_in(Phase.PUBLISHED, deleting=True),
        replace(make_exam(EPOCH_2027), status=ExamStatus(phase=Phase.PUBLISHED, observed_generation=1)),
    ],
)
def test_an_exam_with_something_left_is_not_settled(exam: Exam) -> None:
    """If my Exam is degraded, was edited or is being deleted, it is read with every list."""
    assert not is_settled(exam, EPOCH_2027 + HOUR)
