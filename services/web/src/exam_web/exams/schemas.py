"""Request and response bodies of the exams API."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from ninja import Field, Schema
from pydantic import AfterValidator, BeforeValidator, model_validator

from exam_core import limits
from exam_core.credits import parse_credit
from exam_core.numbers import parse_decimal
from exam_core.paper import MAX_QUESTIONS
from exam_core.questions.model import KindName
from exam_web.exams.kinds import ALL_SETTINGS, MAX_PARTS, SETTINGS, foreign_setting, read_settings
from exam_web.exams.models import MAX_CREDIT

Namespace = Annotated[str, Field(max_length=limits.MAX_NAMESPACE, pattern=limits.NAMESPACE_PATTERN)]
Kind = Literal["single", "true-false", "multiple", "numeric", "text", "matching", "ordering", "essay"]
Format = Literal["markdown", "html", "plain"]
Rule = Literal[
    "sum-of-credits",
    "all-or-nothing",
    "places",
    "successors",
    "successors-and-end",
    "neighbours",
    "pairs",
    "longest-subsequence",
    "longest-run",
    "distances",
]
Attempts = Literal["one", "each-sitting"]
Multiple = Literal["all-or-nothing", "proportional"]
Review = Literal["nothing", "degree", "points", "paper", "key"]


def _read_number(value: object) -> object:
    """Read a number that is sent as text by the rules for students' answers; JSON numbers are left to pydantic."""
    return parse_decimal(value) if isinstance(value, str) else value


def _check_credit(text: str) -> str:
    parse_credit(text)
    return text.strip()


Number = Annotated[Decimal, BeforeValidator(_read_number)]
Credit = Annotated[str, Field(max_length=MAX_CREDIT, examples=["1/3", "0.25", "-1/2"]), AfterValidator(_check_credit)]
"""A part of a question's weight, -1 to 1: a fraction or an exact decimal."""


class Scoring(Schema):
    """A scoring policy."""

    multiple: Multiple = Field(
        "all-or-nothing", description="The rule of the multiple-choice questions that name none of their own"
    )
    negative_total: bool = Field(False, description="Whether a total may be below 0")


class ScoringChange(Schema):
    """Changes of a scoring policy; omitted rules stay."""

    multiple: Multiple | None = None
    negative_total: bool | None = None


class ExamNew(Schema):
    """A new exam."""

    slug: str = Field(max_length=limits.MAX_SLUG, pattern=limits.SLUG_PATTERN)
    title: str = Field(min_length=1, max_length=limits.MAX_TITLE)
    level: str
    instructions: str = Field("", max_length=limits.MAX_TEXT)
    format: Format = Field("markdown", description="How the instructions are written, and the texts of new questions")
    namespaces: list[Namespace] = Field(
        default_factory=list,
        max_length=limits.MAX_NAMESPACES,
        description="The Kubernetes namespaces whose Exam resources may hold the exam; none if empty",
    )
    published: bool = False
    attempts: Attempts = Field("one", description="How often a student may take the exam if it has several sittings")
    scoring: Scoring = Field(
        default_factory=lambda: Scoring(multiple="all-or-nothing", negative_total=False),
        description="The policy of its sittings; each takes it when its paper is frozen, unless it is given its own",
    )
    review: Review = Field(
        "paper",
        description="What students may see afterwards: the degree once it is published, the rest once no sitting of"
        " the exam is open or to come; each value shows what those before it show",
    )


class ExamChange(Schema):
    """Changes of an exam; omitted members keep their values."""

    title: str | None = Field(None, min_length=1, max_length=limits.MAX_TITLE)
    level: str | None = None
    instructions: str | None = Field(None, max_length=limits.MAX_TEXT)
    format: Format | None = None
    namespaces: list[Namespace] | None = Field(None, max_length=limits.MAX_NAMESPACES)
    published: bool | None = None
    attempts: Attempts | None = None
    scoring: ScoringChange | None = None
    review: Review | None = None


class ChoiceFields(Schema):
    """The editable members of a part of a question.

    By the question's kind it is a choice (`text`, `image`, `correct` or `credit`), an accepted number (`text`, like
    `3`, `3±0.5`, `50±10%`, `7*/2`, `1..5`, `(1..5]` or `*`, and `credit`), an accepted text (`text`, `credit`), a stem
    (`text`, `image`, `target`), a target without a stem (`target` alone), or an item of an ordering question (`text`,
    `image`), the items in the right order. Accepted answers are tried in order; the first that matches counts.
    """

    text: str = Field("", max_length=limits.MAX_CHOICE_TEXT)
    image: str | None = None
    correct: bool = Field(default=False, description="Follows from the credit, if there is one")
    credit: Credit | None = Field(
        None,
        description="What a choice or an accepted answer earns; without it 1 for a correct choice and for an accepted"
        " answer, else 0",
    )
    target: str = Field("", max_length=limits.MAX_CHOICE_TEXT)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.credit is not None and "correct" in self.model_fields_set:
            positive = parse_credit(self.credit) > 0
            if positive != self.correct:
                raise ValueError("correct contradicts the credit: leave out one of them")
        return self


