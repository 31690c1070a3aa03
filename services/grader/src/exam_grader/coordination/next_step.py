"""What to do next with a sitting: a pure reading of what PostgreSQL says.

No step is remembered anywhere else. So a coordinator may be killed between any two of them, and the next one, or
another one running at the same time, reads the same facts and goes on.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """A revision and its ledger.

    Attributes:
        graded: whether it was declared complete.
        due_for_publication: whether it is to be published automatically and is not yet.
        chunks: how many chunks it has.
        missing: those that the ledger lacks.
        idle: seconds since the ledger last grew, or since the revision was opened.
    """

    graded: bool
    due_for_publication: bool = False
    chunks: int
    missing: tuple[int, ...]
    idle: float = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A sitting as PostgreSQL has it at one moment.

    Attributes:
        name: what people call it.
        state: its state.
        over: whether every personal deadline has passed.
        ends_at: the latest personal deadline possible; None while the sitting is paused.
        revision: the revision asked for, None while it was not opened.
        published: the number of the published revision, 0 for none.
    """

    name: str
    state: State
    over: bool
    ends_at: int | None
    revision: RevisionView | None
    published: int


class Step(Enum):
    """Everything a coordinator may do."""

    STOP = auto()
    CLOSE = auto()
    SEAL = auto()
    OPEN = auto()
    GRADE = auto()
    COMPLETE = auto()
    PUBLISH = auto()
    REST = auto()


def next_step(view: View, *, stop: bool = False) -> Step:
    """The one step that is next on the way to a graded (and, if automatic, published) revision.

    Args:
        view: what is known.
        stop: whether an open sitting is to be ended early.

    Raises:
        Problem: STATE_CONFLICT when the window is still open, CANCELLED when there is nothing to grade.
    """
    match view.state:
        case State.CANCELLED:
            raise Problem(ProblemKind.CANCELLED, f"{view.name} was cancelled: there is nothing to grade")
        case State.SCHEDULED if view.over:
            return Step.CLOSE
        case State.SCHEDULED if stop:
            return Step.STOP
        case State.SCHEDULED:
            raise Problem(ProblemKind.STATE_CONFLICT, _still_open(view))
        case State.CLOSING:
            return Step.SEAL
        case State.SEALED:
            return _grading_step(view)


def _grading_step(view: View) -> Step:
    if view.revision is None:
        return Step.OPEN
    if not view.revision.graded:
        return Step.GRADE if view.revision.missing else Step.COMPLETE
    return Step.PUBLISH if view.revision.due_for_publication else Step.REST


def _still_open(view: View) -> str:
    if view.ends_at is None:
        return f"{view.name} is paused: resume it and let it end, or end it now with --stop"
    return f"{view.name} is not over before {rfc3339(view.ends_at)}: wait for it, or end it now with --stop"
