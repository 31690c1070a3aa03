"""The planner in a world where everything may happen at any time: edits, restarts, lost answers, stale looks, failures.

The world has PostgreSQL's side of a sitting (windows change by the core's own rules), one Exam resource, its grading
Jobs, and two operators that look and act as `reconcile.py` does, but in as many steps as there are calls: anything may
happen between two of them, and an operator may be ended after any. Each safety can be switched off, and then the search
must find a harm: a world in which nothing can go wrong would prove nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Search
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from exam_core.instants import MINUTE, SECOND
from exam_core.schedule import State
from exam_operator.decide.plan import Plan, next_revision, plan
from exam_operator.decide.status import Phase, phase_of, status_of
from exam_operator.model.exam import DesiredState, Exam, ExamSpec
from exam_operator.model.observed import JobState, ObservedState, Rejection
from exam_operator.testing.world import (
    CHUNKS,
    EPOCH_2027,
    ConflictError,
    HarmError,
    Operator,
    RejectedError,
    Safeties,
    World,
)

NEVER = 2 * EPOCH_2027
ENOUGH = 120
"""Steps after which a world that is left alone has come to its end."""
ORDER = {phase: place for place, phase in enumerate(Phase)} | {Phase.PAUSED: list(Phase).index(Phase.OPEN)}
SPANS = (SECOND // 2, 2 * SECOND, MINUTE, 5 * MINUTE, 11 * MINUTE, 61 * MINUTE)


class Life(RuleBasedStateMachine):
    """One Exam, operators, and all that may befall them.

    Two at once may leave a sitting behind that one provisions in the moment in which the other lets its deleted Exam
    go; of one alone this is asked too.
    """

    safeties = Safeties()
    alone = False

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.safeties)
        self.operators = (Operator(), Operator())
        self.reached: tuple[int, Phase] = (0, Phase.PENDING)

    @initialize(passed=st.sampled_from([0, 0, 11, 80]), looks=st.integers(0, 4))
    def begin(self, passed: int, looks: int) -> None:
        """Somewhere in the life of a sitting: provisioned or not, before it opens, open, over."""
        for _ in range(3 * 4 if passed else 3 * looks):
            self.step(self.operators[0])
        self.world.now += passed * MINUTE

    # operators

    @rule(which=st.integers(0, 1), steps=st.sampled_from([1, 1, 2, 3, 3, 6]))
    def operate(self, which: int, steps: int) -> None:
        """An operator makes some calls; the last may be long ago when the next comes."""
        for _ in range(steps):
            self.step(self.operators[which and not self.alone])

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        """An operator is ended, whatever it was about."""
        self.operators[which].__init__()  # type: ignore[misc]  # everything it knew is gone

    @rule(which=st.integers(0, 1))
    def lose_the_answer(self, which: int) -> None:
        """What an operator does is done, and it never hears of it."""
        self.step(self.operators[which and not self.alone])
        self.restart(which and not self.alone)

    def step(self, mine: Operator) -> bool:
        """The next call of a reconciliation; whether it changed something."""
        first, second = (self._look, self._read) if self.world.safe.sitting_first else (self._read, self._look)
        if mine.observed is None and mine.resource is None and not mine.looked:
            first(mine)
            return False
        if mine.observed is None:
            second(mine)
            self._see(mine)
            return False
        return self._act(mine)

    def _look(self, mine: Operator) -> None:
        mine.sitting, mine.looked = self.world.sitting(), True

    def _read(self, mine: Operator) -> None:
        mine.resource = self.world.resource

    def _see(self, mine: Operator) -> None:
        """All is looked at: the Job too, once there is something to grade."""
        sitting, resource = mine.sitting, mine.resource
        if resource is None:
            mine.looked, mine.sitting = False, None
            return
        job = None
        if sitting is not None and sitting.state is State.CLOSING and not self.world.safe.drain:
            sitting = replace(sitting, drained=True)
        if sitting is not None and sitting.drained:
            revision = next_revision(resource, sitting)
            job = None if revision is None else self.world.job(revision)
        mine.observed = ObservedState(sitting=sitting, job=job, rejections=tuple(mine.rejections.values()))

    def _act(self, mine: Operator) -> bool:
        assert mine.resource is not None
        assert mine.observed is not None
        resource, observed = mine.resource, mine.observed
        mine.sitting, mine.resource, mine.observed, mine.looked = None, None, None, False
        now = observed.sitting.now if observed.sitting is not None else self.world.now
        planned = self.planned(resource, observed, now)
        if planned != self.planned(resource, observed, now):
            raise HarmError("the same question had two answers")
        if planned.action is None:
            return self._tell(resource, observed, now)
        try:
            self.world.do(planned.action, resource, observed)
            mine.rejections.pop(planned.action.verb, None)
        except RejectedError:
            verb = planned.action.verb
            mine.rejections[verb] = Rejection(
                action=verb.value, generation=resource.generation, at=now, reason="No", message="no"
            )
        except ConflictError:
            pass
        return True

    def planned(self, resource: Exam, observed: ObservedState, now: int) -> Plan:
        """What the planner says; a control may tell it less than there is."""
        job = observed.job
        if not self.world.safe.ledger and job is not None and job.state is JobState.COMPLETE:
            return Plan()
        return plan(resource, observed, now)

    def _tell(self, resource: Exam, observed: ObservedState, now: int) -> bool:
        if self.world.resource is None or self.world.resource.version != resource.version:
            return True
        status = status_of(resource, observed, None, 0, now)
        if status == resource.status:
            return False
        self.world.edit(status=MappingProxyType(status))
        return True

    # people

    @precondition(lambda self: self.world.resource is not None)
    @rule(opens=st.sampled_from(SPANS), lasts=st.sampled_from(SPANS), only_close=st.booleans())
    def move_the_window(self, opens: int, lasts: int, only_close: bool) -> None:  # noqa: FBT001 - drawn
        """Somebody edits the window."""
        old = self.spec.window
        opens_at = old.opens_at if only_close else self.world.now + opens
        self.wish(window=replace(old, opens_at=opens_at, closes_at=max(opens_at, self.world.now) + lasts))

    @precondition(lambda self: self.world.resource is not None)
    @rule(desired=st.sampled_from([DesiredState.SCHEDULED, DesiredState.PAUSED, *DesiredState]))
    def wish_for(self, desired: DesiredState) -> None:
        """Somebody pauses, resumes, stops or cancels; the last two are final."""
        if self.spec.desired not in (DesiredState.STOPPED_AND_GRADE, DesiredState.CANCELLED):
            self.wish(desired=desired)

    @precondition(lambda self: self.world.resource is not None)
    @rule(automatic=st.booleans(), again=st.booleans())
    def grade_otherwise(self, automatic: bool, again: bool) -> None:  # noqa: FBT001 - drawn
        """Somebody wants another revision, or degrees shown at once."""
        grading = self.spec.grading
        self.wish(grading=replace(grading, automatic=automatic, revision=grading.revision + again))

    @precondition(lambda self: self.world.resource is not None)
    @rule()
    def delete_the_resource(self) -> None:
        """Somebody deletes the Exam."""
        assert self.world.resource is not None
        self.world.edit(deleting=True)
        if not self.world.resource.has_finalizer:
            self.world.resource = None

    @rule(state=st.sampled_from([JobState.FAILED, JobState.COMPLETE, None]))
    def meddle_with_jobs(self, state: JobState | None) -> None:
        """Somebody deletes Jobs by hand, or they fail, or are said to be complete."""
        for revision in list(self.world.jobs):
            if state is None:
                del self.world.jobs[revision]
            else:
                self.world.jobs[revision].state = state

    # the platform

    @rule(span=st.sampled_from(SPANS))
    def pass_time(self, span: int) -> None:
        """Time passes."""
        self.world.now += span

    @rule(steps=st.integers(1, 3))
    def run_jobs(self, steps: int) -> None:
        """Jobs get on."""
        for _ in range(steps):
            self.run_each_job()

    @precondition(lambda self: self.world.state is State.CLOSING)
    @rule()
    def drain(self) -> None:
        """All solvers have said that nothing is in flight."""
        self.world.drained = True

    @rule(written=st.booleans())
    def write_the_exam(self, written: bool) -> None:  # noqa: FBT001 - drawn
        """The exam is there, or is not."""
        self.world.written = written

    # what must hold

    @invariant()
    def no_window_moves_once_closing(self) -> None:
        """Once it is closing, a window is what it was."""
        if self.world.closing_window is not None and self.world.window != self.world.closing_window:
            raise HarmError("a window moved after its close")

    @invariant()
    def no_phase_regresses(self) -> None:
        """A sitting goes forward: back only by a window moved before it opens, a pause, or another revision."""
        world = self.world
        if world.resource is None or world.window is None:
            return
        observed = ObservedState(sitting=world.sitting())
        now, revision = phase_of(world.resource, observed, world.now), world.resource.spec.grading.revision
        before, was = self.reached
        if ORDER[now] < ORDER[was] and revision == before and ORDER[was] >= ORDER[Phase.CLOSING]:
            raise HarmError(f"from {was} back to {now}")
        self.reached = (revision, now)

    def teardown(self) -> None:
        """Left alone, with nothing in the way, it comes to the end that is wished for, and rests there."""
        world, mine = self.world, self.operators[0]
        world.written = True
        self.restart(0)
        for _ in range(ENOUGH):
            if not self.settled(mine):
                self.run_each_job()
            elif world.state is State.CLOSING and not world.drained:
                world.drained = True
            elif world.resource is None or (wake := self.wake()) is None:
                break
            else:
                world.now = max(world.now, wake)
        else:
            raise HarmError("it never comes to rest")
        if any(job.state is JobState.RUNNING for job in world.jobs.values()):
            raise HarmError("it rests while Jobs run")
        self.check_the_end()

    def settled(self, mine: Operator) -> bool:
        """Let an operator look once more; whether nothing changed, for no job has anything to do either."""
        before = [(job.uid, job.state) for job in self.world.jobs.values()]
        # All three: look at the sitting, read the resource, act.
        changed = [self.step(mine) for _ in range(3)]
        busy = any(state is JobState.RUNNING for _, state in before)
        return not any(changed) and not busy

    def wake(self) -> int | None:
        """When there is something to do again."""
        assert self.world.resource is not None
        sitting = self.world.sitting()
        revision = None if sitting is None or not sitting.drained else next_revision(self.world.resource, sitting)
        job = None if revision is None else self.world.job(revision)
        # A wish that cannot be granted is asked for again and again: here it is waited for the clock alone.
        rejections = tuple(replace(rejection, at=NEVER) for rejection in self.operators[0].rejections.values())
        observed = ObservedState(sitting=sitting, job=job, rejections=rejections)
        wake = self.planned(self.world.resource, observed, self.world.now).requeue_at
        return None if wake is None or wake >= NEVER else wake

    def check_the_end(self) -> None:
        """It is as wished."""
        world = self.world
        resource = world.resource
        if world.window is None:
            return
        if world.state is State.SCHEDULED:
            if not world.window.paused and (resource is not None or self.alone):
                raise HarmError("a sitting that nobody paused is open for ever")
            return
        if world.state is State.CANCELLED or resource is None:
            return
        grading = resource.spec.grading
        done = [number for number, chunks in sorted(world.ledger.items()) if len(chunks) == CHUNKS]
        if done != list(range(1, grading.revision + 1)):
            raise HarmError(f"revisions {done} are graded where {grading.revision} were wished for")
        if grading.automatic and world.published != grading.revision:
            raise HarmError("degrees that were to be shown are not")
        if resource.deleting:
            raise HarmError("a deleted Exam is held although all is done")

    # small things

    @property
    def spec(self) -> ExamSpec:
        """What is wished for now."""
        assert self.world.resource is not None
        return self.world.resource.spec

    def wish(self, **changes: Any) -> None:
        """Edit the spec."""
        desired = replace(self.spec, **changes)
        if desired != self.spec:
            self.world.edit(spec=desired)

    def run_each_job(self) -> None:
        """Every running Job does one step."""
        for revision, job in sorted(self.world.jobs.items()):
            if job.state is JobState.RUNNING:
                self.world.work(revision)


class Alone(Life):
    """One operator, which does one thing at a time."""

    alone = True


class Unlocked(Life):
    """One operator that looks after the same Exam twice at once; what is asked of one alone is asked of it."""

    def check_the_end(self) -> None:
        """As if there were one."""
        self.alone = True
        super().check_the_end()


def _without(safety: str) -> type[Life]:
    """Lives in a world without one of the safeties."""
    return type("Careless", (Life,), {"safeties": replace(Safeties(), **{safety: False})})


def search(examples: int, steps: int = 40) -> settings:
    """How long to look for harm."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Search.generate],
        suppress_health_check=list(HealthCheck),
    )


