"""The observed state: the sitting in PostgreSQL, its grading Job, the solver pods. Instants in µs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from exam_core.canonical import JsonObject
from exam_core.schedule import State
from exam_core.scoring import MultipleRule, Policy
from exam_operator.model.exam import Window
from exam_operator.model.instants import parse_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The sealed set of answers, which are the ones that count."""

    at: int
    answers: int
    students: int
    digest: str
    statement: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The progress of one grading; `graded` counts chunks, `done` means that the ledger is complete."""

    number: int
    done: bool
    chunks: int
    graded: int
    started_at: int
    finished_at: int | None


class Change(StrEnum):
    """What of the exam changed since the paper was frozen."""

    NONE = "none"
    KEY = "key"
    PAPER = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The exam's present content against the frozen paper; `detail` names the differences."""

    change: Change
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """A sitting in PostgreSQL; `now` is the platform's time at which it was read.

    `refreeze` is the last value of ``spec.refreeze`` that was applied.
    """

    id: str
    state: State
    epoch: int
    now: int
    window: Window
    paused: bool
    ends_at: int | None
    paper: str
    frozen_at: int
    refreeze: str
    content: Content
    candidates: int
    scoring: Policy
    distributed: bool
    drained: bool
    seal: Seal | None
    revisions: tuple[Revision, ...]
    published_revision: int
    published_at: int | None

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Parse a sitting of web's internal API."""
        window, seal = body["window"], body["seal"]
        return cls(
            id=body["id"],
            state=State(body["state"]),
            epoch=body["epoch"],
            now=parse_instant(body["now"]),
            window=Window(
                opens_at=parse_instant(window["opens_at"]),
                closes_at=parse_instant(window["closes_at"]),
                duration=window["duration_us"],
            ),
            paused=window["paused"],
            ends_at=_instant_or_none(body["ends_at"]),
            paper=body["paper"],
            frozen_at=parse_instant(body["frozen_at"]),
            refreeze=body["refreeze"],
            content=Content(change=Change(body["content"]["change"]), detail=body["content"]["detail"]),
            candidates=body["candidates"],
            scoring=Policy(
                multiple=MultipleRule(body.get("multiple", MultipleRule.ALL_OR_NOTHING)),
                negative_total=body.get("negative_total", False),
            ),
            distributed=body["distributed"],
            drained=body["drained"],
            seal=None
            if seal is None
            else Seal(
                at=parse_instant(seal["at"]),
                answers=seal["answers"],
                students=seal["students"],
                digest=seal["digest"],
                statement=seal.get("statement"),
            ),
            revisions=tuple(
                Revision(
                    number=revision["number"],
                    done=revision["state"] == "graded",
                    chunks=revision["chunks"],
                    graded=revision["graded"],
                    started_at=parse_instant(revision["started_at"]),
                    finished_at=_instant_or_none(revision["finished_at"]),
                )
                for revision in body["revisions"]
            ),
            published_revision=body["published_revision"],
            published_at=_instant_or_none(body["published_at"]),
        )

    def has_opened(self, now: int) -> bool:
        """Whether its window has begun."""
        return now >= self.window.opens_at

    @property
    def graded_revision(self) -> int:
        """The last revision whose ledger is complete, 0 before the first."""
        return max((revision.number for revision in self.revisions if revision.done), default=0)

    def revision(self, number: int) -> Revision | None:
        """A revision by its number; None before its grading has started."""
        return next((revision for revision in self.revisions if revision.number == number), None)


class JobState(StrEnum):
    """The state of a grading Job."""

    SUSPENDED = "suspended"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The grading Job of a sitting and revision; its name is deterministic."""

    name: str
    uid: str
    state: JobState
    failures: int

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Parse a Job of the API server."""
        metadata, status = body["metadata"], body.get("status", {})
        true = {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}
        if "deletionTimestamp" in metadata:
            state = JobState.TERMINATING
        elif "Failed" in true or "FailureTarget" in true:
            state = JobState.FAILED
        elif "Complete" in true:
            state = JobState.COMPLETE
        elif body["spec"].get("suspend"):
            state = JobState.SUSPENDED
        else:
            state = JobState.RUNNING
        return cls(name=metadata["name"], uid=metadata["uid"], state=state, failures=status.get("failed", 0))


class PodFault(NamedTuple):
    """What keeps a Deployment's pods from being ready: one CamelCase word, and a sentence that says what to do."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverCapacity:
    """Solver pods.

    Attributes:
        needed: how many all current sittings need together.
        limit: how many the platform allows.
        ready: how many are ready.
        kept: the minimum that was last written to the autoscaler.
        wanted: how many this sitting requests.
        fault: what keeps pods from being ready, if anything is known.
    """

    needed: int
    limit: int
    ready: int
    kept: int
    wanted: int
    fault: PodFault | None = None

    @property
    def floor(self) -> int:
        """How many have to be ready: what the sittings need, as far as the platform allows it."""
        return min(self.needed, self.limit)

    @property
    def steady(self) -> int:
        """How many will stay: ready pods above the autoscaler's minimum may be removed at any moment."""
        return min(self.ready, self.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An action that web rejected.

    Attributes:
        action: the verb.
        generation: the generation of the resource that asked for it.
        at: when it was rejected.
        reason: one CamelCase word, for programs.
        message: a sentence, for people.
    """

    action: str
    generation: int
    at: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedState:
    """Everything that a plan depends on, besides the resource itself and the time.

    Attributes:
        sitting: the sitting in PostgreSQL; None when it does not exist.
        job: the Job of the revision to grade next; None when it was not read or does not exist.
        job_slot: whether another Job may run now.
        rejections: the last rejection of each action.
        drain_requested: whether this reconciliation has asked web to drain the sitting.
        namespace_terminating: whether the resource's namespace is being deleted.
    """

    sitting: Sitting | None
    job: Job | None = None
    job_slot: bool = True
    rejections: tuple[Rejection, ...] = ()
    drain_requested: bool = False
    namespace_terminating: bool = False

    def rejection(self, action: str, generation: int) -> Rejection | None:
        """The last rejection of an action for a generation of the resource."""
        return next((each for each in self.rejections if (each.action, each.generation) == (action, generation)), None)


def _instant_or_none(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)
