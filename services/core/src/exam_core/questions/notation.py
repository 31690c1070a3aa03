"""How an accepted number is written: `3`, `3±0.5`, `50±10%`, `7*/2`, `1..5`, `(1..5]`, `1..`, `..5` or `*`.

In documents, sheets and forms it is one text. `±` may be typed `+-` or `+/-`. An end of a range in a round bracket is
not accepted itself. A percentage is of the value; `7*/2` accepts 3.5 to 14.
"""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from exam_core import limits
from exam_core.credits import FULL_CREDIT
from exam_core.numbers import NotANumberError, decimal_text, parse_decimal
from exam_core.questions.numeric import Between, Near, Tolerance

_NEAR: Final = re.compile(r"(.+?)\s*(±|\+/?-|\*/)\s*(.+?)\s*(%?)")
_BETWEEN: Final = re.compile(r"([\[(]?)(.*?)\.\.(.*?)([\])]?)")
_FACTOR: Final = "*/"
_PER_CENT: Final = 100


class AcceptedNumberError(ValueError):
    """A text that is not an accepted number; the message continues a sentence about it, and quotes nothing of it."""


def parse_accepted(text: str, credit: Fraction = FULL_CREDIT) -> Near | Between:
    """Parse an accepted number.

    Raises:
        AcceptedNumberError: with the reason, and how to write it.
    """
    typed = text.strip()
    if typed == "*":
        return Between(low=None, high=None, credit=credit)
    if found := _BETWEEN.fullmatch(typed):
        opening, low, high, closing = found.groups()
        if bool(opening) != bool(closing):
            raise AcceptedNumberError("has a bracket at one end alone: write both, like (1..5]")
        if not low.strip() and not high.strip():
            raise AcceptedNumberError("is a range without ends: write * to accept every number")
        return Between(
            low=_number(low) if low.strip() else None,
            high=_number(high) if high.strip() else None,
            low_open=opening == "(",
            high_open=closing == ")",
            credit=credit,
        )
    if found := _NEAR.fullmatch(typed):
        value, sign, tolerance, per_cent = found.groups()
        by = Tolerance.GEOMETRIC if sign == _FACTOR else Tolerance.RELATIVE if per_cent else Tolerance.ABSOLUTE
        if sign == _FACTOR and per_cent:
            raise AcceptedNumberError("has a factor in per cent: write the factor alone, like 7*/2")
        width = _number(tolerance)
        if by is Tolerance.GEOMETRIC:
            width -= 1
        return Near(value=_number(value), tolerance=width / _PER_CENT if per_cent else width, by=by, credit=credit)
    return Near(value=_number(typed), credit=credit)


def accepted_text(entry: Near | Between) -> str:
    """Format an accepted number; `parse_accepted` reads it back.

    Raises:
        AcceptedNumberError: a number that has no finite decimal form.
    """
    return _near_text(entry) if isinstance(entry, Near) else _between_text(entry)


def key_number_fault(number: Decimal) -> str | None:
    """Return the reason why a number of a key cannot be stored, or None."""
    if abs(number) >= 10**limits.KEY_DIGITS:
        return f"has more than {limits.KEY_DIGITS} digits before the point"
    if (Fraction(number) * 10**limits.KEY_PLACES).denominator != 1:
        return f"has more than {limits.KEY_PLACES} decimal places"
    return None


def _near_text(entry: Near) -> str:
    value = _text(entry.value)
    if entry.tolerance == 0:
        return value
    if entry.by is Tolerance.RELATIVE:
        return f"{value}±{_text(entry.tolerance * _PER_CENT)}%"
    if entry.by is Tolerance.GEOMETRIC:
        return f"{value}{_FACTOR}{_text(entry.tolerance + 1)}"
    return f"{value}±{_text(entry.tolerance)}"


def _between_text(entry: Between) -> str:
    if entry.low is None and entry.high is None:
        return "*"
    low, high = ("" if end is None else _text(end) for end in (entry.low, entry.high))
    if not entry.low_open and not entry.high_open:
        return f"{low}..{high}"
    return f"{'(' if entry.low_open else '['}{low}..{high}{')' if entry.high_open else ']'}"


def _number(text: str) -> Fraction:
    try:
        number = parse_decimal(text)
    except NotANumberError as error:
        raise AcceptedNumberError(error.reason) from error
    if reason := key_number_fault(number):
        raise AcceptedNumberError(reason)
    return Fraction(number)


def _text(number: Fraction) -> str:
    scaled = number * 10**limits.KEY_PLACES
    if scaled.denominator != 1:
        raise AcceptedNumberError(f"has no form with at most {limits.KEY_PLACES} decimal places")
    # Not `scaleb`, which rounds to the digits of the context.
    return decimal_text(Decimal(f"{scaled.numerator}e-{limits.KEY_PLACES}"))
