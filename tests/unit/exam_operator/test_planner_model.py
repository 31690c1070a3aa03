"""The planner in a model of its environment with edits, restarts, lost responses, stale reads and failing Jobs.

The model has PostgreSQL's side of a sitting (windows change by the core's own rules), one Exam, its grading Jobs, and
two operators. They read and act as `runtime/reconciler.py` does, one request per step: anything may happen between two
steps, and an operator may be restarted after any. Each safety can be switched off, and then the search must find a
harm: a model in which nothing can go wrong would prove nothing.
"""

from collections.abc import Callable
from dataclasses import replace
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
from exam_core.scoring import Policy
from exam_operator.decide.phase import phase_of
from exam_operator.decide.plan import Plan, Verb, next_revision, plan
from exam_operator.decide.status import status_of
from exam_operator.model.exam import DesiredState, Exam, ExamSpec
from exam_operator.model.observed import JobState, ObservedState, Rejection
from exam_operator.model.status import Phase
from exam_operator.testing.world import (
    CHUNKS,
    EPOCH_2027,
    ConflictError,
    HarmError,
    OperatorMemory,
    RejectedError,
    Safeties,
    World,
)

NEVER = 2 * EPOCH_2027
ROUNDS = 120
"""Rounds within which an undisturbed world settles, with one revision."""
ROUNDS_PER_REVISION = 8
"""Rounds that each further revision needs at most: create and release its Job, seal, two chunks, complete, publish."""
ORDER = {phase: place for place, phase in enumerate(Phase)} | {Phase.PAUSED: list(Phase).index(Phase.OPEN)}
SPANS = (SECOND // 2, 2 * SECOND, MINUTE, 5 * MINUTE, 11 * MINUTE, 61 * MINUTE)


class Life(RuleBasedStateMachine):
    """One Exam, two operators, and every disturbance.

    Two operators at once may leave a sitting behind: one provisions it while the other removes the finalizer of the
    deleted Exam. With a single operator that must not happen either.
    """

    safeties = Safeties()
    single = False

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.safeties)
        self.operators = (OperatorMemory(), OperatorMemory())
        self.reached: tuple[int, Phase] = (0, Phase.PENDING)

    @initialize(passed=st.sampled_from([0, 0, 11, 80]), looks=st.integers(0, 4))
    def begin(self, passed: int, looks: int) -> None:
        """Start anywhere in the life of a sitting: provisioned or not, before it opens, open, over."""
        for _ in range(3 * 4 if passed else 3 * looks):
            self.step(self.operators[0])
        self.world.now += passed * MINUTE

    # Operators

    @rule(which=st.integers(0, 1), steps=st.sampled_from([1, 1, 2, 3, 3, 6]))
    def operate(self, which: int, steps: int) -> None:
        """An operator sends some requests; the next ones may follow much later."""
        for _ in range(steps):
            self.step(self.operators[which and not self.single])

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        """An operator is restarted at any point."""
        self.operators[which].__init__()  # type: ignore[misc]  # clears its memory

    @rule(which=st.integers(0, 1))
    def lose_the_response(self, which: int) -> None:
        """A request is executed, but the operator does not get the response."""
        self.step(self.operators[which and not self.single])
        self.restart(which and not self.single)

    def step(self, memory: OperatorMemory) -> bool:
        """Send the next request of a reconciliation; returns whether it changed something."""
        reads = (self._read_sitting, self._read_exam)
        first, second = reads if self.world.safe.sitting_first else reads[::-1]
        if memory.observed is None and memory.exam is None and not memory.sitting_read:
            first(memory)
            return False
        if memory.observed is None:
            second(memory)
            self._observe(memory)
            return False
        return self._act(memory)

    def _read_sitting(self, memory: OperatorMemory) -> None:
        memory.sitting, memory.sitting_read = self.world.sitting(), True

    def _read_exam(self, memory: OperatorMemory) -> None:
        memory.exam = self.world.exam

    def _observe(self, memory: OperatorMemory) -> None:
        """Complete the observed state; the Job is read only when there is something to grade."""
        sitting, exam = memory.sitting, memory.exam
        if exam is None:
            memory.sitting_read, memory.sitting = False, None
            return
        job = None
        if sitting is not None and sitting.state is State.CLOSING and not self.world.safe.drain:
            sitting = replace(sitting, drained=True)
        if sitting is not None and sitting.drained:
            revision = next_revision(exam, sitting)
            job = None if revision is None else self.world.job(revision)
        memory.observed = ObservedState(
            sitting=sitting,
            job=job,
            rejections=tuple(memory.rejections.values()),
            drain_requested=memory.drain_requested,
        )

    def _act(self, memory: OperatorMemory) -> bool:
        assert memory.exam is not None
        assert memory.observed is not None
        exam, observed = memory.exam, memory.observed
        memory.sitting, memory.exam, memory.observed, memory.sitting_read = None, None, None, False
        now = observed.sitting.now if observed.sitting is not None else self.world.now
        planned = self.planned(exam, observed, now)
        if planned != self.planned(exam, observed, now):
            raise HarmError("the planner is not a pure function")
        memory.drain_requested = planned.action is not None and (
            memory.drain_requested or planned.action.verb is Verb.DRAIN
        )
        if planned.action is None:
            return self._write_status(exam, observed, now)
        try:
            self.world.execute(planned.action, exam, observed)
            memory.rejections.pop(planned.action.verb, None)
        except RejectedError:
            verb = planned.action.verb
            memory.rejections[verb] = Rejection(
                action=verb.value, generation=exam.generation, at=now, reason="No", message="no"
            )
        except ConflictError:
            pass
        return True

    def planned(self, exam: Exam, observed: ObservedState, now: int) -> Plan:
        """The planner's plan; without the safety «ledger» a complete Job counts as graded."""
        job = observed.job
        if not self.world.safe.ledger and job is not None and job.state is JobState.COMPLETE:
            return Plan()
        return plan(exam, observed, now)

    def _write_status(self, exam: Exam, observed: ObservedState, now: int) -> bool:
        if self.world.exam is None or self.world.exam.resource_version != exam.resource_version:
            return True
        status = status_of(exam, observed, None, 0, now)
        if status == exam.status:
            return False
        self.world.edit(status=status)
        return True

    # Users

    @precondition(lambda self: self.world.exam is not None)
    @rule(opens=st.sampled_from(SPANS), lasts=st.sampled_from(SPANS), only_close=st.booleans())
    def move_the_window(self, opens: int, lasts: int, only_close: bool) -> None:  # noqa: FBT001 - drawn
        """A user edits the window."""
        old = self.spec.window
        opens_at = old.opens_at if only_close else self.world.now + opens
        self.edit_spec(window=replace(old, opens_at=opens_at, closes_at=max(opens_at, self.world.now) + lasts))

    @precondition(lambda self: self.world.exam is not None)
    @rule(desired_state=st.sampled_from([DesiredState.SCHEDULED, DesiredState.PAUSED, *DesiredState]))
    def set_desired_state(self, desired_state: DesiredState) -> None:
        """A user pauses, resumes, stops or cancels; the last two are final."""
        if self.spec.desired_state not in (DesiredState.STOPPED_AND_GRADE, DesiredState.CANCELLED):
            self.edit_spec(desired_state=desired_state)

    @rule()
    def edit_the_exam(self) -> None:
        """An author corrects the exam."""
        self.world.content += 1

    @precondition(lambda self: self.world.exam is not None)
    @rule(request=st.sampled_from(["typo", "key", ""]))
    def request_refreeze(self, request: str) -> None:
        """A user requests to freeze anew."""
        self.edit_spec(refreeze=request)

    @precondition(lambda self: self.world.exam is not None)
    @rule(candidates=st.sampled_from([100, 5000]))
    def expect_candidates(self, candidates: int) -> None:
        """A user expects more or fewer students."""
        self.edit_spec(candidates=candidates)

    @precondition(lambda self: self.world.exam is not None)
    @rule(scoring=st.sampled_from([None, Policy(), Policy(negative_total=True)]))
    def change_scoring(self, scoring: Policy | None) -> None:
        """A user names another scoring policy, or none."""
        self.edit_spec(scoring=scoring)

    @precondition(lambda self: self.world.exam is not None)
    @rule(automatic=st.booleans(), again=st.booleans())
    def edit_grading(self, automatic: bool, again: bool) -> None:  # noqa: FBT001 - drawn
        """A user asks for another revision, or switches automatic publishing."""
        grading = self.spec.grading
        self.edit_spec(grading=replace(grading, automatic=automatic, revision=grading.revision + again))

    @precondition(lambda self: self.world.exam is not None)
    @rule()
    def delete_the_exam(self) -> None:
        """A user deletes the Exam."""
        assert self.world.exam is not None
        self.world.edit(deleting=True)
        if not self.world.exam.has_finalizer:
            self.world.exam = None

    @rule(state=st.sampled_from([JobState.FAILED, JobState.COMPLETE, None]))
    def interfere_with_jobs(self, state: JobState | None) -> None:
        """Jobs are deleted by hand, fail, or are marked complete."""
        for revision in list(self.world.jobs):
            if state is None:
                del self.world.jobs[revision]
            else:
                self.world.jobs[revision].state = state

    # The platform

    @rule(span=st.sampled_from(SPANS))
    def pass_time(self, span: int) -> None:
        """Time passes."""
        self.world.now += span

    @rule(steps=st.integers(1, 3))
    def run_jobs(self, steps: int) -> None:
        """Jobs make progress."""
        for _ in range(steps):
            self.run_each_job()

    @precondition(lambda self: self.world.state is State.CLOSING)
    @rule()
    def drain(self) -> None:
        """All solvers have reported that nothing is in flight, which a drain will find."""
        self.world.in_flight = False

    @rule(written=st.booleans())
    def write_the_exam(self, written: bool) -> None:  # noqa: FBT001 - drawn
        """The exam is created or deleted on the platform."""
        self.world.exam_written = written

    # Invariants

    @invariant()
    def no_window_moves_once_closing(self) -> None:
        """The window does not change once the sitting is closing."""
        if self.world.closing_window is not None and self.world.window != self.world.closing_window:
            raise HarmError("a window moved after its close")

    @invariant()
    def no_phase_regresses(self) -> None:
        """A phase goes back only by a window moved before it opens, a pause, or another revision."""
        world = self.world
        if world.exam is None or world.window is None:
            return
        observed = ObservedState(sitting=world.sitting())
        now, revision = phase_of(world.exam, observed, world.now), world.exam.spec.grading.revision
        before, last = self.reached
        if ORDER[now] < ORDER[last] and revision == before and ORDER[last] >= ORDER[Phase.CLOSING]:
            raise HarmError(f"from {last} back to {now}")
        self.reached = (revision, now)

    def teardown(self) -> None:
        """Without further disturbance, the world converges to the spec and stays there."""
        world, memory = self.world, self.operators[0]
        world.exam_written = True
        self.restart(0)
        revisions = 0 if world.exam is None else world.exam.spec.grading.revision
        for _ in range(ROUNDS + ROUNDS_PER_REVISION * revisions):
            if not self.settled(memory):
                self.run_each_job()
                continue
            self.check_before_opening()
            if world.state is State.CLOSING and world.in_flight:
                world.in_flight = False
            elif world.exam is None or (requeue_at := self.requeue_at()) is None:
                break
            else:
                world.now = max(world.now, requeue_at)
        else:
            raise HarmError("it does not converge")
        if any(job.state is JobState.RUNNING for job in world.jobs.values()):
            raise HarmError("it is idle while Jobs run")
        self.check_the_end()

    def settled(self, memory: OperatorMemory) -> bool:
        """Run one more reconciliation; returns whether nothing changed and no Job is running."""
        before = [(job.uid, job.state) for job in self.world.jobs.values()]
        # Three steps: read the sitting, read the Exam, act.
        changed = [self.step(memory) for _ in range(3)]
        busy = any(state is JobState.RUNNING for _, state in before)
        return not any(changed) and not busy

    def requeue_at(self) -> int | None:
        """When the clock alone makes something due again."""
        assert self.world.exam is not None
        sitting = self.world.sitting()
        revision = None if sitting is None or not sitting.drained else next_revision(self.world.exam, sitting)
        job = None if revision is None else self.world.job(revision)
        # A rejected action is retried for ever; here only the clock counts.
        rejections = tuple(replace(rejection, at=NEVER) for rejection in self.operators[0].rejections.values())
        observed = ObservedState(sitting=sitting, job=job, rejections=rejections)
        requeue_at = self.planned(self.world.exam, observed, self.world.now).requeue_at
        return None if requeue_at is None or requeue_at >= NEVER else requeue_at

    def check_the_end(self) -> None:
        """The final state matches the spec."""
        world = self.world
        exam = world.exam
        if world.window is None:
            return
        if exam is not None and world.state is not State.CANCELLED:
            self.check_the_refreeze(exam)
        if world.state is State.SCHEDULED:
            if not world.window.paused and (exam is not None or self.single):
                raise HarmError("a sitting that is not paused stays open for ever")
            return
        if world.state is State.CANCELLED or exam is None:
            return
        grading = exam.spec.grading
        done = [number for number, chunks in sorted(world.ledger.items()) if len(chunks) == CHUNKS]
        if done != list(range(1, grading.revision + 1)):
            raise HarmError(f"revisions {done} are graded, but the spec asks for {grading.revision}")
        if grading.automatic and world.published != grading.revision:
            raise HarmError("degrees are not published although publishing is automatic")
        if exam.deleting:
            raise HarmError("a deleted Exam keeps its finalizer although all is done")

    def check_before_opening(self) -> None:
        """While there is time before the opening, paper and candidates are as the spec requests."""
        world, exam = self.world, self.world.exam
        if exam is None or world.window is None or world.is_fixed():
            return
        if exam.spec.refreeze not in ("", world.refreeze):
            raise HarmError(f"the request {exam.spec.refreeze!r} is not applied although there is time")
        if world.candidates != exam.spec.candidates:
            raise HarmError("the candidates are not applied although there is time")
        if exam.spec.scoring not in (None, world.scoring):
            raise HarmError("the scoring policy is not applied although there is time")

    def check_the_refreeze(self, exam: Exam) -> None:
        """A request is applied, has nothing to replace, or the Exam says that it came too late."""
        accepted = exam.status.conditions_by_type.get("Accepted")
        rejected = accepted is not None and accepted.status == "False"
        done = exam.spec.refreeze in ("", self.world.refreeze) or self.world.paper == self.world.content
        if not done and not rejected and not exam.deleting:
            raise HarmError(f"the request {exam.spec.refreeze!r} is neither applied nor rejected")

    # Helpers

    @property
    def spec(self) -> ExamSpec:
        """The present spec."""
        assert self.world.exam is not None
        return self.world.exam.spec

    def edit_spec(self, **changes: Any) -> None:
        """Edit the spec, if that changes it."""
        spec = replace(self.spec, **changes)
        if spec != self.spec:
            self.world.edit(spec=spec)

    def run_each_job(self) -> None:
        """Run one step of every running Job."""
        for revision, job in sorted(self.world.jobs.items()):
            if job.state is JobState.RUNNING:
                self.world.run_job(revision)


