"""Numbers, intervals and keys as cells have them; what is written is read again as it was."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from exam_core.numbers import NotANumberError, parse_decimal
from exam_core.questions.numeric import Between, Near, Tolerance
from exam_papers.formats.moodle import number_text
from exam_papers.formats.sheets.columns import LETTERS

_RATIO: Final = re.compile(r"(-?[0-9]{1,60})/([0-9]{1,60})")
_RANGE: Final = re.compile(r"([\[(]?)(.*?)\.\.(.*?)([\])]?)")
_MAX_KEY: Final = 500
_GEOMETRIC: Final = "geometric"
ANY: Final = "*"


class CellError(ValueError):
    """A cell that is not understood; the message continues a sentence that begins with the cell."""


def number(text: str) -> Fraction:
    """Read a decimal by the rules for students' answers, or a ratio.

    Raises:
        CellError: it is neither.
    """
    typed = text.strip()
    if (ratio := _RATIO.fullmatch(typed)) and int(ratio[2]):
        return Fraction(int(ratio[1]), int(ratio[2]))
    try:
        return Fraction(parse_decimal(typed))
    except NotANumberError as error:
        raise CellError(error.reason) from error


def cell_number(value: Fraction) -> str:
    """Return a number as `number` reads it."""
    text, exact = number_text(value)
    return text if exact else str(value)


def accepted(key: str, tolerance: str, credit: Fraction) -> Near | Between:
    """Read ``1.5``, ``1.5±0.1``, ``1.5±10%``, ``1..5``, ``(1..5]``, ``..5`` or ``*``, and a tolerance beside it.

    Raises:
        CellError: it is none of these.
    """
    key = key.strip()
    if max(len(key), len(tolerance)) > _MAX_KEY:
        raise CellError("is too long for a number")
    if key == ANY:
        return Between(low=None, high=None, credit=credit)
    if found := _RANGE.fullmatch(key):
        low, high = found[2].strip(), found[3].strip()
        if tolerance:
            raise CellError("is a range and has a tolerance: leave out one of them")
        return Between(
            low=number(low) if low else None,
            high=number(high) if high else None,
            low_open=found[1] == "(",
            high_open=found[4] == ")",
            credit=credit,
        )
    value, sign, width = key.partition("±")
    if sign and tolerance:
        raise CellError("has two tolerances: leave out one of them")
    width = (width if sign else tolerance).strip()
    by = Tolerance.ABSOLUTE
    if width.endswith("%"):
        by, parsed = Tolerance.RELATIVE, number(width[:-1]) / 100
    elif width.endswith(_GEOMETRIC):
        by, parsed = Tolerance.GEOMETRIC, number(width.removesuffix(_GEOMETRIC))
    else:
        parsed = number(width) if width else Fraction(0)
    return Near(value=number(value), tolerance=parsed, by=by, credit=credit)


def accepted_cells(entry: Near | Between) -> tuple[str, str]:
    """Return the cells `key` and `tolerance` of an accepted value."""
    if isinstance(entry, Near):
        if entry.by is Tolerance.RELATIVE:
            return cell_number(entry.value), f"{cell_number(entry.tolerance * 100)}%"
        geometric = f" {_GEOMETRIC}" if entry.by is Tolerance.GEOMETRIC else ""
        width = cell_number(entry.tolerance) if entry.tolerance or geometric else ""
        return cell_number(entry.value), width + geometric
    if entry.low is None and entry.high is None and not (entry.low_open or entry.high_open):
        return ANY, ""
    low = "" if entry.low is None else cell_number(entry.low)
    high = "" if entry.high is None else cell_number(entry.high)
    return f"{'(' if entry.low_open else '['}{low}..{high}{')' if entry.high_open else ']'}", ""


def chosen(key: str, texts: Sequence[str]) -> set[int]:
    """Return the numbers of the choices that a key names, by letters (``A;C``) or by the text of one.

    Raises:
        CellError: it names no choice, or can be read in two ways.
    """
    typed = key.strip()
    by_text = [number for number, text in enumerate(texts) if text.strip() == typed]
    names = [name.strip().lower() for name in typed.split(";")]
    letters = LETTERS[: len(texts)]
    by_letter = {letters.index(name) for name in names if len(name) == 1 and name in letters}
    lettered = len(by_letter) == len(names)
    position = int(typed) - 1 if re.fullmatch("[0-9]{1,2}", typed) else -1
    other = by_letter if lettered else {position} if 0 <= position < len(texts) else set()
    if by_text and other and set(by_text[:1]) != other:
        raise CellError(
            "can be read in two ways, as the text of a choice and as the place of another one: write the letter of the "
            "choice, or give each choice a row with its credit"
        )
    if by_text:
        return set(by_text[:1])
    if lettered:
        return by_letter
    raise CellError("names no choice: write the letters of the correct choices, like A;C, or the exact text of one")


def key_of(right: set[int], texts: Sequence[str]) -> str | None:
    """Return the key that names these choices; None if it could be read in two ways."""
    key = ";".join(LETTERS[number].upper() for number in sorted(right))
    try:
        return key if chosen(key, texts) == right else None
    except CellError:
        return None