class ChoiceNew(ChoiceFields):
    """A new part of a question."""

    id: str = Field(max_length=limits.MAX_IDENT, pattern=limits.IDENT_PATTERN)


class QuestionSettings(Schema):
    """The members that questions of some kinds have; null is their default."""

    rule: Rule | None = Field(
        None,
        description="`multiple`: how credits are combined, `sum-of-credits` or `all-or-nothing`, by default the policy"
        " of the sitting; `ordering`: how another order is scored, one of all but `sum-of-credits`, by default"
        " `all-or-nothing`",
    )
    floor: Credit | None = Field(None, description="`multiple`: the least share, -1 to 0, by default 0")
    cap: Credit | None = Field(None, description="`multiple`: the greatest share, above 0 to 1, by default 1")
    answer: bool | None = Field(None, description="`true-false`: whether the statement is true")
    other_credit: Credit | None = Field(None, description="`true-false`: what the wrong answer earns, by default 0")
    unit: str | None = Field(None, max_length=limits.MAX_UNIT, description="`numeric`: shown beside the answer")
    case: bool | None = Field(None, description="`text`: whether small and capital letters differ, by default not")
    wildcards: bool | None = Field(
        None, description="`text`: whether `*` in an accepted text is any run of characters, by default not"
    )
    max_length: int | None = Field(
        None, ge=1, le=limits.MAX_SHORT_TEXT, description="`text`: the longest answer in characters, by default 255"
    )
    max_characters: int | None = Field(
        None, ge=1, le=limits.MAX_ESSAY, description="`essay`: the longest answer in characters, by default 20000"
    )
    min_words: int | None = Field(None, ge=1, le=limits.MAX_ESSAY, description="`essay`: shown to the student")
    max_words: int | None = Field(None, ge=1, le=limits.MAX_ESSAY, description="`essay`: shown to the student")
    template: str | None = Field(
        None, max_length=limits.MAX_TEXT, description="`essay`: the text that an answer begins with"
    )
    notes: str | None = Field(None, max_length=limits.MAX_TEXT, description="`essay`: for the marker alone")


