"""A world around the planner for tests: PostgreSQL's side of a sitting, one Exam, its Jobs, as pure data.

It does what web and the API server do when they are asked, by the core's own rules where there are any, and raises when
something happens that never must. Each safety can be switched off, for tests that want to see the harm.
"""

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from exam_core.deadlines import ends_at
from exam_core.instants import MINUTE, SECOND
from exam_core.problems import Problem
from exam_core.schedule import State
from exam_core.windows import Pause, may_become
from exam_core.windows import Window as CoreWindow
from exam_operator.decide.plan import Action, Verb
from exam_operator.model.exam import FINALIZER, DesiredState, Exam, ExamKey, ExamSpec, GradingSpec, SolverSpec, Window
from exam_operator.model.observed import Job, JobState, ObservedState, Rejection, Revision, Seal, Sitting

EPOCH_2027 = 1_800_000_000 * SECOND
"""When every world begins."""
LEASE_TTL = 30 * SECOND
CHUNKS = 2
"""Into how many chunks each revision is split."""


class HarmError(AssertionError):
    """What must never happen has happened."""


class ConflictError(Exception):
    """Something has changed since it was looked at."""


class RejectedError(Exception):
    """It cannot be as wished."""


@dataclass(frozen=True)
class Safeties:
    """What keeps harm away; a control switches one off."""

    epoch: bool = True
    sitting_first: bool = True
    drain: bool = True
    ledger: bool = True
    uid: bool = True
    look_again: bool = True


@dataclass
class MadeJob:
    """A Job as the cluster has it."""

    uid: str
    revision: int
    state: JobState = JobState.SUSPENDED


@dataclass
class Operator:
    """What an operator has in mind between two calls; all of it is gone when it is ended."""

    sitting: Sitting | None = None
    resource: Exam | None = None
    observed: ObservedState | None = None
    looked: bool = False
    rejections: dict[Verb, Rejection] = field(default_factory=dict)


