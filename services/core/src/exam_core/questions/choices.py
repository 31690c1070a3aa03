"""Questions that are answered by choosing: single choice, multiple choice, and true or false."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Self

from exam_core import limits
from exam_core.answer_value import AnswerValue, numbers_of
from exam_core.canonical import Json, JsonObject
from exam_core.credits import FULL_CREDIT, NO_CREDIT, credit_fault, fraction_of, fraction_text
from exam_core.images import ImageRef
from exam_core.questions.items import (
    Unlisted,
    UnlistedHalf,
    appearance_faults,
    contents,
    count_fault,
    in_order,
    numbered,
)
from exam_core.questions.model import Content, Fault, KindName, Numbering, Permute, Render, best_warning
from exam_core.questions.wire import answer_member, parse_choices


class ChoiceRule(StrEnum):
    """How the credits of the chosen choices make a share."""

    SUM_OF_CREDITS = "sum-of-credits"
    """Their sum, at least the floor and at most the cap."""
    ALL_OR_NOTHING = "all-or-nothing"
    """1 for exactly the choices with a positive credit, else 0."""


class MultipleRule(StrEnum):
    """How a multiple-choice question that names no rule is scored; the policy of a revision says which."""

    ALL_OR_NOTHING = "all-or-nothing"
    """Exactly the correct choices earn the weight."""
    PROPORTIONAL = "proportional"
    """Each correct choice earns a share, each wrong one deducts a share, down to zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A choice as its author wrote it; a correct one has credit 1, a wrong one 0 or less."""

    id: str
    text: str
    credit: Fraction
    image: ImageRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleChoice:
    """One choice is selected, and earns its credit."""

    choices: tuple[Choice, ...]

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        yield from _choice_faults(self.choices)

    def warnings(self) -> Iterator[Fault]:
        """Yield a warning if no answer earns the whole weight, or more than one does."""
        yield from best_warning(max(choice.credit for choice in self.choices), "choices")
        if sum(choice.credit == FULL_CREDIT for choice in self.choices) > 1:
            yield Fault("has more than one choice that earns the whole weight", "choices")

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.SINGLE

    @property
    def items(self) -> tuple[Choice, ...]:
        """The choices."""
        return self.choices

    def numbering(self, permute: Permute) -> Numbering:
        """Number the choices."""
        return Numbering(ids=numbered(self.choices, permute))

    def student_half(self, numbering: Numbering, render: Render) -> "ChoicesHalf":
        """Return the choices by number."""
        choices = contents(self.choices, numbering.ids, render)
        return ChoicesHalf(kind=self.kind, choices=choices, max_choices=1)

    def key_half(self, numbering: Numbering) -> "ChoicesKey":
        """Return the credit of each choice."""
        return ChoicesKey(kind=self.kind, credits=_credits(self.choices, numbering))


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipleChoice:
    """Several choices may be selected."""

    choices: tuple[Choice, ...]
    max_choices: int | None = None
    """How many may be selected at once; None for all."""
    rule: ChoiceRule | None = None
    """None leaves it to the policy of the exam; then all credits are 1 or 0."""
    floor: Fraction = NO_CREDIT
    """The least share of an answer; -1 if wrong choices may cost points."""
    cap: Fraction = FULL_CREDIT

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        yield from _choice_faults(self.choices)
        right = sum(choice.credit > 0 for choice in self.choices)
        least = 1 if self.rule is ChoiceRule.SUM_OF_CREDITS else right
        if self.max_choices is not None and not max(1, least) <= self.max_choices <= len(self.choices):
            yield Fault(
                f"has max_choices {self.max_choices}: it must be at least 1 and, if only the complete answer earns "
                f"points, the number of correct choices; at most {len(self.choices)}",
                "max_choices",
            )
        if not -1 <= self.floor <= 0:
            yield Fault("has a floor that is not from -1 to 0", "floor")
        if not 0 < self.cap <= 1:
            yield Fault("has a cap that is not above 0 and at most 1", "cap")
        if self.rule is not ChoiceRule.SUM_OF_CREDITS and (self.floor, self.cap) != (NO_CREDIT, FULL_CREDIT):
            yield Fault(f"has a floor or a cap, which need the rule {ChoiceRule.SUM_OF_CREDITS}", "rule")
        if self.rule is None and any(choice.credit not in (NO_CREDIT, FULL_CREDIT) for choice in self.choices):
            yield Fault("has other credits than 1 and 0 and no rule: name the rule that combines them", "rule")

    def warnings(self) -> Iterator[Fault]:
        """Yield a warning if no answer earns the whole weight, or not only the complete one does."""
        if self.rule is not ChoiceRule.SUM_OF_CREDITS:
            return
        positive = sorted((choice.credit for choice in self.choices if choice.credit > 0), reverse=True)
        yield from best_warning(min(self.cap, sum(positive[: self.max_choices], NO_CREDIT)), "choices")
        if self.max_choices is None and sum(positive) > self.cap:
            yield Fault(
                f"has positive credits that add up to {sum(positive)}: fewer than all correct choices earn {self.cap}",
                "choices",
            )

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.MULTIPLE

    @property
    def items(self) -> tuple[Choice, ...]:
        """The choices."""
        return self.choices

    def numbering(self, permute: Permute) -> Numbering:
        """Number the choices."""
        return Numbering(ids=numbered(self.choices, permute))

    def student_half(self, numbering: Numbering, render: Render) -> "ChoicesHalf":
        """Return the choices by number."""
        choices = contents(self.choices, numbering.ids, render)
        return ChoicesHalf(kind=self.kind, choices=choices, max_choices=self.max_choices or len(choices))

    def key_half(self, numbering: Numbering) -> "ChoicesKey":
        """Return the credit of each choice, and how credits make a share."""
        credits_ = _credits(self.choices, numbering)
        return ChoicesKey(kind=self.kind, credits=credits_, rule=self.rule, floor=self.floor, cap=self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFalse(Unlisted):
    """A statement that is true or false; the other answer earns `other_credit`."""

    answer: bool
    other_credit: Fraction = NO_CREDIT

    def faults(self) -> Iterator[Fault]:
        """Yield every reason why the question cannot be frozen."""
        if reason := credit_fault(self.other_credit):
            yield Fault(f"has a credit of the wrong answer that {reason}", "other_credit")
        elif self.other_credit == 1:
            yield Fault("gives the wrong answer the credit of the correct one", "other_credit")

    def warnings(self) -> Iterator[Fault]:
        """Yield nothing: the correct answer earns the whole weight."""
        yield from ()

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.TRUE_FALSE

    def student_half(self, numbering: Numbering, render: Render) -> "TrueFalseHalf":
        """Return what every such question shows."""
        del numbering, render
        return TrueFalseHalf()

    def key_half(self, numbering: Numbering) -> "ChoicesKey":
        """Return the credits of true and of false."""
        del numbering
        credits_ = (FULL_CREDIT, self.other_credit) if self.answer else (self.other_credit, FULL_CREDIT)
        return ChoicesKey(kind=self.kind, credits=credits_)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicesHalf:
    """The choices by their numbers, and how many may be selected at once."""

    kind: KindName
    choices: tuple[Content, ...]
    max_choices: int

    @property
    def contents(self) -> tuple[Content, ...]:
        """The choices."""
        return self.choices

    @property
    def shuffled(self) -> tuple[int, ...]:
        """The choices are shuffled."""
        return (len(self.choices),)

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        return {
            "kind": self.kind.value,
            "max_choices": self.max_choices,
            "choices": [choice.to_json() for choice in self.choices],
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        choices = tuple(Content.from_json(choice) for choice in body["choices"])
        return cls(kind=KindName(body["kind"]), choices=choices, max_choices=body["max_choices"])

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"choices": [n, …]}``; an empty list is blank."""
        chosen = answer_member(question, self.kind, "choices", body)
        return parse_choices(question, chosen, size=len(self.choices), most=self.max_choices)

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return answer.to_json()


