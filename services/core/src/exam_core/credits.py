"""Credits: exact fractions of a question's weight, from -1 to 1, as authors and question files write them.

A credit is never rounded silently: a text is the fraction that it denotes, or it is refused.
"""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from exam_core.messages import shown
from exam_core.numbers import MINUS_SIGN, NotANumberError, decimal_text, parse_decimal

NO_CREDIT: Final = Fraction(0)
FULL_CREDIT: Final = Fraction(1)
MAX_DENOMINATOR: Final = 10**12
"""Bounds the exact numbers that scores are computed with."""
_TENTHS_AND_UNIT_FRACTIONS: Final = (
    *(Fraction(tenths, 10) for tenths in range(11)),
    *(Fraction(1, parts) for parts in (3, 4, 6, 7, 8, 9, 20)),
)
FILE_CREDITS: Final = (*_TENTHS_AND_UNIT_FRACTIONS, Fraction(2, 3), Fraction(3, 4), Fraction(5, 6))
"""The credits (and their negatives) that question files can state as a percentage with a limited number of places."""
FILE_TOLERANCE: Final = Fraction(1, 100_000)
"""How far a ratio in a file may be from the credit that it denotes: 33.333 % is 1/3, 33.33 % is not."""

_RATIO: Final = re.compile(r"([+-]?)([0-9]{1,13})\s*/\s*([0-9]{1,13})")
_CANONICAL: Final = re.compile(r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?")
_MAX_STORED: Final = 1000
"""More than any fraction of bounded numbers has; a longer text was not written by this release."""


class CreditError(ValueError):
    """A text that denotes no credit; the message says what to write instead."""


def parse_credit(text: str) -> Fraction:
    """Parse a credit as an author writes it in a document: `1/3`, or an exact decimal.

    Raises:
        CreditError: neither of them, beyond -1 … 1, or with too large a denominator.
    """
    ratio = _RATIO.fullmatch(text.strip().replace(MINUS_SIGN, "-"))
    if ratio and int(ratio[3]) > 0:
        credit = Fraction(int(ratio[1] + ratio[2]), int(ratio[3]))
    else:
        try:
            credit = Fraction(parse_decimal(text))
        except NotANumberError as error:
            raise CreditError("is neither a fraction like 1/3 nor a decimal like 0.25") from error
    if fault := credit_fault(credit):
        raise CreditError(fault)
    return credit


def credit_fault(credit: Fraction) -> str | None:
    """Return the reason why a fraction cannot be a credit, or None."""
    if not -1 <= credit <= 1:
        return "must be from -1 to 1"
    if credit.denominator > MAX_DENOMINATOR:
        return "has too many places: write a fraction like 1/3"
    return None


def credit_of_percent(text: str) -> Fraction:
    """Return the credit that a percentage in a question file denotes: 33.33333 is 1/3, and 33.33 is refused.

    Raises:
        CreditError: not a number, or not within `FILE_TOLERANCE` of a credit that files can state.
    """
    try:
        percent = Fraction(parse_decimal(text))
    except NotANumberError as error:
        raise CreditError(str(error)) from error
    credit = credit_near(percent / 100)
    if credit is None:
        raise CreditError(f"{shown(text)} % is not a credit: the nearest is {percent_text(_nearest(percent / 100))} %")
    return credit


def credit_near(ratio: Fraction) -> Fraction | None:
    """Return the credit that files can state within `FILE_TOLERANCE` of a ratio, or None."""
    credit = _nearest(ratio)
    return credit if abs(ratio - credit) < FILE_TOLERANCE else None


def percent_text(credit: Fraction) -> str:
    """Format a credit that files can state as a percentage, with at most five places.

    Raises:
        CreditError: another credit, which a file could only state rounded.
    """
    if abs(credit) not in FILE_CREDITS:
        raise CreditError(f"{credit} cannot be written as a percentage without rounding")
    return decimal_text(Decimal(round(credit * 100 * 10**5)).scaleb(-5))


def fraction_text(number: Fraction) -> str:
    """Format an exact number for JSON: an integer, or numerator/denominator in lowest terms."""
    return str(number)


def fraction_of(text: str) -> Fraction:
    """Parse the text of `fraction_text`.

    Raises:
        ValueError: another text, also another spelling of a fraction: equal numbers have one text.
    """
    if len(text) <= _MAX_STORED and _CANONICAL.fullmatch(text):
        number = Fraction(text)
        if fraction_text(number) == text:
            return number
    raise ValueError(f"{shown(text)} is not a fraction in lowest terms")


def _nearest(ratio: Fraction) -> Fraction:
    sign = -1 if ratio < 0 else 1
    return sign * min(FILE_CREDITS, key=lambda credit: abs(abs(ratio) - credit))
