"""Writes keys: mappings, correct responses, and the rules of response processing."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from exam_core.credits import FULL_CREDIT
from exam_core.questions.numeric import Between, Near, Tolerance
from exam_core.questions.text import ShortText
from exam_papers.formats.losses import Losses
from exam_papers.formats.model import LossCode
from exam_papers.formats.moodle import absolute, number_text
from exam_papers.formats.qti.credit_values import credit_of
from exam_papers.formats.qti.names import SCORE, Version
from exam_papers.formats.qti.patterns import written_pattern
from exam_papers.formats.qti.written import TEMPLATES, element
from exam_papers.formats.xml_tree import Node

RESPONSE: Final = "RESPONSE"
MATCH_CORRECT, MAP_RESPONSE = "match_correct", "map_response"
_HUNDRED: Final = 100


class Keys:
    """Writes the key of one question."""

    def __init__(self, ident: str, losses: Losses, version: Version) -> None:
        self.ident = ident
        self.losses = losses
        self.version = version

    def lose(self, code: LossCode, feature: str, count: int = 1) -> None:
        """Record a loss of the question."""
        self.losses.add(code, feature, self.ident, count)

    def credit(self, credit: Fraction) -> str:
        """Return a credit as a decimal from which it is read again."""
        text = number_text(credit)[0]
        self.lose(LossCode.CREDIT, "a credit is rounded", int(credit_of(Fraction(text)) != credit))
        return text

    def number(self, number: Fraction) -> str:
        """Return a number, rounded if it has no end as a decimal."""
        text, exact = number_text(number)
        self.lose(LossCode.NUMBER, "a number is rounded", int(not exact))
        return text

    def template(self, name: str) -> Node:
        """Return the response processing by a template."""
        return element("responseProcessing", template=TEMPLATES[self.version].format(name))

    def response(self, cardinality: str, base_type: str, *parts: Node | None) -> Node:
        """Return the declaration of the response."""
        kept = [part for part in parts if part is not None]
        names = {"identifier": RESPONSE, "cardinality": cardinality, "baseType": base_type}
        return element("responseDeclaration", *kept, **names)

    def mapping(self, entries: Sequence[tuple[str, Fraction]], **attributes: str) -> Node:
        """Return a mapping of credits."""
        mapped = [
            element("mapEntry", mapKey=key, mappedValue=self.credit(credit), **attributes) for key, credit in entries
        ]
        return element("mapping", *mapped, defaultValue="0")

    def chain(self, branches: Sequence[tuple[Node, Fraction]]) -> Node:
        """Return the response processing in which the first condition that holds decides."""
        rules = [
            element("responseElseIf" if number else "responseIf", condition, set_score(self.credit(credit)))
            for number, (condition, credit) in enumerate(branches)
        ]
        otherwise = element("responseElse", set_score("0"))
        return element("responseProcessing", element("responseCondition", *rules, otherwise))

    def places(self, count: int) -> Node:
        """Return the response processing that adds the same for each item at its place."""
        each = self.credit(Fraction(1, count))
        rules = []
        for place in range(1, count + 1):
            index = [element("index", element(name, identifier=RESPONSE), n=str(place)) for name in _COMPARED]
            added = element("sum", element("variable", identifier=SCORE), constant(each))
            setting = element("setOutcomeValue", added, identifier=SCORE)
            rules.append(element("responseCondition", element("responseIf", element("match", *index), setting)))
        return element("responseProcessing", *rules)

    def text_condition(self, question: ShortText, text: str) -> Node:
        """Return the condition that a text is accepted by a pattern."""
        pattern = written_pattern(text, case=question.case)
        return element("patternMatch", variable(), pattern=pattern)

    def number_condition(self, entry: Near | Between) -> Node:
        """Return the condition that a number is accepted."""
        if isinstance(entry, Near) and entry.by is Tolerance.GEOMETRIC:
            self.lose(LossCode.NUMBER, "a geometric tolerance is written as a range")
            entry = absolute(entry)
        if isinstance(entry, Between):
            return self._range(entry)
        attributes = {"toleranceMode": "exact"}
        if entry.by is Tolerance.RELATIVE:
            attributes = {"toleranceMode": "relative", "tolerance": self.number(entry.tolerance * _HUNDRED)}
        elif entry.tolerance:
            attributes = {"toleranceMode": "absolute", "tolerance": self.number(entry.tolerance)}
        return element("equal", variable(), constant(self.number(entry.value)), **attributes)

    def _range(self, entry: Between) -> Node:
        ends = [
            (("gt", "gte"), entry.low, entry.low_open),
            (("lt", "lte"), entry.high, entry.high_open),
        ]
        conditions = [
            element(names[not is_open], variable(), constant(self.number(end)))
            for names, end, is_open in ends
            if end is not None
        ]
        if not conditions:
            return element("not", element("isNull", variable()))
        return conditions[0] if len(conditions) == 1 else element("and", *conditions)


_COMPARED: Final = ("variable", "correct")


def correct(values: Sequence[str]) -> Node | None:
    """Return the correct response; None without values."""
    return element("correctResponse", *(element("value", value) for value in values)) if values else None


def variable() -> Node:
    """Return the expression of the response."""
    return element("variable", identifier=RESPONSE)


def constant(text: str, base_type: str = "float") -> Node:
    """Return the expression of a constant."""
    return element("baseValue", text, baseType=base_type)


def set_score(text: str) -> Node:
    """Return the rule that sets the score."""
    return element("setOutcomeValue", constant(text), identifier=SCORE)


def full_only(credits_: Sequence[Fraction]) -> bool:
    """Return whether one credit is full and all others are none."""
    return sorted(credits_) == [Fraction(0)] * (len(credits_) - 1) + [FULL_CREDIT]