@dataclass(frozen=True, slots=True)
class TrueFalseHalf(UnlistedHalf):
    """A statement; choice 0 is true, choice 1 is false, and they are always shown in this order."""

    @property
    def kind(self) -> KindName:
        """The question's kind."""
        return KindName.TRUE_FALSE

    def to_json(self) -> dict[str, Json]:
        """Return the members of the question in a paper."""
        return {"kind": self.kind.value}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        del body
        return cls()

    def parse(self, question: int, body: Mapping[str, Any]) -> AnswerValue:
        """Parse ``{"choices": [0]}`` (true) or ``{"choices": [1]}`` (false); an empty list is blank."""
        return parse_choices(question, answer_member(question, self.kind, "choices", body), size=2, most=1)

    def shown(self, answer: AnswerValue) -> dict[str, Json]:
        """Return the members that a client sends for this answer."""
        return answer.to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicesKey:
    """The credit of each choice, by number."""

    kind: KindName
    credits: tuple[Fraction, ...]
    rule: ChoiceRule | None = ChoiceRule.SUM_OF_CREDITS
    """None leaves it to the policy of a revision, which must be applied before answers are scored."""
    floor: Fraction = -FULL_CREDIT
    cap: Fraction = FULL_CREDIT

    def to_json(self) -> dict[str, Json]:
        """Return the question's entry in a key."""
        return {
            "kind": self.kind.value,
            "credits": [fraction_text(credit) for credit in self.credits],
            "rule": self.rule.value if self.rule else None,
            "floor": fraction_text(self.floor),
            "cap": fraction_text(self.cap),
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(
            kind=KindName(body["kind"]),
            credits=tuple(fraction_of(text) for text in body["credits"]),
            rule=None if body["rule"] is None else ChoiceRule(body["rule"]),
            floor=fraction_of(body["floor"]),
            cap=fraction_of(body["cap"]),
        )

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the part of the weight that an answer earns.

        Raises:
            ValueError: the rule is left to a policy.
        """
        if self.rule is None:
            raise ValueError("the rule is left to a policy: apply one first")
        if answer.choice is None:
            return NO_CREDIT
        chosen = set(numbers_of(answer.choice))
        if self.rule is ChoiceRule.ALL_OR_NOTHING:
            return Fraction(chosen == {number for number, credit in enumerate(self.credits) if credit > 0})
        total = sum((credit for number, credit in enumerate(self.credits) if number in chosen), NO_CREDIT)
        return min(self.cap, max(self.floor, total))


def _credits(choices: Sequence[Choice], numbering: Numbering) -> tuple[Fraction, ...]:
    return tuple(choice.credit for choice in in_order(choices, numbering.ids))


def _choice_faults(choices: Sequence[Choice]) -> Iterator[Fault]:
    wrong_count = tuple(count_fault(len(choices), limits.MIN_CHOICES, limits.MAX_CHOICES, "choice", "choices"))
    yield from wrong_count
    if not wrong_count and not any(choice.credit > 0 for choice in choices):
        yield Fault("has no key: mark a choice as correct, or give one a positive credit", "choices")
    for index, choice in enumerate(choices):
        if reason := credit_fault(choice.credit):
            yield Fault(f"has choice {choice.id} with a credit that {reason}", "choices", index)
    yield from appearance_faults(choices, "choice", "choices")
