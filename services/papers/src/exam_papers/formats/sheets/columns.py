"""The columns of a sheet of questions."""

import re
from typing import Final

from exam_core import limits

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"[: limits.MAX_CHOICES]
CHOICE_COLUMNS: Final = tuple(f"choice_{letter}" for letter in LETTERS)
QUESTION_COLUMNS: Final = (
    "id",
    "kind",
    "title",
    "text",
    "format",
    "weight",
    "category",
    "tags",
    "section",
    "rule",
    "floor",
    "cap",
    "max_choices",
    "case",
    "wildcards",
    "max_length",
    "unit",
    "min_words",
    "max_words",
    "max_characters",
    "template",
    "notes",
)
"""What only a question's first row has."""
ENTRY_COLUMNS: Final = ("choice", "key", "credit", "tolerance", "image")
"""What its further rows have too: a choice, stem, item or accepted answer each."""
COLUMNS: Final = (*QUESTION_COLUMNS, *CHOICE_COLUMNS, *ENTRY_COLUMNS)
REQUIRED: Final = ("kind", "text")
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")


def neutralised(cell: str) -> str:
    """Return a cell that no spreadsheet reads as a formula; numbers stay."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def original(cell: str) -> str:
    """The inverse of `neutralised`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