class World:
    """Everything that outlives an operator."""

    def __init__(self, safeties: Safeties) -> None:
        self.safe = safeties
        self.now = EPOCH_2027
        self.written = True
        self.resource: Exam | None = make_exam(self.now)
        self.window: CoreWindow | None = None
        self.state = State.SCHEDULED
        self.epoch = 0
        self.distributed = self.drained = False
        self.sealed_at: int | None = None
        self.ledger: dict[int, set[int]] = {}
        self.published = 0
        self.jobs: dict[int, MadeJob] = {}
        self.uids = count(1)
        self.carried = 0
        self.closing_window: CoreWindow | None = None

    # what can be seen

    @property
    def end(self) -> int | None:
        """The last deadline."""
        return None if self.window is None else ends_at(self.window, max_extra=0)

    def sitting(self) -> Sitting | None:
        """PostgreSQL's side, as web tells it."""
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
            paper="a" * 64,
            distributed=self.distributed,
            drained=self.drained,
            seal=None if self.sealed_at is None else Seal(at=self.sealed_at, answers=1, students=1, digest="b"),
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
        """A grading Job, as the API server tells it."""
        made = self.jobs.get(revision)
        return None if made is None else Job(name=f"r{revision}", uid=made.uid, state=made.state, failures=0)

    # what the platform does when it is asked; each as its counterpart in web or the API server

    def do(self, action: Action, resource: Exam, observed: ObservedState) -> None:
        """Carry out an action that was decided on what was seen then."""
        seen = observed.sitting
        if action.verb in (Verb.ADD_FINALIZER, Verb.REMOVE_FINALIZER):
            self._finalizers(resource, has_finalizer=action.verb is Verb.ADD_FINALIZER)
        elif action.verb is Verb.PROVISION:
            self._provision(resource)
        elif action.verb in (Verb.CREATE_JOB, Verb.RELEASE_JOB, Verb.DELETE_JOB):
            self._job(action)
        elif seen is not None:
            self._change(action, resource, seen)

    def _finalizers(self, resource: Exam, *, has_finalizer: bool) -> None:
        if self.resource is None or self.resource.version != resource.version:
            raise ConflictError
        self.edit(finalizers=(FINALIZER,) if has_finalizer else ())
        if self.resource.deleting and not has_finalizer:
            self.resource = None

    def _provision(self, resource: Exam) -> None:
        if not self.written:
            raise RejectedError
        if self.window is not None:
            if self.safe.epoch:
                raise ConflictError
            self._move(resource)
            return
        spec = resource.spec
        if spec.window.closes_at <= self.now:
            raise RejectedError
        self.window = CoreWindow(
            opens_at=spec.window.opens_at, closes_at=spec.window.closes_at, duration=spec.window.duration
        )
        self._carry(resource)

    def _change(self, action: Action, resource: Exam, seen: Sitting) -> None:
        verb = action.verb
        if verb is Verb.DISTRIBUTE:
            self.distributed = True
        elif verb is Verb.PUBLISH:
            if len(self.ledger.get(action.revision, ())) < CHUNKS:
                raise ConflictError
            self.published = max(self.published, action.revision)
        elif verb is Verb.CLOSE:
            self._close()
        else:
            if self.safe.epoch and seen.epoch != self.epoch:
                raise ConflictError
            if verb is Verb.CHANGE_WINDOW:
                self._move(resource)
            elif self.state is not State.SCHEDULED:
                raise ConflictError
            else:
                self._turn(verb, resource)

    def _close(self) -> None:
        if self.state is not State.SCHEDULED or self.end is None or self.now <= self.end:
            raise ConflictError
        self._ended(State.CLOSING)

    def _move(self, resource: Exam) -> None:
        if self.window is None or self.state is not State.SCHEDULED:
            raise ConflictError
        desired = resource.spec.window
        moved = replace(self.window, opens_at=desired.opens_at, closes_at=desired.closes_at, duration=desired.duration)
        if moved == self.window:
            return
        try:
            may_become(self.window, moved, now=self.now, ends_at=self.end, lease_ttl=LEASE_TTL)
        except Problem as problem:
            raise RejectedError from problem
        self.window = moved
        self._carry(resource)

    def _turn(self, verb: Verb, resource: Exam) -> None:
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
            self._ended(State.CLOSING)
        elif verb is Verb.CANCEL:
            self._ended(State.CANCELLED)
        self._carry(resource)

    def _ended(self, state: State) -> None:
        self.state, self.closing_window = state, self.window
        self.epoch += 1

    def _carry(self, resource: Exam) -> None:
        """A wish has become PostgreSQL's: never an older one than the last that did."""
        if resource.generation < self.carried:
            raise HarmError(f"wish {resource.generation} was carried after wish {self.carried}")
        self.carried = resource.generation
        self.epoch += 1

    def _job(self, action: Action) -> None:
        job = self.jobs.get(action.revision)
        if action.verb is Verb.CREATE_JOB:
            if job is None:
                self.jobs[action.revision] = MadeJob(uid=str(next(self.uids)), revision=action.revision)
        elif job is not None and (job.uid == action.job or not self.safe.uid):
            if action.verb is Verb.DELETE_JOB:
                if job.state is JobState.RUNNING:
                    raise HarmError("a Job that was running well was deleted")
                if len(self.ledger.get(action.revision, ())) == CHUNKS:
                    if self.safe.look_again:
                        raise ConflictError
                    raise HarmError("a Job that had graded was deleted")
                del self.jobs[action.revision]
            elif job.state is JobState.SUSPENDED:
                job.state = JobState.RUNNING
        elif action.verb is Verb.RELEASE_JOB:
            raise ConflictError

    # what happens by itself

    def work(self, revision: int) -> None:
        """A running Job does one step: the seal, then the revision's chunks, then its end."""
        job = self.jobs[revision]
        if self.sealed_at is None:
            if not self.drained:
                raise HarmError("sealed before all that was acknowledged is on record")
            self.sealed_at, self.state = self.now, State.SEALED
        elif len(self.ledger.setdefault(revision, set())) < CHUNKS:
            if any(len(chunks) < CHUNKS for number, chunks in self.ledger.items() if number < revision):
                raise HarmError("a revision was begun before the one before it was done")
            self.ledger[revision].add(len(self.ledger[revision]))
        else:
            job.state = JobState.COMPLETE

    def edit(self, **changes: Any) -> None:  # noqa: ANN401 - any field of a resource
        """The resource changes; a wish raises its generation."""
        if self.resource is None:
            raise ConflictError
        generation = self.resource.generation + ("spec" in changes)
        version = str(int(self.resource.version) + 1)
        self.resource = replace(self.resource, version=version, generation=generation, **changes)


def make_exam(now: int) -> Exam:
    """An Exam whose window opens in ten minutes, for an hour."""
    return Exam(
        key=ExamKey("exams", "midterm", "0" * 36),
        generation=1,
        version="1",
        deleting=False,
        finalizers=(),
        spec=ExamSpec(
            exam="algebra-101",
            paper_from=None,
            window=Window(opens_at=now + 10 * MINUTE, closes_at=now + 70 * MINUTE, duration=60 * MINUTE),
            desired=DesiredState.SCHEDULED,
            candidates=100,
            solver=SolverSpec(min_replicas=1, max_replicas=20, candidates_per_replica=500, prewarm=5 * MINUTE),
            grading=GradingSpec(parallelism=1, revision=1, automatic=False),
        ),
        status={},
    )
