"""The next step of a coordinator, derived from what PostgreSQL has recorded."""

from dataclasses import replace

import pytest

from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_grader.coordination.next_step import RevisionSnapshot, SittingSnapshot, Step, next_step

OPEN = SittingSnapshot(
    name="algebra", state=State.SCHEDULED, over=False, ends_at=1_800_000_000_000_000, revision=None, published=0
)
GRADING = RevisionSnapshot(graded=False, chunks=3, missing=(1, 2), idle_seconds=0.0)
FULL = replace(GRADING, missing=())
SEALED = replace(OPEN, state=State.SEALED)


def test_an_open_sitting_is_rejected_with_its_end_and_the_option_to_stop_it() -> None:
    """If I grade too early, I learn when the sitting ends and how to end it now."""
    with pytest.raises(Problem, match=r"not over before 2027-01-15T08:00:00.000000Z.*--stop") as rejection:
        next_step(OPEN)
    assert rejection.value.kind is ProblemKind.STATE_CONFLICT


def test_a_paused_sitting_is_rejected_as_paused() -> None:
    """A paused sitting has no end that I could wait for, so I am asked to resume it."""
    with pytest.raises(Problem, match="paused: resume it"):
        next_step(replace(OPEN, ends_at=None))


def test_a_cancelled_sitting_is_rejected() -> None:
    """A cancelled sitting has nothing to grade, with or without --stop."""
    with pytest.raises(Problem) as rejection:
        next_step(replace(OPEN, state=State.CANCELLED), stop=True)
    assert rejection.value.kind is ProblemKind.CANCELLED


def test_only_the_first_revision_is_opened_by_a_grader() -> None:
    """A message that names a second revision, forged or not, opens none: web alone opens it, for a person."""
    with pytest.raises(Problem, match=r"revision 2 of algebra is not open: .*web") as rejection:
        next_step(replace(SEALED, number=2))
    assert rejection.value.kind is ProblemKind.STATE_CONFLICT
    assert next_step(replace(SEALED, number=2, revision=GRADING)) is Step.GRADE


@pytest.mark.parametrize(
    ("snapshot", "stop", "step"),
    [
        (replace(OPEN, over=True), False, Step.CLOSE),
        (replace(OPEN, over=True), True, Step.CLOSE),
        (OPEN, True, Step.STOP),
        (replace(OPEN, state=State.CLOSING), False, Step.SEAL),
        (SEALED, False, Step.OPEN),
        (replace(SEALED, revision=GRADING), False, Step.GRADE),
        (replace(SEALED, revision=FULL), False, Step.COMPLETE),
        (replace(SEALED, revision=replace(FULL, graded=True, due_for_publication=True)), False, Step.PUBLISH),
        (replace(SEALED, revision=replace(FULL, graded=True)), False, Step.FINISH),
    ],
)
def test_each_state_has_exactly_one_next_step(snapshot: SittingSnapshot, *, stop: bool, step: Step) -> None:
    """From any state one step follows, up to the graded and, where that is due, published revision."""
    assert next_step(snapshot, stop=stop) is step
