"""Bodies of requests and responses about degrees."""

from datetime import datetime
from decimal import Decimal

from ninja import Schema


class DegreeShown(Schema):
    """A degree; `points` holds one number a question, null where nothing was answered."""

    exam: str
    sitting: str
    revision: int
    student: str
    total: Decimal
    maximum: Decimal
    answered: int
    points: list[Decimal | None]
    published_at: datetime | None


class DegreePage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[DegreeShown]


class Filters(Schema):
    """Which degrees are wanted."""

    exam: str | None = None
    sitting: str | None = None
    revision: int | None = None
