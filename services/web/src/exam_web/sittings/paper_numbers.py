"""The numbers of a frozen paper by which adjustments name its questions and what they list."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper
from exam_core.questions.intervals import Interval
from exam_core.questions.matching import MatchingHalf
from exam_core.questions.model import KeyHalf, StudentHalf
from exam_core.questions.numeric import NumericKey
from exam_core.questions.text import ShortTextKey

_LENGTH = 200
"""Characters of a text that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedQuestion:
    """A question of a paper with its number; `lists` has what it lists, each with the number of its place."""

    number: int
    id: str
    kind: str
    weight: str
    text: str
    lists: tuple[tuple[str, tuple[str, ...]], ...]


def numbered_questions(paper: Paper, key: Key) -> list[NumberedQuestion]:
    """Return the questions of a paper by their numbers, with the answers that a key accepts."""
    return [
        NumberedQuestion(
            number=number,
            id=entry.id,
            kind=question.half.kind.value,
            weight=content["weight"],
            text=content["text"][:_LENGTH],
            lists=tuple(_lists(question.half, entry.half)),
        )
        for number, (question, content, entry) in enumerate(
            zip(paper.questions, paper.content["questions"], key.entries(paper), strict=True)
        )
    ]


def _lists(half: StudentHalf, key: KeyHalf) -> Iterator[tuple[str, tuple[str, ...]]]:
    shown = tuple(each.text[:_LENGTH] or "an image" for each in half.contents)
    if isinstance(half, MatchingHalf):
        yield "stem", shown
        yield "target", tuple(each[:_LENGTH] for each in half.targets)
    elif shown:
        yield "item" if half.kind == "ordering" else "choice", shown
    if isinstance(key, NumericKey):
        yield "entry", tuple(f"{_interval(interval)} ({credit})" for interval, credit in key.accepted)
    elif isinstance(key, ShortTextKey):
        yield "entry", tuple(f"{each.text} ({each.credit})" for each in key.accepted)


def _interval(interval: Interval) -> str:
    if interval.low == interval.high and interval.low is not None:
        return _number(interval.low)
    left, right = "(" if interval.low_open else "[", ")" if interval.high_open else "]"
    low, high = ("" if end is None else _number(end) for end in (interval.low, interval.high))
    return f"{left}{low}..{high}{right}"


def _number(number: Fraction) -> str:
    """Write a number as a decimal if it has a finite form, else as a fraction."""
    decimal = Decimal(number.numerator) / Decimal(number.denominator)
    return decimal_text(decimal) if Fraction(decimal) == number else str(number)
