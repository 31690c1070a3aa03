"""Request and response bodies of the exams API."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import BeforeValidator

from exam_core import limits
from exam_core.numbers import parse_decimal

Namespace = Annotated[str, Field(max_length=limits.MAX_NAMESPACE, pattern=limits.NAMESPACE_PATTERN)]
Kind = Literal["single", "multiple", "numeric"]
Attempts = Literal["one", "each-sitting"]


def _read_number(value: object) -> object:
    """Read a number that is sent as text by the rules for students' answers; JSON numbers are left to pydantic."""
    return parse_decimal(value) if isinstance(value, str) else value


Number = Annotated[Decimal, BeforeValidator(_read_number)]


class ExamNew(Schema):
    """A new exam."""

    slug: str = Field(max_length=limits.MAX_SLUG, pattern=limits.SLUG_PATTERN)
    title: str = Field(min_length=1, max_length=limits.MAX_TITLE)
    level: str
    instructions: str = Field("", max_length=limits.MAX_TEXT)
    namespaces: list[Namespace] = Field(
        default_factory=list,
        max_length=limits.MAX_NAMESPACES,
        description="The Kubernetes namespaces whose Exam resources may hold the exam; none if empty",
    )
    published: bool = False
    attempts: Attempts = Field("one", description="How often a student may take the exam if it has several sittings")


class ExamChange(Schema):
    """Changes of an exam; omitted members keep their values."""

    title: str | None = Field(None, min_length=1, max_length=limits.MAX_TITLE)
    level: str | None = None
    instructions: str | None = Field(None, max_length=limits.MAX_TEXT)
    namespaces: list[Namespace] | None = Field(None, max_length=limits.MAX_NAMESPACES)
    published: bool | None = None
    attempts: Attempts | None = None


class ChoiceFields(Schema):
    """The editable members of a choice."""

    text: str = Field("", max_length=limits.MAX_CHOICE_TEXT)
    image: str | None = None
    correct: bool = False


class ChoiceNew(ChoiceFields):
    """A new choice."""

    id: str = Field(max_length=limits.MAX_IDENT, pattern=limits.IDENT_PATTERN)


class QuestionFields(Schema):
    """The editable members of a question; numbers sent as text keep their digits."""

    kind: Kind
    text: str = Field(min_length=1, max_length=limits.MAX_TEXT)
    weight: Number = Field(
        Decimal(1),
        ge=0,
        le=limits.MAX_WEIGHT,
        max_digits=limits.WEIGHT_DIGITS + limits.WEIGHT_PLACES,
        decimal_places=limits.WEIGHT_PLACES,
    )
    image: str | None = None
    max_choices: int | None = Field(None, ge=1, le=limits.MAX_CHOICES)
    value: Number | None = Field(
        None, max_digits=limits.KEY_DIGITS + limits.KEY_PLACES, decimal_places=limits.KEY_PLACES
    )
    tolerance: Number = Field(
        Decimal(0), ge=0, max_digits=limits.KEY_DIGITS + limits.KEY_PLACES, decimal_places=limits.KEY_PLACES
    )


class QuestionNew(QuestionFields):
    """A new question, optionally with choices."""

    id: str = Field(max_length=limits.MAX_IDENT, pattern=limits.IDENT_PATTERN)
    choices: list[ChoiceNew] = Field(default_factory=list, max_length=limits.MAX_CHOICES)


class SittingShown(Schema):
    """A sitting in an exam."""

    id: str
    name: str
    opens_at: datetime
    closes_at: datetime
    duration_seconds: float
    state: str


class ExamListed(Schema):
    """An exam in a list."""

    slug: str
    title: str
    level: str
    questions: int
    updated_at: datetime
    # A page that a release without drafts cached lacks it.
    published: bool = True


class ExamPage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[ExamListed]


class ChoiceKept(ChoiceFields):
    """A stored choice."""

    id: str


class QuestionKept(Schema):
    """A stored question with its key, for its author."""

    id: str
    kind: Kind
    text: str
    weight: Decimal
    image: str | None
    max_choices: int | None
    value: Decimal | None
    tolerance: Decimal
    choices: list[ChoiceKept]


class ExamForAuthor(ExamListed):
    """An exam for its author."""

    attempts: Attempts
    instructions: str
    namespaces: list[str]
    sittings: list[SittingShown]
    items: list[QuestionKept]
    faults: list[str]


class ExamForStudent(ExamListed):
    """An exam for a student; `paper` is null until the exam's last sitting is over, and never contains a key."""

    # A response that a release before cached lacks it.
    attempts: Attempts = "one"
    instructions: str
    sittings: list[SittingShown]
    paper: dict[str, Any] | None


class ImageKept(Schema):
    """A stored image; refer to it by its digest. Sizes in pixels."""

    sha256: str
    type: str
    width: int
    height: int
