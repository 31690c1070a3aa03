"""What GIFT and Moodle XML have in common: Moodle's names and numbers for rules, categories, texts and intervals."""

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Final

from exam_core import limits
from exam_core.numbers import NotANumberError, decimal_text, parse_decimal
from exam_core.questions.numeric import Between, Near, Tolerance
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText

RULE_NAMES: Final[Mapping[OrderingRule, str]] = {
    OrderingRule.ALL_OR_NOTHING: "ALL_OR_NOTHING",
    OrderingRule.PLACES: "ABSOLUTE_POSITION",
    OrderingRule.SUCCESSORS: "RELATIVE_NEXT_EXCLUDE_LAST",
    OrderingRule.SUCCESSORS_AND_END: "RELATIVE_NEXT_INCLUDE_LAST",
    OrderingRule.NEIGHBOURS: "RELATIVE_ONE_PREVIOUS_AND_NEXT",
    OrderingRule.PAIRS: "RELATIVE_ALL_PREVIOUS_AND_NEXT",
    OrderingRule.LONGEST_SUBSEQUENCE: "LONGEST_ORDERED_SUBSET",
    OrderingRule.LONGEST_RUN: "LONGEST_CONTIGUOUS_SUBSET",
    OrderingRule.DISTANCES: "RELATIVE_TO_CORRECT",
}
RULES: Final[Mapping[str, OrderingRule]] = (
    {name: rule for rule, name in RULE_NAMES.items()}
    | {str(number): rule for number, rule in enumerate(RULE_NAMES, -1)}
    | {
        "ABSOLUTE": OrderingRule.PLACES,
        "ABS": OrderingRule.PLACES,
        "RELATIVE": OrderingRule.SUCCESSORS,
        "REL": OrderingRule.SUCCESSORS,
    }
)
"""The rules by Moodle's names, short names and numbers (-1 … 7)."""
DEFAULT_RULE: Final = OrderingRule.SUCCESSORS
"""The rule of an ordering question that names none."""
_CONTEXTS: Final = re.compile(r"\$(course|system|module|coursecategory|cat)\w*\$")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PLACES: Final = Context(prec=30, rounding=ROUND_HALF_EVEN)


def category_names(path: str) -> tuple[str, ...]:
    """Split the path of a category at single slashes; a double one is a slash in a name.

    The context that a path begins with, and its `top`, are left out.
    """
    names = [name.strip().replace("//", "/") for name in re.split(r"(?<!/)/(?!/)", path.strip())]
    if names and _CONTEXTS.fullmatch(names[0]):
        names = names[1:]
    if names and names[0] == "top":
        names = names[1:]
    return tuple(name for name in names if name)


def category_path(names: Sequence[str]) -> str:
    """Return the path of a category, without the context."""
    return "/".join(name.replace("/", "//") for name in names)


def point_number(text: str) -> Fraction:
    """Read a number with a decimal point; files of Moodle have no other decimal sign.

    Raises:
        NotANumberError: it is no such number.
    """
    typed = text.strip()
    if not _NUMBER.fullmatch(typed):
        comma = "," in typed
        raise NotANumberError(text, "is not a number" + (": write it with a decimal point" if comma else ""))
    return Fraction(parse_decimal(typed))


def number_text(number: Fraction) -> tuple[str, bool]:
    """Format a number as a decimal, and whether that is exact; otherwise it has 30 digits."""
    rounded = _PLACES.divide(Decimal(number.numerator), Decimal(number.denominator))
    text = decimal_text(rounded)
    return text, Fraction(text) == number


def absolute(entry: Near | Between) -> Near | Between:
    """Return an accepted value that accepts the same numbers, with an absolute tolerance, or as a range."""
    if isinstance(entry, Between) or entry.by is Tolerance.ABSOLUTE:
        return entry
    if entry.by is Tolerance.RELATIVE:
        return Near(value=entry.value, tolerance=abs(entry.value) * entry.tolerance, credit=entry.credit)
    interval = entry.interval
    return Between(low=interval.low, high=interval.high, credit=entry.credit)


_STAR: Final = re.compile(r"(\\?)\*")


def short_text(accepted: Sequence[AcceptedText], *, case: bool = False) -> ShortText:
    r"""Return the question that accepts these texts, in which `*` is any run of characters and ``\*`` a star."""
    longest = max((len(entry.text) for entry in accepted), default=0)
    length = limits.DEFAULT_SHORT_TEXT if longest <= limits.DEFAULT_SHORT_TEXT else limits.MAX_SHORT_TEXT
    if any(not match[1] for entry in accepted for match in _STAR.finditer(entry.text)):
        return ShortText(accepted=tuple(accepted), case=case, wildcards=True, max_length=length)
    literal = (AcceptedText(text=entry.text.replace("\\*", "*"), credit=entry.credit) for entry in accepted)
    return ShortText(accepted=tuple(literal), case=case, max_length=length)


def pattern_text(question: ShortText, entry: AcceptedText) -> str:
    r"""Return an accepted text as Moodle reads it; the inverse of `short_text`."""
    return entry.text if question.wildcards else entry.text.replace("*", "\\*")


def default_length(question: ShortText) -> int:
    """Return the longest length of an answer that `short_text` gives this question."""
    longest = max(len(pattern_text(question, entry)) for entry in question.accepted)
    return limits.DEFAULT_SHORT_TEXT if longest <= limits.DEFAULT_SHORT_TEXT else limits.MAX_SHORT_TEXT
