"""A model of the planner's environment as pure data: a sitting in PostgreSQL, one Exam, its Jobs.

It answers requests as web and the API server do, by the core's own rules where there are any, and raises `HarmError`
when an invariant is broken. Each safety can be switched off, so that a test can show the harm it prevents.
"""

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from exam_core.deadlines import ends_at
from exam_core.instants import MINUTE, SECOND
from exam_core.problems import Problem
from exam_core.schedule import State
from exam_core.scoring import Policy
from exam_core.windows import Pause, check_change, opening_fixed
from exam_core.windows import Window as CoreWindow
from exam_operator.decide.plan import Action, Verb
from exam_operator.model.exam import (
    FINALIZER,
    DesiredState,
    Exam,
    ExamKey,
    ExamSpec,
    GradingSpec,
    SolverSpec,
    Window,
)
from exam_operator.model.observed import (
    Change,
    Content,
    Job,
    JobState,
    ObservedState,
    Rejection,
    Revision,
    Seal,
    Sitting,
)
from exam_operator.model.status import ExamStatus

EPOCH_2027 = 1_800_000_000 * SECOND
"""The time at which every world begins."""
LEASE_TTL = 30 * SECOND
CHUNKS = 2
"""The number of chunks of each revision."""


class HarmError(AssertionError):
    """An invariant is broken."""


class ConflictError(Exception):
    """The object has changed since it was read."""


class RejectedError(Exception):
    """The request cannot be fulfilled in the present state."""


@dataclass(frozen=True)
class Safeties:
    """The mechanisms that prevent harm; a negative control switches one off."""

    epoch: bool = True
    sitting_first: bool = True
    drain: bool = True
    ledger: bool = True
    uid: bool = True
    recheck_ledger: bool = True
    named_request: bool = True
    notice: bool = True


@dataclass
class StoredJob:
    """A Job in the cluster."""

    uid: str
    revision: int
    state: JobState = JobState.SUSPENDED


@dataclass
class OperatorMemory:
    """What an operator keeps between two requests; a restart clears it."""

    sitting: Sitting | None = None
    exam: Exam | None = None
    observed: ObservedState | None = None
    sitting_read: bool = False
    drain_requested: bool = False
    rejections: dict[Verb, Rejection] = field(default_factory=dict)


