"""Numbers as people type them, read in one way only, and their one spelling in stored forms.

Students and authors type numbers by the same rules, so that an answer and a key that look alike are the same number.
A number that two readers would understand differently is refused, with both ways to write it.
"""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

from exam_core.messages import shown

MAX_NUMBER_DIGITS: Final = 34
"""The precision of IEEE 754 decimal128; a longer number is a mistake."""
MAX_EXPONENT: Final = 100
MINUS_SIGN: Final = "\u2212"
"""The typographic minus sign, which word processors and phones insert."""
ARABIC_DECIMAL_SEPARATOR: Final = "\u066b"

_SIGNS: Final = str.maketrans({MINUS_SIGN: "-", ARABIC_DECIMAL_SEPARATOR: "."})
_DIGITS: Final = "0123456789"
_NUMBER: Final = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")
_AMBIGUOUS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}([eE][+-]?[0-9]+)?")
"""A comma before exactly three digits separates thousands in some countries and decimals in others."""


class NotANumberError(ValueError):
    """A text that cannot be read as a number; the message quotes it.

    `reason` continues a sentence that begins with the number, and quotes nothing: a number of the key may be secret.
    """

    def __init__(self, text: str, reason: str, advice: str | None = None) -> None:
        super().__init__(f"{shown(text)} {advice or reason}")
        self.reason = reason


def parse_decimal(text: str) -> Decimal:
    """Parse a finite decimal of bounded size.

    The decimal sign is a point, a comma or U+066B; the minus sign is a hyphen or U+2212; the digits may be those of any
    one script. A comma after 1 to 3 digits, of which the first is not 0, and before exactly 3 is ambiguous.

    Raises:
        NotANumberError: not a number, ambiguous, or too large.
    """
    typed = text.strip()
    plain = _plain(typed.translate(_SIGNS))
    if plain is None:
        raise NotANumberError(text, "mixes digits of several scripts: use the digits of one script")
    if _AMBIGUOUS.fullmatch(plain):
        raise NotANumberError(
            text,
            "can be read in two ways: leave out the comma between thousands, or write a decimal point",
            f"can be read in two ways: write {shown(typed.replace(',', ''))} or {shown(typed.replace(',', '.'))}",
        )
    if not _NUMBER.fullmatch(plain):
        raise NotANumberError(text, _reason(plain))
    parsed = _bounded(plain.replace(",", "."))
    if parsed is None:
        raise NotANumberError(text, f"is beyond 10^±{MAX_EXPONENT}")
    if len(parsed.as_tuple().digits) > MAX_NUMBER_DIGITS:
        raise NotANumberError(text, f"has more than {MAX_NUMBER_DIGITS} digits")
    return parsed


def decimal_text(number: Decimal) -> str:
    """Format a decimal in plain notation without trailing zeros: equal numbers give equal texts."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _plain(text: str) -> str | None:
    """Replace the decimal digits (Nd) of one script by 0 to 9; None if there are digits of several scripts."""
    values = {character: unicodedata.decimal(character, None) for character in text}
    digits = {character: int(value) for character, value in values.items() if value is not None}
    # The ten digits of a script follow each other in Unicode, so that all of them have the same zero.
    if len({ord(character) - value for character, value in digits.items()}) > 1:
        return None
    return "".join(_DIGITS[digits[character]] if character in digits else character for character in text)


def _reason(plain: str) -> str:
    """Why a text is not a number."""
    if len(re.findall(r"[.,]", plain)) > 1:
        return "is not a number: write it with at most one decimal sign, and nothing between thousands"
    if re.search(r"[0-9]\s+[0-9]", plain):
        return "is not a number: write it without spaces"
    return "is not a number"


def _bounded(text: str) -> Decimal | None:
    """Return the number, None if its exponent is out of bounds."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent that Decimal cannot hold
        return None
    exponents = (number.adjusted(), int(number.as_tuple().exponent))
    return number if all(abs(exponent) <= MAX_EXPONENT for exponent in exponents) else None
