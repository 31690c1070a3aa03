"""The planner and the publication of graded revisions."""

from dataclasses import replace

import pytest

from exam_core.instants import MINUTE
from exam_core.schedule import State
from exam_operator.decide.phase import phase_of
from exam_operator.decide.plan import Action, Plan, Verb, plan
from exam_operator.model.exam import FINALIZER, Exam
from exam_operator.model.observed import ObservedState, Revision
from exam_operator.model.status import Phase
from exam_operator.testing.world import EPOCH_2027, Safeties, World, make_exam

NOW = EPOCH_2027 + 71 * MINUTE


def exam(revision: int) -> Exam:
    """An Exam that publishes automatically."""
    made = replace(make_exam(EPOCH_2027), finalizers=(FINALIZER,))
    return replace(made, spec=replace(made.spec, grading=replace(made.spec.grading, automatic=True, revision=revision)))


def graded(*numbers: int, published: int = 0) -> ObservedState:
    """A sealed sitting with graded revisions."""
    world = World(Safeties())
    world.execute(Action(verb=Verb.PROVISION), exam(1), ObservedState(sitting=None))
    sitting = world.sitting()
    assert sitting is not None
    revisions = tuple(
        Revision(number=number, done=True, chunks=1, graded=1, started_at=NOW, finished_at=NOW) for number in numbers
    )
    return ObservedState(
        sitting=replace(
            sitting,
            state=State.SEALED,
            distributed=True,
            drained=True,
            revisions=revisions,
            published_revision=published,
        )
    )


@pytest.mark.parametrize(
    ("desired", "observed", "action", "phase"),
    [
        (1, graded(1), Action(verb=Verb.PUBLISH, revision=1), Phase.GRADED),
        (1, graded(1, 2), Action(verb=Verb.PUBLISH, revision=1), Phase.GRADED),
        (1, graded(1, 2, published=1), None, Phase.PUBLISHED),
        (1, graded(1, 2, published=2), None, Phase.PUBLISHED),
        (2, graded(1, 2, published=1), Action(verb=Verb.PUBLISH, revision=2), Phase.GRADED),
        (2, graded(1, 2, 3, published=1), Action(verb=Verb.PUBLISH, revision=2), Phase.GRADED),
    ],
)
def test_the_revision_that_the_resource_requests_is_published(
    desired: int, observed: ObservedState, action: Action | None, phase: Phase
) -> None:
    """If another revision was graded than my Exam requests, students see the requested one."""
    assert plan(exam(desired), observed, NOW) == Plan(action=action)
    assert phase_of(exam(desired), observed, NOW) is phase
