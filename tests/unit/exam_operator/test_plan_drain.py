"""The planner and the drain of a closed sitting."""

from dataclasses import replace

from exam_core.instants import MINUTE
from exam_core.schedule import State
from exam_operator.decide.plan import DRAIN_POLL, Action, Plan, Verb, plan
from exam_operator.model.exam import FINALIZER
from exam_operator.model.observed import ObservedState, Sitting
from exam_operator.testing.world import EPOCH_2027, Safeties, World, make_exam

NOW = EPOCH_2027 + 71 * MINUTE
EXAM = replace(make_exam(EPOCH_2027), finalizers=(FINALIZER,))


def closing() -> Sitting:
    """The sitting of `EXAM` right after its close."""
    world = World(Safeties())
    world.execute(Action(verb=Verb.PROVISION), EXAM, ObservedState(sitting=None))
    sitting = world.sitting()
    assert sitting is not None
    return replace(sitting, state=State.CLOSING, distributed=True)


def test_a_closed_sitting_is_drained_by_a_request() -> None:
    """Reading a sitting changes nothing: the operator asks for the drain, and soon asks again."""
    observed = ObservedState(sitting=closing())
    assert plan(EXAM, observed, NOW) == Plan(action=Action(verb=Verb.DRAIN))
    assert plan(EXAM, replace(observed, drain_requested=True), NOW) == Plan(requeue_at=NOW + DRAIN_POLL)
    drained = replace(observed, sitting=replace(closing(), drained=True), drain_requested=True)
    assert plan(EXAM, drained, NOW) == Plan(action=Action(verb=Verb.CREATE_JOB, revision=1))