class SingleOperator(Life):
    """One operator that reconciles the Exam once at a time."""

    single = True


class Unlocked(Life):
    """One operator that reconciles the same Exam twice at once; it has to end as a single one does."""

    def check_the_end(self) -> None:
        """Check as for a single operator."""
        self.single = True
        super().check_the_end()


def _without(safety: str) -> type[Life]:
    """Lives in a world without one of the safeties."""
    return type("Unsafe", (Life,), {"safeties": replace(Safeties(), **{safety: False})})


def search(examples: int, steps: int = 40) -> settings:
    """The size of the search."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Search.generate],
        suppress_health_check=list(HealthCheck),
    )


def test_a_sitting_converges_to_its_spec_and_no_action_does_harm() -> None:
    """If operators, Jobs and users interfere in any order, a sitting keeps its invariants and ends as specified."""
    run_state_machine_as_test(Life, settings=search(300))
    run_state_machine_as_test(SingleOperator, settings=search(300))


def _stale_spec(life: Life) -> None:
    """One operator has read both when the spec changes; the other applies the newer spec first."""
    life.begin(passed=0, looks=4)
    life.move_the_window(opens=11 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=1, steps=2)
    life.move_the_window(opens=61 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=0, steps=3)
    life.operate(which=1, steps=1)


def _spec_changes_between_two_reads(life: Life) -> None:
    """The spec changes, and is applied by the other operator, between one operator's two reads."""
    life.begin(passed=0, looks=4)
    life.move_the_window(opens=11 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=1, steps=1)
    life.move_the_window(opens=61 * MINUTE, lasts=MINUTE, only_close=False)
    life.operate(which=0, steps=3)
    life.operate(which=1, steps=2)


