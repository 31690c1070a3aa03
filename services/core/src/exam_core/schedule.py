"""The schedule: the data about sittings that a solver reads from PostgreSQL with each lease renewal."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from uuid import UUID

from exam_core.canonical import JsonObject
from exam_core.windows import Window


class State(StrEnum):
    """A sitting's state. Open is not a state: the clock decides by the window."""

    SCHEDULED = "scheduled"
    CLOSING = "closing"
    SEALED = "sealed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSitting:
    """The data of one sitting that a solver needs.

    `accommodations` maps a student to extra time in µs. `paper` and `buckets` are fixed before the opening.
    """

    id: UUID
    state: State
    epoch: int
    level: str
    window: Window
    paper: str
    buckets: int
    accommodations: Mapping[int, int]

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read one entry of the lease function's result (`docs/architecture.md`, «The lease»)."""
        return cls(
            id=UUID(body["id"]),
            state=State(body["state"]),
            epoch=body["epoch"],
            level=body["level"],
            window=Window.from_json(body["window"]),
            paper=body["paper"],
            buckets=body["buckets"],
            accommodations={int(student): extra for student, extra in body["accommodations"].items()},
        )
