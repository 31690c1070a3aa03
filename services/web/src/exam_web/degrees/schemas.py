"""Bodies of requests and responses about degrees."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from ninja import Field, Schema

from exam_web.exams.schemas import Review


class DegreeListed(Schema):
    """A degree; `points` has a number per question, null where it was not answered.

    To a student, `points` is null while another sitting of the exam is to come: they tell which answers are right. It
    stays null if the exam's review policy does not show points.
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


class ReviewShown(Schema):
    """What a student may see of an own attempt, by the exam's review policy.

    Numbers of questions, choices, stems, targets and items are those of the paper. All but the degree is null while
    another sitting of the exam is open or to come, and where the policy does not show it. In paper and key, a question
    that was not drawn for the student is null.
    """

    sitting: str
    review: Review
    revision: int
    total: Decimal
    maximum: Decimal
    answered: int
    points: list[Decimal | None] | None
    paper: dict[str, Any] | None
    answers: list[dict[str, Any]] | None = Field(description="The counted answers, as the student sent them")
    key: list[dict[str, Any] | None] | None = Field(
        description="What scored each question: the credits of choices by number, accepted answers, the numbers of the"
        " stems' targets, or the order of the items; with the adjustments of the revision and their reasons"
    )


class Filters(Schema):
    """Query parameters that select degrees."""

    exam: str | None = None
    sitting: str | None = None
    revision: int | None = None
