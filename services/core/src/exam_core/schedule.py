"""The schedule: the data about sittings that a solver reads from PostgreSQL with each lease renewal."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from exam_core.canonical import JsonObject
from exam_core.entry import EntryRules
from exam_core.windows import Window

NO_RULES: Final = EntryRules()


class State(StrEnum):
    """A sitting's state. Open is not a state: the clock decides by the window."""

    SCHEDULED = "scheduled"
    CLOSING = "closing"
    SEALED = "sealed"
    CANCELLED = "cancelled"


class Attempts(StrEnum):
    """How often a student may take an exam that has several sittings."""

    ONE = "one"
    EACH_SITTING = "each-sitting"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSitting:
    """Another sitting of the same exam, in which a student may have begun it."""

    id: UUID
    state: State
    buckets: int

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read one; a state that only a later release has is one in which attempts count."""
        known = body["state"] in set(State)
        return cls(
            id=UUID(body["id"]), state=State(body["state"]) if known else State.SCHEDULED, buckets=body["buckets"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledExam:
    """The exam of a sitting: how often it may be taken, and all its other sittings, however long ago."""

    id: int
    attempts: Attempts
    others: tuple[OtherSitting, ...]

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read the member `exam` of an entry."""
        return cls(
            id=body["id"],
            attempts=Attempts(body["attempts"]),
            others=tuple(OtherSitting.from_json(other) for other in body["others"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSitting:
    """The data of one sitting that a solver needs.

    `exam` is None while the database has the schema of a release without it. `accommodations` maps a student to extra
    time in µs, that of the sitting and that of all exams together. `paper` and `buckets` are fixed before the opening.
    """

    id: UUID
    state: State
    epoch: int
    level: str
    window: Window
    paper: str
    buckets: int
    accommodations: Mapping[int, int]
    exam: ScheduledExam | None = None
    entry: EntryRules = NO_RULES
    """Who of the level may start."""

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read one entry of the lease function's result (`docs/architecture.md`, «The lease»).

        Where `entry` restricts the starts, the level is in it.
        """
        entry = body.get("entry")
        return cls(
            id=UUID(body["id"]),
            state=State(body["state"]),
            epoch=body["epoch"],
            level=body["level"] if entry is None else entry["level"],
            window=Window.from_json(body["window"]),
            paper=body["paper"],
            buckets=body["buckets"],
            accommodations={int(student): extra for student, extra in body["accommodations"].items()},
            exam=ScheduledExam.from_json(body["exam"]) if "exam" in body else None,
            entry=NO_RULES if entry is None else EntryRules.from_json(entry),
        )