def test_whatever_happens_a_sitting_comes_to_its_end_and_nothing_is_done_twice() -> None:
    """If anything befalls operators, Jobs and wishes in any order, a sitting goes its way and ends as wished."""
    run_state_machine_as_test(Life, settings=search(300))
    run_state_machine_as_test(Alone, settings=search(300))


def _stale_wish(life: Life) -> None:
    """One operator has looked and read when the wish changes; the other is faster with the newer one."""
    life.begin(passed=0, looks=4)
    life.move_the_window(opens=11 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=1, steps=2)
    life.move_the_window(opens=61 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=0, steps=3)
    life.operate(which=1, steps=1)


def _wish_between_two_looks(life: Life) -> None:
    """The wish changes, and is carried by the other operator, between one's two looks."""
    life.begin(passed=0, looks=4)
    life.move_the_window(opens=11 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=1, steps=1)
    life.move_the_window(opens=61 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=0, steps=3)
    life.operate(which=1, steps=2)


def _not_drained(life: Life) -> None:
    """A sitting is over, and solvers still have something in flight."""
    life.begin(passed=80, looks=4)
    for _ in range(4):
        life.operate(which=0, steps=3)
    life.run_jobs(steps=1)


def _said_to_be_complete(life: Life) -> None:
    """A Job is said to be complete that has graded nothing."""
    life.begin(passed=80, looks=4)
    life.operate(which=0, steps=3)
    life.drain()
    life.operate(which=0, steps=3)
    life.meddle_with_jobs(state=JobState.COMPLETE)


