"""Bodies of requests and responses about degrees."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from ninja import Field, Schema

from exam_core.degree_changes import DEFAULT_BINS, Distribution, rounded_points
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
    points_note: str | None = Field(
        None, description="Why the points do not add up to the total, to be shown under them; null if they do"
    )
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
    points_note: str | None = Field(
        None, description="Why the points do not add up to the total, to be shown under them; null if they do"
    )
    paper: dict[str, Any] | None
    answers: list[dict[str, Any]] | None = Field(description="The counted answers, as the student sent them")
    key: list[dict[str, Any] | None] | None = Field(
        description="What scored each question: the credits of choices by number, accepted answers, the numbers of the"
        " stems' targets, or the order of the items; with the adjustments of the revision and their reasons"
    )


class DistributionShown(Schema):
    """The degrees of a revision; mean and median are rounded half up to the cent."""

    revision: int
    students: int
    below_zero: int = Field(description="Totals below 0, which are in no bin")
    bins: list[int] = Field(
        description="Of n bins, bin k counts totals from k/n of the maximum to less than (k + 1)/n; the last one also"
        " the maximum"
    )
    mean: Decimal | None
    median: Decimal | None
    passed: int | None = Field(description="How many reach the pass mark; null without one")

    @classmethod
    def of(cls, revision: int, found: Distribution) -> "DistributionShown":
        """The distribution of the degrees of a revision."""
        return cls(
            revision=revision,
            students=found.students,
            below_zero=found.below_zero,
            bins=list(found.bins),
            mean=None if found.mean is None else rounded_points(found.mean),
            median=None if found.median is None else rounded_points(found.median),
            passed=found.passed,
        )


class MoveShown(Schema):
    """A student whose total is another one."""

    student: str
    before: Decimal
    after: Decimal
    difference: Decimal


class MovePage(Schema):
    """One page of the students whose total is another one; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[MoveShown]


class StudentPage(Schema):
    """One page of students; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[str]


class ChangesShown(Schema):
    """What a revision changes against an earlier one; `limit` and `offset` are those of all lists of students."""

    sitting: str
    before: DistributionShown
    after: DistributionShown
    moved: MovePage = Field(description="The greatest loss first")
    unchanged: int = Field(description="Students with the same total in both")
    maximum_changed: int = Field(description="Students whose maximum is another one")
    passed: StudentPage = Field(description="Students who reach the pass mark after and did not before")
    failed: StudentPage = Field(description="Students who reached the pass mark before and do not after")
    removed: StudentPage = Field(description="Students who have a degree before alone")
    added: StudentPage = Field(description="Students who have a degree after alone")


class ChangesQuery(Schema):
    """Query parameters of a comparison."""

    against: int | None = Field(
        None, ge=1, description="Another revision; by default the published one if it is earlier, else the one before"
    )
    pass_mark: str | None = Field(
        None, max_length=40, description="A share of the maximum like 50% or 1/2, or points like 12.5"
    )
    bins: int = Field(DEFAULT_BINS, ge=1, le=100)


class Filters(Schema):
    """Query parameters that select degrees."""

    exam: str | None = None
    sitting: str | None = None
    revision: int | None = None
