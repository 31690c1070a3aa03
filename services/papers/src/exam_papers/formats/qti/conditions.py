"""Understands the conditions of a response processing as tests of the response."""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from exam_core.credits import NO_CREDIT
from exam_core.numbers import NotANumberError
from exam_core.questions.numeric import Between, Near, Tolerance
from exam_papers.formats.moodle import point_number
from exam_papers.formats.qti.context import NotUnderstoodError
from exam_papers.formats.qti.declarations import NUMBERS, Response, is_true
from exam_papers.formats.qti.patterns import pattern_of
from exam_papers.formats.qti.scoring import IsAnything, IsCorrect, IsNull, IsNumber, IsText, IsValue, Test
from exam_papers.formats.xml_tree import Node

_FLIPPED: Final = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}
_BOTH: Final = 2
"""Operands of a comparison."""
_HUNDRED: Final = 100


class Conditions:
    """Understands conditions about one response."""

    def __init__(self, response: Response) -> None:
        self.response = response

    def tests(self, node: Node) -> list[Test]:
        """Return the tests of which one must be passed.

        Raises:
            NotUnderstoodError: the condition is none of those that are understood.
        """
        if node.name == "or":
            return [test for child in node.children for test in self.tests(child)]
        if node.name == "and":
            return [self._and([self._one(child) for child in node.children])]
        return [self._one(node)]

    def place(self, node: Node) -> int | None:
        """Return the place at which a condition compares the response with the correct order, or None."""
        if node.name != "match" or len(node.children) != _BOTH or any(each.name != "index" for each in node.children):
            return None
        places = {each.attributes.get("n", "") for each in node.children}
        kinds = sorted(inner.name for each in node.children for inner in each.children if self._is_response(inner))
        place = places.pop()
        return int(place) if not places and kinds == ["correct", "variable"] and place.isdecimal() else None

    def _and(self, tests: Sequence[Test]) -> Test:
        kept = [test for test in tests if test != IsAnything()]
        if not kept:
            return IsAnything()
        if len(kept) == 1:
            return kept[0]
        ranges = [test.entry for test in kept if isinstance(test, IsNumber) and isinstance(test.entry, Between)]
        lows = [each for each in ranges if each.low is not None and each.high is None]
        highs = [each for each in ranges if each.high is not None and each.low is None]
        if (len(kept), len(lows), len(highs)) != (_BOTH, 1, 1):
            raise NotUnderstoodError
        low, high = lows[0], highs[0]
        return IsNumber(Between(low=low.low, high=high.high, low_open=low.low_open, high_open=high.high_open))

    def _one(self, node: Node) -> Test:
        if node.name == "not" and [each.name for each in node.children] == ["isNull"]:
            self._one(node.children[0])
            return IsAnything()
        if node.name == "isNull":
            if len(node.children) == 1 and self._is_variable(node.children[0]):
                return IsNull()
            raise NotUnderstoodError
        if node.name == "patternMatch":
            if len(node.children) == 1 and self._is_variable(node.children[0]):
                return pattern_of(node.attributes.get("pattern", ""))
            raise NotUnderstoodError
        if node.name == "and":
            return self._and([self._one(child) for child in node.children])
        if len(node.children) != _BOTH:
            raise NotUnderstoodError
        return self._comparison(node)

    def _comparison(self, node: Node) -> Test:
        first, second = node.children
        name = node.name
        if not self._is_variable(first):
            first, second, name = second, first, _FLIPPED.get(name, name)
        if not self._is_variable(first):
            raise NotUnderstoodError
        if name == "match":
            return self._match(second)
        if name == "stringMatch" and not is_true(node.attributes.get("substring"), default=False):
            return IsText(self._value(second), is_true(node.attributes.get("caseSensitive"), default=True))
        if name not in {"equal", "equalRounded", *_FLIPPED}:
            raise NotUnderstoodError
        value = self._number(self._value(second))
        if name == "equal":
            return IsNumber(_equal(node, value))
        if name == "equalRounded":
            return IsNumber(_rounded(node, value))
        is_open = name in {"lt", "gt"}
        if name.startswith("g"):
            return IsNumber(Between(low=value, high=None, low_open=is_open))
        return IsNumber(Between(low=None, high=value, high_open=is_open))

    def _match(self, node: Node) -> Test:
        if node.name == "correct" and self._is_response(node):
            return IsCorrect()
        value = self._value(node)
        return IsNumber(Near(value=self._number(value))) if self.response.base_type in NUMBERS else IsValue(value)

    def _value(self, node: Node) -> str:
        """The text of a constant."""
        if node.name == "baseValue":
            return node.text.strip()
        if node.name == "correct" and self._is_response(node) and len(self.response.correct) == 1:
            return self.response.correct[0]
        raise NotUnderstoodError

    @staticmethod
    def _number(text: str) -> Fraction:
        try:
            return point_number(text)
        except NotANumberError as error:
            raise NotUnderstoodError from error

    def _is_response(self, node: Node) -> bool:
        return node.attributes.get("identifier") == self.response.identifier

    def _is_variable(self, node: Node) -> bool:
        return node.name == "variable" and self._is_response(node)


def _equal(node: Node, value: Fraction) -> Near | Between:
    mode = node.attributes.get("toleranceMode", "exact")
    if mode == "exact":
        return Near(value=value)
    try:
        given = [abs(point_number(text)) for text in node.attributes.get("tolerance", "").split()]
    except NotANumberError as error:
        raise NotUnderstoodError from error
    if mode not in {"absolute", "relative"} or not 1 <= len(given) <= _BOTH:
        raise NotUnderstoodError
    below, above = given[0], given[-1]
    included = [is_true(node.attributes.get(name), default=True) for name in ("includeLowerBound", "includeUpperBound")]
    if below == above and all(included):
        if mode == "relative":
            return Near(value=value, tolerance=below / _HUNDRED, by=Tolerance.RELATIVE)
        return Near(value=value, tolerance=below)
    if mode == "relative":
        below, above = value * below / _HUNDRED, value * above / _HUNDRED
    ends = sorted([(value - below, not included[0]), (value + above, not included[1])])
    (low, low_open), (high, high_open) = ends
    return Between(low=low, high=high, low_open=low_open, high_open=high_open)


def _rounded(node: Node, value: Fraction) -> Between:
    """Return the numbers that are rounded as the value is: half of the last place below it and above it."""
    figures = node.attributes.get("figures", "")
    if not re.fullmatch(r"[0-9]{1,2}", figures):
        raise NotUnderstoodError
    places = int(figures)
    if node.attributes.get("roundingMode", "significantFigures") == "significantFigures":
        if value == NO_CREDIT or not places:
            raise NotUnderstoodError
        places -= Decimal(float(value)).adjusted() + 1
    rounded, half = round(value, places), Fraction(10) ** -places / 2
    return Between(low=rounded - half, high=rounded + half, high_open=True)
