"""The adjustments of a revision, and their one form in JSON.

Questions, choices, stems, targets and items are named by their numbers in the frozen paper, accepted answers by their
index in the key, both from 0. No adjustment depends on another one's place in the list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar, Final, Self

from exam_core.adjustments.members import MemberError, Members
from exam_core.canonical import Json
from exam_core.credits import FULL_CREDIT, fraction_text
from exam_core.messages import shown
from exam_core.numbers import decimal_text
from exam_core.questions.choices import MultipleRule
from exam_core.questions.notation import AcceptedNumberError, accepted_text, parse_accepted
from exam_core.questions.patterns import normalised

_SETTINGS: Final = frozenset({"credit", "to", "weight"})
"""The members that say what is set; the others say where."""


class Change(StrEnum):
    """What an adjustment changes."""

    ACCEPT_NUMBER = "accept-number"
    ACCEPT_TEXT = "accept-text"
    ACCEPT_CHOICES = "accept-choices"
    ACCEPT_TARGET = "accept-target"
    ACCEPT_ORDER = "accept-order"
    CHOICE_CREDIT = "choice-credit"
    ACCEPTED_CREDIT = "accepted-credit"
    FULL_CREDIT = "full-credit"
    LEAVE_OUT = "leave-out"
    WEIGHT = "weight"
    POLICY = "policy"


class CreditedStudents(StrEnum):
    """Who gets full credit for a question; students who never started are not in the seal and have no degree."""

    ALL = "all"
    """Every attempt in the seal, also one without any answer: all students who were there."""
    ANSWERED = "answered"
    """Every attempt with an answer to the question that was not withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfQuestion:
    """An adjustment of one question."""

    change: ClassVar[Change]
    question: int
    reason: str

    @property
    def place(self) -> tuple[object, ...]:
        """What the adjustment is about; two with the same place are a duplicate or a contradiction."""
        about = (str(value) for name, value in self.members().items() if name not in _SETTINGS)
        return (self.change, self.question, *about)

    def members(self) -> dict[str, Json]:
        """Return the members of this adjustment alone."""
        return {}

    def to_json(self) -> dict[str, Json]:
        """Return the form that is stored and hashed."""
        head: dict[str, Json] = {"change": self.change.value, "question": self.question}
        return head | self.members() | {"reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptNumber(_OfQuestion):
    """A further accepted number or range, in the notation of `exam_core.questions.notation`.

    An answer that it accepts earns at least this credit; no answer earns less than before. So with all `Accept…`.
    """

    change = Change.ACCEPT_NUMBER
    answer: str
    credit: Fraction = FULL_CREDIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "answer", _number_text(self.answer))

    def members(self) -> dict[str, Json]:
        """Return the answer and its credit."""
        return {"answer": self.answer, "credit": fraction_text(self.credit)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), answer=members.text("answer"), credit=members.fraction("credit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptText(_OfQuestion):
    """A further accepted text; a pattern in a question with wildcards, and compared as its question says."""

    change = Change.ACCEPT_TEXT
    answer: str
    credit: Fraction = FULL_CREDIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "answer", normalised(self.answer))

    def members(self) -> dict[str, Json]:
        """Return the answer and its credit."""
        return {"answer": self.answer, "credit": fraction_text(self.credit)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), answer=members.text("answer"), credit=members.fraction("credit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptChoices(_OfQuestion):
    """A further accepted answer of choices: exactly these."""

    change = Change.ACCEPT_CHOICES
    choices: tuple[int, ...]
    credit: Fraction = FULL_CREDIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(sorted(self.choices)))

    def members(self) -> dict[str, Json]:
        """Return the choices and their credit."""
        return {"choices": list(self.choices), "credit": fraction_text(self.credit)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), choices=members.numbers("choices"), credit=members.fraction("credit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptTarget(_OfQuestion):
    """A further right target of a stem."""

    change = Change.ACCEPT_TARGET
    stem: int
    target: int

    def members(self) -> dict[str, Json]:
        """Return stem and target."""
        return {"stem": self.stem, "target": self.target}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), stem=members.number("stem"), target=members.number("target"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOrder(_OfQuestion):
    """A further right order; an answer earns its share of the right order from which it earns most."""

    change = Change.ACCEPT_ORDER
    order: tuple[int, ...]
    credit: Fraction = FULL_CREDIT

    def members(self) -> dict[str, Json]:
        """Return the order and its credit."""
        return {"order": list(self.order), "credit": fraction_text(self.credit)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), order=members.numbers("order"), credit=members.fraction("credit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChoiceCredit(_OfQuestion):
    """Another credit of a choice: 1 makes it correct, 0 wrong."""

    change = Change.CHOICE_CREDIT
    choice: int
    credit: Fraction

    def members(self) -> dict[str, Json]:
        """Return the choice and its credit."""
        return {"choice": self.choice, "credit": fraction_text(self.credit)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), choice=members.number("choice"), credit=members.fraction("credit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAcceptedCredit(_OfQuestion):
    """Another credit of an accepted number or text; `entry` is its index in the key."""

    change = Change.ACCEPTED_CREDIT
    entry: int
    credit: Fraction

    def members(self) -> dict[str, Json]:
        """Return the entry and its credit."""
        return {"entry": self.entry, "credit": fraction_text(self.credit)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), entry=members.number("entry"), credit=members.fraction("credit"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveFullCredit(_OfQuestion):
    """The whole weight of a question, whatever was answered."""

    change = Change.FULL_CREDIT
    to: CreditedStudents

    def members(self) -> dict[str, Json]:
        """Return to which students."""
        return {"to": self.to.value}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), to=members.option("to", CreditedStudents))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOut(_OfQuestion):
    """A question earns nothing and costs nothing, and its weight is not part of the maximum."""

    change = Change.LEAVE_OUT

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWeight(_OfQuestion):
    """Another weight of a question, in its points and in the maximum."""

    change = Change.WEIGHT
    weight: Decimal

    def members(self) -> dict[str, Json]:
        """Return the weight."""
        return {"weight": decimal_text(self.weight)}

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(**_head(members), weight=members.decimal("weight"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicy:
    """Other rules for the whole exam than the sitting's; None keeps a rule."""

    change: ClassVar[Change] = Change.POLICY
    reason: str
    multiple: MultipleRule | None = None
    negative_total: bool | None = None

    @property
    def question(self) -> None:
        """None: it is about the whole exam."""
        return

    @property
    def place(self) -> tuple[object, ...]:
        """What the adjustment is about."""
        return (self.change,)

    def to_json(self) -> dict[str, Json]:
        """Return the form that is stored and hashed."""
        body: dict[str, Json] = {"change": self.change.value, "reason": self.reason}
        if self.multiple is not None:
            body["multiple"] = self.multiple.value
        if self.negative_total is not None:
            body["negative_total"] = self.negative_total
        return body

    @classmethod
    def read(cls, members: Members) -> Self:
        """The inverse of `to_json`."""
        return cls(
            reason=members.text("reason"),
            multiple=members.option("multiple", MultipleRule) if "multiple" in members else None,
            negative_total=members.flag("negative_total") if "negative_total" in members else None,
        )


QuestionAdjustment = (
    AcceptNumber
    | AcceptText
    | AcceptChoices
    | AcceptTarget
    | AcceptOrder
    | SetChoiceCredit
    | SetAcceptedCredit
    | GiveFullCredit
    | LeaveOut
    | SetWeight
)
Adjustment = QuestionAdjustment | SetPolicy

_READERS: Final[Mapping[Change, Callable[[Members], Adjustment]]] = {
    Change.ACCEPT_NUMBER: AcceptNumber.read,
    Change.ACCEPT_TEXT: AcceptText.read,
    Change.ACCEPT_CHOICES: AcceptChoices.read,
    Change.ACCEPT_TARGET: AcceptTarget.read,
    Change.ACCEPT_ORDER: AcceptOrder.read,
    Change.CHOICE_CREDIT: SetChoiceCredit.read,
    Change.ACCEPTED_CREDIT: SetAcceptedCredit.read,
    Change.FULL_CREDIT: GiveFullCredit.read,
    Change.LEAVE_OUT: LeaveOut.read,
    Change.WEIGHT: SetWeight.read,
    Change.POLICY: SetPolicy.read,
}


def read_adjustment(body: object) -> Adjustment:
    """Read an adjustment from its stored form.

    Raises:
        MemberError: a member is missing, unknown, or not as `to_json` writes it.
    """
    members = Members(body)
    adjustment = _READERS[members.option("change", Change)](members)
    members.end()
    for name, value in adjustment.to_json().items():
        if isinstance(body, Mapping) and body[name] != value:
            raise MemberError(f"has {name!r} in another spelling than {shown(value)}")
    return adjustment


def _head(members: Members) -> dict[str, Any]:
    return {"question": members.number("question"), "reason": members.text("reason")}


def _number_text(text: str) -> str:
    """Return the one spelling of an accepted number, or the text as it is if it is none."""
    try:
        return accepted_text(parse_accepted(text))
    except AcceptedNumberError:
        return text