def _seen_failing(life: Life) -> None:
    """One operator has seen a Job fail; the other has made it anew meanwhile."""
    life.begin(passed=80, looks=4)
    life.operate(which=0, steps=3)
    life.drain()
    life.operate(which=0, steps=3)
    life.meddle_with_jobs(state=JobState.FAILED)
    life.operate(which=1, steps=2)
    for _ in range(4):
        life.operate(which=0, steps=3)
    life.operate(which=1, steps=1)


def _graded_between_two_looks(life: Life) -> None:
    """A Job grades all there is to grade and ends after one has looked at the sitting, and before one looks at it."""
    life.begin(passed=80, looks=4)
    life.operate(which=0, steps=3)
    life.drain()
    for _ in range(4):
        life.operate(which=0, steps=3)
    life.operate(which=0, steps=1)
    life.run_jobs(steps=CHUNKS + 2)
    life.operate(which=0, steps=2)


def _provisioned_and_let_go(life: Life) -> None:
    """An Exam is deleted when one is about to provision its sitting, and another lets it go."""
    life.begin(passed=0, looks=1)
    life.operate(which=0, steps=2)
    life.delete_the_resource()
    life.operate(which=1, steps=3)
    life.operate(which=0, steps=3)


Scenario = Callable[[Life], None]
CONTROLS: dict[str, tuple[Scenario, type[Life], type[Life], str]] = {
    "lock": (_provisioned_and_let_go, Alone, Unlocked, "open for ever"),
    "epoch": (_stale_wish, Life, _without("epoch"), "was carried after wish"),
    "sitting first": (_wish_between_two_looks, Life, _without("sitting_first"), "was carried after wish"),
    "drain": (_not_drained, Life, _without("drain"), "sealed before"),
    "ledger": (_said_to_be_complete, Life, _without("ledger"), "are graded where"),
    "uid": (_seen_failing, Life, _without("uid"), "a Job that was running well was deleted"),
    "look again": (_graded_between_two_looks, Life, _without("look_again"), "a Job that had graded was deleted"),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_each_safety_keeps_a_harm_away(name: str) -> None:
    """If one of the safeties is left out, what it keeps away happens; with it, the same story ends well."""
    story, safe, careless, harm = CONTROLS[name]
    life = safe()
    story(life)
    life.teardown()
    with pytest.raises(HarmError, match=harm):  # noqa: PT012 - whenever in its life it shows
        life = careless()
        story(life)
        life.teardown()


def test_the_search_finds_harm_by_itself() -> None:
    """If a safety is left out, nobody has to tell the search where to look."""
    with pytest.raises(HarmError):
        run_state_machine_as_test(_without("ledger"), settings=search(3000))
