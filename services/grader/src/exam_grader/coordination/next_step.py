"""Derives the next step for a sitting from what PostgreSQL has recorded. Pure.

No other state is kept. So a coordinator may be killed between any two steps: the next one, or another one running
concurrently, derives the same step from the same facts.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSnapshot:
    """A revision and its ledger.

    Attributes:
        graded: whether it was declared complete.
        due_for_publication: whether it is to be published automatically and is not yet.
        chunks: how many chunks it has.
        missing: the chunks that are not in the ledger.
        idle_seconds: time since the last ledger entry, or since the revision was opened.
    """

    graded: bool
    due_for_publication: bool = False
    chunks: int
    missing: tuple[int, ...]
    idle_seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingSnapshot:
    """A sitting as recorded in PostgreSQL at one moment.

    Attributes:
        name: its name, for messages.
        state: its state.
        over: whether the last personal deadline has passed.
        ends_at: the latest possible personal deadline; None while the sitting is paused.
        number: the number of the requested revision.
        revision: the requested revision, None until it is opened.
        published: the number of the published revision, 0 for none.
    """

    name: str
    state: State
    over: bool
    ends_at: int | None
    number: int = 1
    revision: RevisionSnapshot | None
    published: int


class Step(Enum):
    """The steps of a coordinator."""

    STOP = auto()
    CLOSE = auto()
    SEAL = auto()
    OPEN = auto()
    GRADE = auto()
    COMPLETE = auto()
    PUBLISH = auto()
    FINISH = auto()


def next_step(snapshot: SittingSnapshot, *, stop: bool = False) -> Step:
    """The next step towards a graded and, if automatic, published revision.

    Args:
        snapshot: the sitting and its revision.
        stop: whether to end an open window early.

    Raises:
        Problem: STATE_CONFLICT while the window is open, or when a revision after the first was not opened by web;
            CANCELLED for a cancelled sitting.
    """
    match snapshot.state:
        case State.CANCELLED:
            raise Problem(ProblemKind.CANCELLED, f"{snapshot.name} was cancelled: there is nothing to grade")
        case State.SCHEDULED if snapshot.over:
            return Step.CLOSE
        case State.SCHEDULED if stop:
            return Step.STOP
        case State.SCHEDULED:
            raise Problem(ProblemKind.STATE_CONFLICT, _still_open(snapshot))
        case State.CLOSING:
            return Step.SEAL
        case State.SEALED:
            return _grading_step(snapshot)


def _grading_step(snapshot: SittingSnapshot) -> Step:
    revision = snapshot.revision
    if revision is None and snapshot.number > 1:
        # The number may come from a message. Only the first revision has a key that was fixed before the opening.
        raise Problem(ProblemKind.STATE_CONFLICT, _not_open(snapshot))
    if revision is None:
        return Step.OPEN
    if not revision.graded:
        return Step.GRADE if revision.missing else Step.COMPLETE
    return Step.PUBLISH if revision.due_for_publication else Step.FINISH


def _not_open(snapshot: SittingSnapshot) -> str:
    return (
        f"revision {snapshot.number} of {snapshot.name} is not open: a revision after the first is opened by web, "
        "by the Exam's spec.grading.revision or by «Grade again» in the admin's list of sittings"
    )


def _still_open(snapshot: SittingSnapshot) -> str:
    if snapshot.ends_at is None:
        return f"{snapshot.name} is paused: resume it and wait for its end, or end it now with --stop"
    return f"{snapshot.name} is not over before {rfc3339(snapshot.ends_at)}: wait for it, or end it now with --stop"
