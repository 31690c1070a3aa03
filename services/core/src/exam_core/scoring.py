"""Scoring: counted answers against a key under a policy, exactly (fractions inside, decimals outside)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import floor
from typing import Any, Self

from exam_core.answers import AnswerValue
from exam_core.canonical import Json, digest_of
from exam_core.paper import Key, KeyEntry, Paper, Question, QuestionKind, decimal_text

_HALF = Fraction(1, 2)


class MultipleRule(StrEnum):
    """How a multiple-choice question is scored."""

    ALL_OR_NOTHING = "all-or-nothing"
    """The right set and nothing else earns the weight."""
    PROPORTIONAL = "proportional"
    """Each right choice earns its share, each wrong one takes a share away, never below nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a revision freezes beside the key."""

    multiple: MultipleRule = MultipleRule.ALL_OR_NOTHING

    def to_json(self) -> dict[str, Json]:
        """The form that is stored and hashed."""
        return {"format": 1, "multiple": self.multiple.value}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(multiple=MultipleRule(body["multiple"]))

    @property
    def digest(self) -> str:
        """The policy's name."""
        return digest_of(self.to_json())


@dataclass(frozen=True, kw_only=True)
class Score:
    """One student's result; `points` holds one entry a question, None where nothing was answered."""

    points: tuple[Decimal | None, ...]
    total: Decimal
    maximum: Decimal

    @cached_property
    def answered(self) -> int:
        """How many questions got an answer that was not taken back."""
        return sum(points is not None for points in self.points)

    def to_json(self) -> list[Json]:
        """The points by question, as decimal text."""
        return [None if points is None else decimal_text(points) for points in self.points]


def score(paper: Paper, key: Key, policy: Policy, answers: Iterable[tuple[int, AnswerValue]]) -> Score:
    """Score the counted answers of one student, given as (question number, answer).

    The total is rounded once, half up to the cent; so are the points shown for each question.
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


def _share(question: Question, right: KeyEntry, policy: Policy, answer: AnswerValue) -> Fraction:
    """What part of the weight an answer earns: 0 … 1; nothing where the key names nothing right."""
    if question.kind is QuestionKind.NUMERIC:
        if answer.value is None or right.value is None:
            return Fraction(0)
        # Fractions, not decimals: a context would round what has many digits.
        off = abs(Fraction(answer.value) - Fraction(right.value))
        return Fraction(off <= Fraction(right.tolerance))
    chosen = answer.choice or 0
    if not right.choices:
        return Fraction(0)
    if question.kind is QuestionKind.MULTIPLE and policy.multiple is MultipleRule.PROPORTIONAL:
        hits = (chosen & right.choices).bit_count() - (chosen & ~right.choices).bit_count()
        return Fraction(max(0, hits), right.choices.bit_count())
    return Fraction(chosen == right.choices)


def _rounded(points: Fraction) -> Decimal:
    # Whole cents first: dividing decimals would round once before this rounding.
    return Decimal(floor(points * 100 + _HALF)).scaleb(-2)
