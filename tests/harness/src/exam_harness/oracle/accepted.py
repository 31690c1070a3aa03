"""Accepted numbers and texts of a key: which answers each of them matches."""

import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from exam_harness.oracle.numbers import parse_number

_ANY: Final = None
"""Stands for any run of characters in a pattern, beside its single characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedNumber:
    """The numbers from `low` to `high` and their credit; an end that is None has no bound."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool = False
    """Whether the lower end itself is not accepted."""
    high_open: bool = False
    credit: Fraction

    def matches(self, number: Fraction) -> bool:
        """Whether a number is accepted."""
        if self.low is not None and (number < self.low or (self.low_open and number == self.low)):
            return False
        return self.high is None or not (number > self.high or (self.high_open and number == self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedText:
    """A text, or a pattern in which `*` is any run of characters, and its credit."""

    text: str
    case: bool
    wildcards: bool
    credit: Fraction

    def matches(self, answer: str) -> bool:
        """Whether an answer matches as a whole, without spaces at its ends."""
        typed = self._comparable(answer)
        pattern = self._pattern()
        # How many characters of the answer the pattern up to here may have matched.
        matched = {0}
        for each in pattern:
            if each is _ANY:
                matched = set(range(min(matched), len(typed) + 1))
            else:
                matched = {count + 1 for count in matched if typed[count : count + 1] == each}
            if not matched:
                return False
        return len(typed) in matched

    def _pattern(self) -> list[str | None]:
        text = unicodedata.normalize("NFC", self.text.strip())
        if not self.wildcards:
            return list(self._comparable(text))
        pattern: list[str | None] = []
        for index, part in enumerate(text.replace("\\*", "\0").split("*")):
            pattern += [_ANY] if index else []
            pattern += self._comparable(part.replace("\0", "*"), strip=False)
        return pattern

    def _comparable(self, text: str, *, strip: bool = True) -> str:
        composed = unicodedata.normalize("NFC", text.strip() if strip else text)
        if self.case:
            return composed
        return unicodedata.normalize("NFC", "".join(_small(character) for character in composed))


def number_near(value: str, tolerance: str) -> AcceptedNumber:
    """The numbers that differ from a value by at most the tolerance."""
    centre, width = parse_number(value), parse_number(tolerance)
    return AcceptedNumber(low=centre - width, high=centre + width, credit=Fraction(1))


def read_accepted_number(text: str, credit: Fraction) -> AcceptedNumber:
    """Read `3`, `3±0.5`, `50±10%`, `7*/2`, `1..5`, `(1..5]`, `1..`, `..5` or `*`."""
    typed = text.strip()
    if typed == "*":
        return AcceptedNumber(low=None, high=None, credit=credit)
    if ".." in typed:
        low, _, high = typed.strip("[]()").partition("..")
        return AcceptedNumber(
            low=parse_number(low) if low.strip() else None,
            high=parse_number(high) if high.strip() else None,
            low_open=typed.startswith("("),
            high_open=typed.endswith(")"),
            credit=credit,
        )
    low_end, high_end = _ends(typed)
    return AcceptedNumber(low=min(low_end, high_end), high=max(low_end, high_end), credit=credit)


def _ends(typed: str) -> tuple[Fraction, Fraction]:
    if "*/" in typed:
        value, factor = (parse_number(part) for part in typed.split("*/"))
        return value / factor, value * factor
    spread = typed.replace("+/-", "±").replace("+-", "±")
    number, sign, width = spread.partition("±")
    value = parse_number(number)
    if not sign:
        return value, value
    if width.strip().endswith("%"):
        deviation = abs(value) * parse_number(width.strip().removesuffix("%")) / 100
    else:
        deviation = parse_number(width)
    return value - deviation, value + deviation


def _small(character: str) -> str:
    """The form of a character by which capital and small letters are equal; never more than one character."""
    for form in (character.casefold(), character.lower()):
        if len(form) == 1:
            return form
    return character
