"""Credits and weights of scores: what a score is a part of, and exact fractions for the decimals of files."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from exam_core.credits import FULL_CREDIT, NO_CREDIT, credit_near
from exam_papers.formats.qti.declarations import Mapping, Outcomes

MAX_SIMPLE: Final = 1000
_CLOSE: Final = Fraction(1, 10**12)
_CENT: Final = Fraction(1, 100)
_ROUNDING: Final = Fraction(1, 10**4)


def credit_of(ratio: Fraction) -> Fraction:
    """Return the credit that a ratio of decimals denotes: 0.33333 is 1/3, and so is 0.416666666666 5/12."""
    near = credit_near(ratio)
    if near is not None:
        return near
    simple = ratio.limit_denominator(MAX_SIMPLE)
    return simple if abs(simple - ratio) < _CLOSE else ratio


def mapped_weight(mapping: Mapping, outcomes: Outcomes, *, single: bool) -> Fraction:
    """Return the score that is the whole weight: the stated one, the upper bound, or what can be earned."""
    if outcomes.stated is not None:
        return outcomes.stated
    if mapping.upper is not None and mapping.upper > 0:
        return mapping.upper
    positive = [entry.value for entry in mapping.entries if entry.value > 0]
    most = max(positive, default=NO_CREDIT) if single else sum(positive, NO_CREDIT)
    cents = round(most / _CENT) * _CENT
    if abs(cents - most) < _ROUNDING:
        most = cents
    return most if most > 0 else FULL_CREDIT


def choice_credits(values: Sequence[Fraction], weight: Fraction, floor: Fraction) -> list[Fraction]:
    """Return the credits of choices whose scores are added.

    A score below -1 of the weight becomes -1 where this is the same: no sum with it is above a floor of 0.
    """
    credits_ = [credit_of(value / weight) for value in values]
    best = sum((credit for credit in credits_ if credit > 0), NO_CREDIT)
    if floor == NO_CREDIT and best <= FULL_CREDIT:
        return [max(-FULL_CREDIT, credit) for credit in credits_]
    return credits_
