"""What a coordinator does next follows from what PostgreSQL says, and from nothing else."""

from dataclasses import replace

import pytest

from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_grader.coordination.next_step import RevisionView, Step, View, next_step

OPEN = View(
    name="algebra",
    state=State.SCHEDULED,
    over=False,
    ends_at=1_800_000_000_000_000,
    revision=None,
    published=0,
)
GRADING = RevisionView(graded=False, chunks=3, missing=(1, 2), idle=0.0)


def test_an_open_sitting_is_refused_with_its_end_and_the_way_to_stop_it() -> None:
    """If I grade too early, I am told when the sitting ends and how to end it now."""
    with pytest.raises(Problem, match=r"not over before 2027-01-15T08:00:00.000000Z.*--stop") as refusal:
        next_step(OPEN)
    assert refusal.value.kind is ProblemKind.STATE_CONFLICT


def test_a_paused_sitting_is_refused_as_paused() -> None:
    """A paused sitting has no end I could wait for, so I am told to resume it."""
    with pytest.raises(Problem, match="paused: resume it"):
        next_step(replace(OPEN, ends_at=None))


def test_a_cancelled_sitting_is_never_graded() -> None:
    """A cancelled sitting has nothing to grade, stop or no stop."""
    with pytest.raises(Problem) as refusal:
        next_step(replace(OPEN, state=State.CANCELLED), stop=True)
    assert refusal.value.kind is ProblemKind.CANCELLED


@pytest.mark.parametrize(
    ("view", "stop", "step"),
    [
        (replace(OPEN, over=True), False, Step.CLOSE),
        (replace(OPEN, over=True), True, Step.CLOSE),
        (OPEN, True, Step.STOP),
        (replace(OPEN, state=State.CLOSING), False, Step.SEAL),
        (replace(OPEN, state=State.SEALED), False, Step.OPEN),
        (replace(OPEN, state=State.SEALED, revision=GRADING), False, Step.GRADE),
        (replace(OPEN, state=State.SEALED, revision=replace(GRADING, missing=())), False, Step.COMPLETE),
        (replace(OPEN, state=State.SEALED, revision=replace(GRADING, missing=(), graded=True)), False, Step.REST),
    ],
)
def test_each_state_has_one_next_step(view: View, *, stop: bool, step: Step) -> None:
    """From any state the way to a graded revision goes on with exactly one step."""
    assert next_step(view, stop=stop) is step


def test_a_graded_revision_is_published_when_it_is_due() -> None:
    """Degrees appear by themselves only where that was specified."""
    graded = replace(GRADING, missing=(), graded=True, due_for_publication=True)
    assert next_step(replace(OPEN, state=State.SEALED, revision=graded)) is Step.PUBLISH
