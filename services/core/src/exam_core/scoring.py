"""Scoring: compare counted answers with a key under a policy. Exact: fractions internally, decimals in results."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import Self

from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject, digest_of
from exam_core.credits import NO_CREDIT
from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper
from exam_core.questions.choices import ChoiceRule, ChoicesKey
from exam_core.questions.model import KeyHalf, Unscored, outcome

_HALF = Fraction(1, 2)


class MultipleRule(StrEnum):
    """How a multiple-choice question is scored."""

    ALL_OR_NOTHING = "all-or-nothing"
    """Exactly the correct choices earn the weight."""
    PROPORTIONAL = "proportional"
    """Each correct choice earns a share, each wrong one deducts a share, down to zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of scoring that a revision freezes with the key."""

    multiple: MultipleRule = MultipleRule.ALL_OR_NOTHING
    """The rule of the multiple-choice questions that name none."""
    negative_total: bool = False
    """Whether a total may be below 0; else it is at least 0, however many points wrong answers cost."""

    def to_json(self) -> dict[str, Json]:
        """Return the form that is stored and hashed; what most policies do not have is left out."""
        body: dict[str, Json] = {"format": 1, "multiple": self.multiple.value}
        return body | {"negative_total": True} if self.negative_total else body

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(multiple=MultipleRule(body["multiple"]), negative_total=body.get("negative_total", False))

    def with_rules(self, *, multiple: MultipleRule | None = None, negative_total: bool | None = None) -> Self:
        """Return it with other rules; None keeps one."""
        return replace(
            self,
            multiple=self.multiple if multiple is None else multiple,
            negative_total=self.negative_total if negative_total is None else negative_total,
        )

    @property
    def digest(self) -> str:
        """The digest of the stored form, which names the policy."""
        return digest_of(self.to_json())


@dataclass(frozen=True, kw_only=True)
class Score:
    """One student's result.

    `points` has one entry per question, None for an unanswered one and for one that is marked by hand.
    """

    points: tuple[Decimal | None, ...]
    answered: int
    """The number of questions with an answer that was not withdrawn."""
    total: Decimal
    maximum: Decimal

    def to_json(self) -> list[str | None]:
        """Return the points by question, as decimal text."""
        return [None if points is None else decimal_text(points) for points in self.points]


def score(paper: Paper, key: Key, policy: Policy, answers: Iterable[tuple[int, AnswerValue]]) -> Score:
    """Score the counted answers of one student, given as (question number, answer).

    The total is rounded once, half up to the cent, and so are the points of each question: -0.005 is 0.00.
    """
    halves = _halves(paper, key, policy)
    earned: list[Fraction | None] = [None] * len(halves)
    answered = 0
    for number, answer in answers:
        share = outcome(halves[number], answer)
        answered += share is not Unscored.NOT_ATTEMPTED
        if isinstance(share, Fraction):
            earned[number] = Fraction(paper.questions[number].weight) * share
    total = sum((points for points in earned if points is not None), NO_CREDIT)
    return Score(
        points=tuple(None if points is None else _rounded(points) for points in earned),
        answered=answered,
        total=_rounded(total if policy.negative_total else max(NO_CREDIT, total)),
        maximum=sum((question.weight for question in paper.questions), Decimal(0)),
    )


def under(half: KeyHalf, policy: Policy) -> KeyHalf:
    """Return a key half with the rule that it leaves to a policy.

    All-or-nothing gives the weight for exactly the correct choices. Proportional gives 1/k for each of k correct
    choices and -1/k for each other one, at least 0. Without a correct choice nothing is accepted.
    """
    if not isinstance(half, ChoicesKey) or half.rule is not None:
        return half
    correct = sum(credit > 0 for credit in half.credits)
    if policy.multiple is MultipleRule.ALL_OR_NOTHING or correct == 0:
        return replace(half, rule=ChoiceRule.ALL_OR_NOTHING)
    part = Fraction(1, correct)
    credits_ = tuple(part if credit > 0 else -part for credit in half.credits)
    return replace(half, rule=ChoiceRule.SUM_OF_CREDITS, credits=credits_, floor=NO_CREDIT)


@lru_cache(maxsize=4)
def _halves(paper: Paper, key: Key, policy: Policy) -> tuple[KeyHalf, ...]:
    """Return what scores each question; all students of a sitting have the same."""
    return tuple(under(entry.half, policy) for entry in key.entries(paper))


def _rounded(points: Fraction) -> Decimal:
    # Round to whole cents as a fraction: dividing decimals would round twice.
    return Decimal(floor(points * 100 + _HALF)).scaleb(-2)