def _not_drained(life: Life) -> None:
    """A sitting has ended while solvers still have answers in flight."""
    life.begin(passed=80, looks=4)
    for _ in range(4):
        life.operate(which=0, steps=3)
    life.run_jobs(steps=1)


def _marked_complete(life: Life) -> None:
    """A Job that has graded nothing is marked complete."""
    life.begin(passed=80, looks=4)
    life.operate(which=0, steps=3)
    life.drain()
    life.operate(which=0, steps=6)
    life.interfere_with_jobs(state=JobState.COMPLETE)


def _observed_failing(life: Life) -> None:
    """One operator has observed a failed Job; the other has replaced it meanwhile."""
    life.begin(passed=80, looks=4)
    life.operate(which=0, steps=3)
    life.drain()
    life.operate(which=0, steps=6)
    life.interfere_with_jobs(state=JobState.FAILED)
    life.operate(which=1, steps=2)
    for _ in range(4):
        life.operate(which=0, steps=3)
    life.operate(which=1, steps=1)


def _graded_between_two_reads(life: Life) -> None:
    """A Job completes the ledger and ends after the operator has read the sitting and before it reads the Job."""
    life.begin(passed=80, looks=4)
    life.operate(which=0, steps=3)
    life.drain()
    for _ in range(5):
        life.operate(which=0, steps=3)
    life.operate(which=0, steps=1)
    life.run_jobs(steps=CHUNKS + 2)
    life.operate(which=0, steps=2)


