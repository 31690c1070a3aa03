"""Bodies of requests and responses about degrees."""

from datetime import datetime
from decimal import Decimal

from ninja import Schema


class DegreeListed(Schema):
    """A degree; `points` has a number per question, null where it was not answered.

    To a student, `points` is null while another sitting of the exam is to come: they tell which answers are right.
    """

    exam: str
    sitting: str
    revision: int
    student: str
    total: Decimal
    maximum: Decimal
    answered: int
    points: list[Decimal | None] | None
    published_at: datetime | None


class DegreePage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[DegreeListed]


class Filters(Schema):
    """Query parameters that select degrees."""

    exam: str | None = None
    sitting: str | None = None
    revision: int | None = None
