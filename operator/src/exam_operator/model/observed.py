"""What the operator finds when it looks: the sitting in PostgreSQL, its grading Job, the clock. Instants in µs."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from exam_core.canonical import JsonObject
from exam_core.instants import to_micros
from exam_core.schedule import State
from exam_operator.model.exam import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The set of answers that counts."""

    at: int
    answers: int
    students: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One grading and how far it is; `graded` counts chunks, `done` says that the ledger is full."""

    number: int
    done: bool
    chunks: int
    graded: int
    started_at: int
    finished_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """A sitting as PostgreSQL has it; `now` is the platform's time at which it was looked at."""

    id: str
    state: State
    epoch: int
    now: int
    window: Window
    paused: bool
    ends_at: int | None
    paper: str
    distributed: bool
    drained: bool
    seal: Seal | None
    revisions: tuple[Revision, ...]
    published_revision: int
    published_at: int | None

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read what web's internal API says of a sitting."""
        window, seal = body["window"], body["seal"]
        return cls(
            id=body["id"],
            state=State(body["state"]),
            epoch=body["epoch"],
            now=_instant(body["now"]),
            window=Window(
                opens_at=_instant(window["opens_at"]),
                closes_at=_instant(window["closes_at"]),
                duration=window["duration_us"],
            ),
            paused=window["paused"],
            ends_at=_instant_or_none(body["ends_at"]),
            paper=body["paper"],
            distributed=body["distributed"],
            drained=body["drained"],
            seal=None
            if seal is None
            else Seal(
                at=_instant(seal["at"]), answers=seal["answers"], students=seal["students"], digest=seal["digest"]
            ),
            revisions=tuple(
                Revision(
                    number=revision["number"],
                    done=revision["state"] == "graded",
                    chunks=revision["chunks"],
                    graded=revision["graded"],
                    started_at=_instant(revision["started_at"]),
                    finished_at=_instant_or_none(revision["finished_at"]),
                )
                for revision in body["revisions"]
            ),
            published_revision=body["published_revision"],
            published_at=_instant_or_none(body["published_at"]),
        )

    def opened(self, now: int) -> bool:
        """Whether its window has begun."""
        return now >= self.window.opens_at

    @property
    def graded_revision(self) -> int:
        """The last revision whose ledger is full, 0 when there is none."""
        return max((revision.number for revision in self.revisions if revision.done), default=0)

    def revision(self, number: int) -> Revision | None:
        """One revision, when it was opened."""
        return next((revision for revision in self.revisions if revision.number == number), None)


class JobState(StrEnum):
    """What a grading Job is about."""

    SUSPENDED = "suspended"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    TERMINATING = "terminating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The grading Job of a sitting and revision, by its deterministic name."""

    name: str
    uid: str
    state: JobState
    failures: int

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read a Job as the API server gives it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """What web said no to, and why; `at` is when, `reason` one word for machines, `message` a sentence for people."""

    action: str
    generation: int
    at: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedState:
    """Everything that a plan is made from, besides the resource itself.

    Attributes:
        sitting: as PostgreSQL has it; None when there is none.
        job: the Job of the revision that is to be graded next, when it was looked for and is there.
        job_slot: whether another Job may run now.
        refusals: what web said no to, the last answer to each action.
        namespace_ends: whether the resource's namespace is being deleted.
    """

    sitting: Sitting | None
    job: Job | None = None
    job_slot: bool = True
    rejections: tuple[Rejection, ...] = ()
    namespace_terminating: bool = False

    def rejection(self, action: str, generation: int) -> Rejection | None:
        """The last refusal of an action that a generation of the resource wished for."""
        return next((no for no in self.rejections if (no.action, no.generation) == (action, generation)), None)


def _instant(text: str) -> int:
    return to_micros(datetime.fromisoformat(text))


def _instant_or_none(text: str | None) -> int | None:
    return None if text is None else _instant(text)