def _requested_twice(life: Life) -> None:
    """Two operators have read the same request to freeze anew; the author edits the exam after the first applied it."""
    life.begin(passed=0, looks=4)
    life.request_refreeze("typo")
    life.operate(which=1, steps=2)
    life.operate(which=0, steps=3)
    life.edit_the_exam()
    life.operate(which=1, steps=1)


def _requested_at_the_opening(life: Life) -> None:
    """The exam is corrected, and freezing anew is requested, a few seconds before the opening."""
    life.begin(passed=0, looks=4)
    life.edit_the_exam()
    life.request_refreeze("typo")
    life.world.now = life.spec.window.opens_at - 2 * SECOND
    life.operate(which=0, steps=3)


def _provisioned_and_released(life: Life) -> None:
    """An Exam is deleted when one operator is about to provision it; another removes its finalizer."""
    life.begin(passed=0, looks=1)
    life.operate(which=0, steps=2)
    life.delete_the_exam()
    life.operate(which=1, steps=3)
    life.operate(which=0, steps=3)


Scenario = Callable[[Life], None]
CONTROLS: dict[str, tuple[Scenario, type[Life], type[Life], str]] = {
    "lock": (_provisioned_and_released, SingleOperator, Unlocked, "open for ever"),
    "epoch": (_stale_spec, Life, _without("epoch"), "was applied after generation"),
    "sitting first": (_spec_changes_between_two_reads, Life, _without("sitting_first"), "was applied after generation"),
    "drain": (_not_drained, Life, _without("drain"), "sealed before"),
    "ledger": (_marked_complete, Life, _without("ledger"), "but the spec asks for"),
    "uid": (_observed_failing, Life, _without("uid"), "a running Job was deleted"),
    "recheck ledger": (
        _graded_between_two_reads,
        Life,
        _without("recheck_ledger"),
        "a Job that had graded was deleted",
    ),
    "named request": (_requested_twice, Life, _without("named_request"), "was applied again"),
    "notice": (_requested_at_the_opening, Life, _without("notice"), "a paper was replaced although"),
}


def _run(scenario: Scenario, life: Life) -> None:
    """Run a scenario, then let the world converge."""
    scenario(life)
    life.teardown()


@pytest.mark.parametrize("name", CONTROLS)
def test_without_a_safety_its_harm_occurs(name: str) -> None:
    """If one of the safeties is switched off, the harm it prevents occurs; with it, the same scenario ends well."""
    scenario, safe, unsafe, harm = CONTROLS[name]
    _run(scenario, safe())
    with pytest.raises(HarmError, match=harm):
        _run(scenario, unsafe())


def test_the_search_finds_harm_by_itself() -> None:
    """If a safety is switched off, the search finds the harm without a scenario."""
    with pytest.raises(HarmError):
        run_state_machine_as_test(_without("ledger"), settings=search(3000, steps=60))