class World:
    """The state that outlives an operator."""

    def __init__(self, safeties: Safeties) -> None:
        self.safe = safeties
        self.now = EPOCH_2027
        self.exam_written = True
        self.exam: Exam | None = make_exam(self.now)
        self.window: CoreWindow | None = None
        self.state = State.SCHEDULED
        self.epoch = 0
        self.content = 0
        self.paper = 0
        self.frozen_at = self.now
        self.refreeze = ""
        self.candidates = 0
        self.scoring = Policy()
        self.distributed = self.drained = False
        self.in_flight = True
        self.sealed_at: int | None = None
        self.ledger: dict[int, set[int]] = {}
        self.published = 0
        self.jobs: dict[int, StoredJob] = {}
        self.uids = count(1)
        self.applied_generation = 0
        self.closing_window: CoreWindow | None = None

    # Reads

    @property
    def end(self) -> int | None:
        """The last deadline."""
        return None if self.window is None else ends_at(self.window, max_extra=0)

    def sitting(self) -> Sitting | None:
        """The sitting as web returns it."""
        if self.window is None:
            return None
        window = self.window
        return Sitting(
            id="60b1f19f-0000-4000-8000-000000000000",
            state=self.state,
            epoch=self.epoch,
            now=self.now,
            window=Window(opens_at=window.opens_at, closes_at=window.closes_at, duration=window.duration),
            paused=window.paused,
            ends_at=self.end,
            paper=f"{self.paper:064x}",
            frozen_at=self.frozen_at,
            refreeze=self.refreeze,
            content=Content(change=Change.NONE if self.paper == self.content else Change.PAPER, detail=""),
            candidates=self.candidates,
            scoring=self.scoring,
            distributed=self.distributed,
            drained=self.drained,
            seal=None
            if self.sealed_at is None
            else Seal(at=self.sealed_at, answers=1, students=1, digest="b", statement="c"),
            revisions=tuple(
                Revision(
                    number=number,
                    done=len(chunks) == CHUNKS,
                    chunks=CHUNKS,
                    graded=len(chunks),
                    started_at=self.now,
                    finished_at=None,
                )
                for number, chunks in self.ledger.items()
            ),
            published_revision=self.published,
            published_at=None,
        )

    def job(self, revision: int) -> Job | None:
        """A grading Job as the API server returns it."""
        job = self.jobs.get(revision)
        return None if job is None else Job(name=f"r{revision}", uid=job.uid, state=job.state, failures=0)

    # Actions, each as its counterpart in web or the API server

    def execute(self, action: Action, exam: Exam, observed: ObservedState) -> None:
        """Execute an action that was planned for an earlier observed state."""
        seen = observed.sitting
        if action.verb in (Verb.ADD_FINALIZER, Verb.REMOVE_FINALIZER):
            self._set_finalizer(exam, present=action.verb is Verb.ADD_FINALIZER)
        elif action.verb is Verb.PROVISION:
            self._provision(exam)
        elif action.verb in (Verb.CREATE_JOB, Verb.RELEASE_JOB, Verb.DELETE_JOB):
            self._change_job(action)
        elif seen is not None:
            self._change_sitting(action, exam, seen)

    def _set_finalizer(self, exam: Exam, *, present: bool) -> None:
        if self.exam is None or self.exam.resource_version != exam.resource_version:
            raise ConflictError
        self.edit(finalizers=(FINALIZER,) if present else ())
        if self.exam.deleting and not present:
            self.exam = None

    def _provision(self, exam: Exam) -> None:
        if not self.exam_written:
            raise RejectedError
        if self.window is not None:
            if self.safe.epoch:
                raise ConflictError
            self._change_window(exam)
            return
        spec = exam.spec
        if spec.window.closes_at <= self.now:
            raise RejectedError
        self.window = CoreWindow(
            opens_at=spec.window.opens_at, closes_at=spec.window.closes_at, duration=spec.window.duration
        )
        self.paper, self.frozen_at, self.candidates = self.content, self.now, spec.candidates
        self.scoring = Policy() if spec.scoring is None else spec.scoring
        self._record_generation(exam)

    def _change_sitting(self, action: Action, exam: Exam, seen: Sitting) -> None:
        verb = action.verb
        if verb is Verb.DISTRIBUTE:
            self.distributed = True
        elif verb is Verb.PUBLISH:
            if len(self.ledger.get(action.revision, ())) < CHUNKS:
                raise ConflictError
            self.published = max(self.published, action.revision)
        elif verb in (Verb.CLOSE, Verb.DRAIN):
            self._end_sitting(verb)
        else:
            self._change_spec(verb, exam, seen)

    def _change_spec(self, verb: Verb, exam: Exam, seen: Sitting) -> None:
        if self.safe.epoch and seen.epoch != self.epoch:
            raise ConflictError
        if verb is Verb.CHANGE_WINDOW:
            self._change_window(exam)
        elif verb is Verb.REFREEZE:
            self._refreeze(exam)
        elif verb is Verb.CHANGE_CANDIDATES:
            self._change_candidates(exam)
        elif verb is Verb.CHANGE_SCORING:
            self._change_scoring(exam)
        elif self.state is not State.SCHEDULED:
            raise ConflictError
        else:
            self._change_state(verb, exam)

    def _end_sitting(self, verb: Verb) -> None:
        if verb is Verb.DRAIN:
            if self.state not in (State.CLOSING, State.SEALED):
                raise ConflictError
            self.drained = not self.in_flight
            return
        if self.state is not State.SCHEDULED or self.end is None or self.now <= self.end:
            raise ConflictError
        self._end(State.CLOSING)

    def _change_window(self, exam: Exam) -> None:
        if self.window is None or self.state is not State.SCHEDULED:
            raise ConflictError
        desired = exam.spec.window
        moved = replace(self.window, opens_at=desired.opens_at, closes_at=desired.closes_at, duration=desired.duration)
        if moved == self.window:
            return
        try:
            check_change(self.window, moved, now=self.now, ends_at=self.end, lease_ttl=LEASE_TTL)
        except Problem as problem:
            raise RejectedError from problem
        self.window = moved
        self._record_generation(exam)

    def is_fixed(self) -> bool:
        """Whether a student may start before all solvers read a change."""
        if self.window is None or self.state is not State.SCHEDULED:
            return True
        return opening_fixed(self.window, now=self.now, lease_ttl=LEASE_TTL)

    def _refreeze(self, exam: Exam) -> None:
        """Freeze the exam's present content, once for each named request."""
        request = exam.spec.refreeze
        if self.safe.named_request and request == self.refreeze:
            return
        if self.paper != self.content:
            if request == self.refreeze:
                raise HarmError(f"the request {request!r} was applied again, to content that was edited after it")
            if self.is_fixed():
                if self.safe.notice:
                    raise RejectedError
                raise HarmError("a paper was replaced although a student may have started with the former one")
            self.paper, self.frozen_at = self.content, self.now
            self._record_generation(exam)
        self.refreeze = request

    def _change_candidates(self, exam: Exam) -> None:
        if self.is_fixed():
            raise RejectedError
        if self.candidates != exam.spec.candidates:
            self.candidates = exam.spec.candidates
            self._record_generation(exam)

    def _change_scoring(self, exam: Exam) -> None:
        if self.is_fixed():
            raise RejectedError
        if exam.spec.scoring is not None and exam.spec.scoring != self.scoring:
            self.scoring = exam.spec.scoring
            self._record_generation(exam)

    def _change_state(self, verb: Verb, exam: Exam) -> None:
        if self.window is None:
            raise ConflictError
        *pauses, last = self.window.pauses or (None,)
        if verb is Verb.PAUSE and not self.window.paused:
            if self.end is not None and self.now >= self.end:
                raise RejectedError
            self.window = replace(self.window, pauses=(*self.window.pauses, Pause(began=self.now)))
        elif verb is Verb.RESUME and last is not None and self.window.paused:
            self.window = replace(self.window, pauses=(*pauses, replace(last, ended=self.now)))
        elif verb is Verb.STOP:
            self.window = replace(self.window, stopped_at=self.now)
            self._end(State.CLOSING)
        elif verb is Verb.CANCEL:
            self._end(State.CANCELLED)
        self._record_generation(exam)

    def _end(self, state: State) -> None:
        self.state, self.closing_window = state, self.window
        self.epoch += 1

    def _record_generation(self, exam: Exam) -> None:
        """A spec was applied to PostgreSQL; it must not be older than the last one that was."""
        if exam.generation < self.applied_generation:
            raise HarmError(f"generation {exam.generation} was applied after generation {self.applied_generation}")
        self.applied_generation = exam.generation
        self.epoch += 1

    def _change_job(self, action: Action) -> None:
        job = self.jobs.get(action.revision)
        if action.verb is Verb.CREATE_JOB:
            self._create_job(action.revision)
        elif job is not None and (job.uid == action.job or not self.safe.uid):
            if action.verb is Verb.DELETE_JOB:
                if job.state is JobState.RUNNING:
                    raise HarmError("a running Job was deleted")
                if len(self.ledger.get(action.revision, ())) == CHUNKS:
                    if self.safe.recheck_ledger:
                        raise ConflictError
                    raise HarmError("a Job that had graded was deleted")
                del self.jobs[action.revision]
            elif job.state is JobState.SUSPENDED:
                job.state = JobState.RUNNING
        elif action.verb is Verb.RELEASE_JOB:
            raise ConflictError

    def _create_job(self, revision: int) -> None:
        """Open a later revision than the first, then create its Job, each unless it exists."""
        if revision > 1:
            self.ledger.setdefault(revision, set())
        if revision not in self.jobs:
            self.jobs[revision] = StoredJob(uid=str(next(self.uids)), revision=revision)

    # Changes without an operator

    def run_job(self, revision: int) -> None:
        """Run one step of a running Job: the seal, then the revision's chunks, then its completion."""
        job = self.jobs[revision]
        if self.sealed_at is None:
            if not self.drained:
                raise HarmError("sealed before all acknowledged answers were recorded")
            self.sealed_at, self.state = self.now, State.SEALED
        elif revision > 1 and revision not in self.ledger:
            raise HarmError("a Job was created for a revision that web has not opened")
        elif len(self.ledger.setdefault(revision, set())) < CHUNKS:
            if any(len(chunks) < CHUNKS for number, chunks in self.ledger.items() if number < revision):
                raise HarmError("a revision was started before the previous one was complete")
            self.ledger[revision].add(len(self.ledger[revision]))
        else:
            job.state = JobState.COMPLETE

    def edit(self, **changes: Any) -> None:  # noqa: ANN401 - any field of an Exam
        """Change the resource; a change of the spec raises its generation."""
        if self.exam is None:
            raise ConflictError
        generation = self.exam.generation + ("spec" in changes)
        version = str(int(self.exam.resource_version) + 1)
        self.exam = replace(self.exam, resource_version=version, generation=generation, **changes)


def make_exam(now: int) -> Exam:
    """An Exam whose window opens in ten minutes, for an hour."""
    return Exam(
        key=ExamKey("exams", "midterm", "0" * 36),
        generation=1,
        resource_version="1",
        deleting=False,
        finalizers=(),
        spec=ExamSpec(
            exam="algebra-101",
            owner="",
            paper_from=None,
            window=Window(opens_at=now + 10 * MINUTE, closes_at=now + 70 * MINUTE, duration=60 * MINUTE),
            desired_state=DesiredState.SCHEDULED,
            candidates=100,
            refreeze="",
            scoring=None,
            solver=SolverSpec(min_replicas=1, max_replicas=20, candidates_per_replica=500, prewarm=5 * MINUTE),
            grading=GradingSpec(parallelism=1, revision=1, automatic=False),
        ),
        status=ExamStatus(),
    )