class QuestionFields(QuestionSettings):
    """The editable members of a question; numbers sent as text keep their digits."""

    kind: Kind
    text: str = Field(min_length=1, max_length=limits.MAX_TEXT)
    format: Format | None = Field(
        None, description="How its texts are written; left out, that of the exam for a new question, else unchanged"
    )
    weight: Number = Field(
        Decimal(1),
        ge=0,
        le=limits.MAX_WEIGHT,
        max_digits=limits.WEIGHT_DIGITS + limits.WEIGHT_PLACES,
        decimal_places=limits.WEIGHT_PLACES,
    )
    shuffle: bool | None = Field(
        None,
        description="`single`, `multiple`, `matching`: whether each student sees choices, stems and targets in an own"
        " order; left out, true for a new question, else unchanged",
    )
    section: str | None = Field(
        None,
        description="The id of its section, after whose other questions it is placed; left out, none for a new"
        " question, else unchanged",
    )
    image: str | None = None
    max_choices: int | None = Field(
        None, ge=1, le=limits.MAX_CHOICES, description="`multiple`: how many choices may be selected, by default all"
    )
    value: Number | None = Field(
        None,
        max_digits=limits.KEY_DIGITS + limits.KEY_PLACES,
        decimal_places=limits.KEY_PLACES,
        description="`numeric`: the first accepted number; more of them are `choices`",
    )
    tolerance: Number = Field(
        Decimal(0),
        ge=0,
        max_digits=limits.KEY_DIGITS + limits.KEY_PLACES,
        decimal_places=limits.KEY_PLACES,
        description="`numeric`: how far an answer may be from `value`",
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        own = SETTINGS[KindName(self.kind)]
        given = self._settings()
        if foreign := [name for name in given if name not in own]:
            raise ValueError("; ".join(foreign_setting(KindName(self.kind), name) for name in foreign))
        _, faults = read_settings(KindName(self.kind), given)
        if faults:
            raise ValueError("; ".join(f"the question {fault.reason}" for fault in faults))
        return self

    def _settings(self) -> dict[str, Any]:
        return {name: value for name in ALL_SETTINGS if (value := getattr(self, name)) is not None}

    def columns(self) -> dict[str, Any]:
        """Return the columns of the row, without those that are left out."""
        columns = self.model_dump(exclude={"id", "choices", *ALL_SETTINGS}) | {"settings": self._settings()}
        left_out = {name for name in ("format", "shuffle") if columns[name] is None}
        if "section" not in self.model_fields_set:
            left_out.add("section")
        return {name: value for name, value in columns.items() if name not in left_out}


class QuestionNew(QuestionFields):
    """A new question, optionally with its parts."""

    id: str = Field(max_length=limits.MAX_IDENT, pattern=limits.IDENT_PATTERN)
    choices: list[ChoiceNew] = Field(
        default_factory=list,
        max_length=max(MAX_PARTS.values()),
        description="Its parts in order: choices, accepted answers, stems and targets, or items",
    )

    @model_validator(mode="after")
    def _as_many_parts(self) -> Self:
        most = MAX_PARTS[KindName(self.kind)]
        if len(self.choices) > most:
            raise ValueError(
                f"a question of the kind {self.kind} has " + (f"at most {most} choices" if most else "no choices")
            )
        return self


class SectionFields(Schema):
    """The editable members of a section."""

    title: str = Field("", max_length=limits.MAX_TITLE)
    instructions: str = Field(
        "", max_length=limits.MAX_TEXT, description="Shown before its questions, in the exam's format"
    )
    draw: int | None = Field(
        None, ge=1, le=MAX_QUESTIONS, description="How many of its questions each student gets; null is all of them"
    )
    shuffle: bool = Field(True, description="Whether each student sees its questions in an own order")


class SectionNew(SectionFields):
    """A new section, after the others."""

    id: str = Field(max_length=limits.MAX_IDENT, pattern=limits.IDENT_PATTERN)


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
    questions: int = Field(description="How many it has; for a student, how many of them each student gets")
    updated_at: datetime
    # A page that a release without drafts cached lacks it.
    published: bool = True


class ExamPage(Schema):
    """One page of a list; `next` is the offset of the following one."""

    count: int
    next: int | None
    results: list[ExamListed]


class ChoiceKept(Schema):
    """A stored part of a question; a credit that cannot be read is listed in the exam's faults."""

    id: str
    text: str
    image: str | None
    correct: bool
    credit: str | None
    target: str


class SettingsKept(Schema):
    """The stored members of some kinds, also those that the exam's faults list; null is the default."""

    rule: str | None = None
    floor: str | None = None
    cap: str | None = None
    answer: bool | None = None
    other_credit: str | None = None
    unit: str | None = None
    case: bool | None = None
    wildcards: bool | None = None
    max_length: int | None = None
    max_characters: int | None = None
    min_words: int | None = None
    max_words: int | None = None
    template: str | None = None
    notes: str | None = None


class QuestionKept(SettingsKept):
    """A stored question with its key, for its author."""

    id: str
    section: str | None
    kind: Kind
    text: str
    format: Format
    weight: Decimal
    shuffle: bool
    image: str | None
    max_choices: int | None
    value: Decimal | None
    tolerance: Decimal
    choices: list[ChoiceKept]


class SectionKept(Schema):
    """A stored section; its questions follow one another in `items`."""

    id: str
    title: str
    instructions: str
    draw: int | None = Field(description="How many of its questions each student gets; null is all of them")
    shuffle: bool = Field(description="Whether each student sees its questions in an own order")


class ExamForAuthor(ExamListed):
    """An exam for its author."""

    attempts: Attempts
    scoring: Scoring
    review: Review
    instructions: str
    namespaces: list[str]
    sittings: list[SittingShown]
    format: Format
    sections: list[SectionKept]
    items: list[QuestionKept]
    faults: list[str] = Field(description="Why the exam cannot be frozen for a sitting")
    warnings: list[str] = Field(description="What the author may not have meant; a sitting is possible")


class ExamForStudent(ExamListed):
    """An exam for a student; `paper` never contains a key.

    It is null until the exam's last sitting is over, and if the exam's review policy does not show it.
    """

    # A response that a release before cached lacks it.
    attempts: Attempts = "one"
    scoring: Scoring = Field(default_factory=lambda: Scoring(multiple="all-or-nothing", negative_total=False))
    review: Review = "paper"
    instructions: str
    format: Format = "plain"
    sittings: list[SittingShown]
    paper: dict[str, Any] | None


class ImageKept(Schema):
    """A stored image; refer to it by its digest. Sizes in pixels."""

    sha256: str
    type: str
    width: int
    height: int
