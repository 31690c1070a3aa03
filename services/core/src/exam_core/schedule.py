"""What a solver knows of the sittings: the part of PostgreSQL's truth that travels with the lease."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from exam_core.windows import Window


class State(StrEnum):
    """A sitting's state; opening is not one, the window is judged by the clock."""

    SCHEDULED = "scheduled"
    CLOSING = "closing"
    SEALED = "sealed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSitting:
    """One sitting as a solver needs it.

    `accommodations` maps a student to extra time in µs. `buckets` is fixed at provisioning.
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
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read one entry of what the lease function returns (`docs/architecture.md`, «The lease»)."""
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
