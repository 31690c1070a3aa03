"""A degree on its way into the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from exam_core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreeRow:
    """One student's result as a grader hands it over; `points` holds one decimal text or None a question."""

    student: int
    total: Decimal
    maximum: Decimal
    points: Sequence[Json]
    answered: int
    started_at: datetime | None
    submitted_at: datetime | None
