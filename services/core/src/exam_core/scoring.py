"""Scoring: compare counted answers with a key under a policy. Exact: fractions internally, decimals in results."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import floor
from typing import Self

from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject, digest_of
from exam_core.numbers import decimal_text
from exam_core.paper import Key, KeyEntry, Paper, Question, QuestionKind

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

    def to_json(self) -> dict[str, Json]:
        """Return the form that is stored and hashed."""
        return {"format": 1, "multiple": self.multiple.value}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(multiple=MultipleRule(body["multiple"]))

    @property
    def digest(self) -> str:
        """The digest of the stored form, which names the policy."""
        return digest_of(self.to_json())


@dataclass(frozen=True, kw_only=True)
class Score:
    """One student's result; `points` has one entry per question, None for an unanswered one."""

    points: tuple[Decimal | None, ...]
    total: Decimal
    maximum: Decimal

    @cached_property
    def answered(self) -> int:
        """The number of questions with an answer that was not withdrawn."""
        return sum(points is not None for points in self.points)

    def to_json(self) -> list[str | None]:
        """Return the points by question, as decimal text."""
        return [None if points is None else decimal_text(points) for points in self.points]


def score(paper: Paper, key: Key, policy: Policy, answers: Iterable[tuple[int, AnswerValue]]) -> Score:
    """Score the counted answers of one student, given as (question number, answer).

    The total is rounded once, half up to the cent, and so are the points of each question.
    """
    earned: list[Fraction | None] = [None] * len(paper.questions)
    for number, answer in answers:
        if not answer.blank:
            question = paper.questions[number]
            earned[number] = Fraction(question.weight) * _share(question, key.entries[number], policy, answer)
    return Score(
        points=tuple(None if points is None else _rounded(points) for points in earned),
        total=_rounded(sum((points for points in earned if points is not None), Fraction(0))),
        maximum=sum((question.weight for question in paper.questions), Decimal(0)),
    )


def _share(question: Question, correct: KeyEntry, policy: Policy, answer: AnswerValue) -> Fraction:
    """Return the part of the weight that an answer earns: 0 … 1; 0 where the key is empty."""
    if question.kind is QuestionKind.NUMERIC:
        if answer.value is None or correct.value is None:
            return Fraction(0)
        # Fractions, not decimals: a decimal context would round long numbers.
        distance = abs(Fraction(answer.value) - Fraction(correct.value))
        return Fraction(distance <= Fraction(correct.tolerance))
    chosen = answer.choice or 0
    if not correct.choices:
        return Fraction(0)
    if question.kind is QuestionKind.MULTIPLE and policy.multiple is MultipleRule.PROPORTIONAL:
        hits = (chosen & correct.choices).bit_count() - (chosen & ~correct.choices).bit_count()
        return Fraction(max(0, hits), correct.choices.bit_count())
    return Fraction(chosen == correct.choices)


def _rounded(points: Fraction) -> Decimal:
    # Round to whole cents as a fraction: dividing decimals would round twice.
    return Decimal(floor(points * 100 + _HALF)).scaleb(-2)
