"""The status of an `Exam`, as the CRD describes it; instants in µs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from exam_core.canonical import JsonObject
from exam_operator.model.json_fields import INSTANT, JsonFields, codec, nested


class Phase(StrEnum):
    """The stage of a sitting in one word, for people; programs read the conditions."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    WARMING = "Warming"
    OPEN = "Open"
    PAUSED = "Paused"
    CLOSING = "Closing"
    GRADING = "Grading"
    GRADED = "Graded"
    PUBLISHED = "Published"
    CANCELLED = "Cancelled"


WARM_PHASES = frozenset({Phase.WARMING, Phase.OPEN, Phase.PAUSED})
"""In these phases the status reports how many solver pods are ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(JsonFields):
    """One condition, by the conventions of the Kubernetes API."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: int | None = field(default=None, metadata=INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStatus(JsonFields):
    """The window that PostgreSQL enforces; `ends_at` is absent during a pause, whose length is not known."""

    opens_at: int | None = field(default=None, metadata=INSTANT)
    closes_at: int | None = field(default=None, metadata=INSTANT)
    ends_at: int | None = field(default=None, metadata=INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringStatus(JsonFields):
    """The scoring policy of the sitting."""

    multiple: str | None = None
    negative_total: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityStatus(JsonFields):
    """Solver pods: what this sitting wants, and how many are ready for all sittings."""

    wanted: int | None = None
    ready: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealStatus(JsonFields):
    """The sealed answers."""

    at: int | None = field(default=None, metadata=INSTANT)
    answers: int | None = None
    students: int | None = None
    digest: str | None = None
    statement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingStatus(JsonFields):
    """The revision that is being graded, or the last one that was."""

    revision: int | None = None
    job_name: str | None = None
    job_uid: str | None = None
    chunks: int | None = None
    graded: int | None = None
    failed: int | None = None
    started_at: int | None = field(default=None, metadata=INSTANT)
    finished_at: int | None = field(default=None, metadata=INSTANT)


def _parse_phase(text: str) -> Phase | None:
    return Phase(text) if text in set(Phase) else None


def _parse_conditions(bodies: Iterable[JsonObject]) -> tuple[Condition, ...]:
    return tuple(map(Condition.from_json, bodies))


def _conditions_json(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    return [each.to_json() for each in conditions]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamStatus(JsonFields):
    """The whole status; a field that is None is absent."""

    phase: Phase | None = field(default=None, metadata=codec(_parse_phase, str))
    reason: str | None = None
    observed_generation: int | None = None
    sitting: str | None = None
    sitting_id: str | None = None
    epoch: int | None = None
    paper_digest: str | None = None
    paper_frozen_at: int | None = field(default=None, metadata=INSTANT)
    refreeze: str | None = None
    window: WindowStatus | None = field(default=None, metadata=nested(WindowStatus))
    scoring: ScoringStatus | None = field(default=None, metadata=nested(ScoringStatus))
    capacity: CapacityStatus | None = field(default=None, metadata=nested(CapacityStatus))
    seal: SealStatus | None = field(default=None, metadata=nested(SealStatus))
    grading: GradingStatus | None = field(default=None, metadata=nested(GradingStatus))
    published_revision: int | None = None
    published_at: int | None = field(default=None, metadata=INSTANT)
    conditions: tuple[Condition, ...] = field(default=(), metadata=codec(_parse_conditions, _conditions_json))

    @property
    def conditions_by_type(self) -> dict[str, Condition]:
        """The conditions by their type."""
        return {each.type: each for each in self.conditions}
