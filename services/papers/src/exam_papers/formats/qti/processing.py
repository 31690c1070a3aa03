"""Understands the response processing of an item: its templates, and rules that are written out."""

import re
from fractions import Fraction
from typing import Final

from exam_core.credits import NO_CREDIT
from exam_papers.formats.moodle import point_number
from exam_papers.formats.qti.conditions import Conditions
from exam_papers.formats.qti.context import NotUnderstoodError
from exam_papers.formats.qti.declarations import Outcomes, Response
from exam_papers.formats.qti.names import MAX_SCORE, SCORE
from exam_papers.formats.qti.scoring import (
    CORRECT,
    Branch,
    Chain,
    IsAnything,
    IsNull,
    Mapped,
    Places,
    Scoring,
    Test,
    correct_earns,
)
from exam_papers.formats.xml_tree import Node

_CORRECT_TEMPLATES: Final = frozenset({"match_correct", "cc2_match", "cc2_match_correct"})
_BASIC_TEMPLATE: Final = "cc2_match_basic"
"""The correct response earns the stated maximum."""
_MAP_TEMPLATES: Final = frozenset({"map_response", "cc2_map_response"})
_BRANCHES: Final = frozenset({"responseIf", "responseElseIf", "responseElse"})
_OTHER_FLOWS: Final = frozenset({"exitResponse", "responseProcessingFragment", "include", "lookupOutcomeValue"})


def scoring_of(node: Node | None, response: Response, outcomes: Outcomes) -> Scoring:
    """Return how an item scores its response.

    Raises:
        NotUnderstoodError: it is none of the forms that are understood.
    """
    if node is None:
        raise NotUnderstoodError
    template = node.attributes.get("template") or node.attributes.get("templateLocation")
    if template and not node.children:
        return _template(template, outcomes)
    return _Processing(response, outcomes).scoring(node)


def _template(location: str, outcomes: Outcomes) -> Scoring:
    name = re.split(r"[/\\]", location.strip())[-1].removesuffix(".xml").lower()
    if name in _CORRECT_TEMPLATES:
        return CORRECT
    if name == _BASIC_TEMPLATE:
        return correct_earns(outcomes.max_score or Fraction(1))
    if name in _MAP_TEMPLATES:
        return Mapped()
    raise NotUnderstoodError


class _Processing:
    """Understands the rules of one item."""

    def __init__(self, response: Response, outcomes: Outcomes) -> None:
        self.response = response
        self.outcomes = outcomes
        self.conditions = Conditions(response)

    def scoring(self, node: Node) -> Scoring:
        """Return the scoring of all rules; those that do not set the score are for feedback."""
        if _contains(node, _OTHER_FLOWS):
            raise NotUnderstoodError
        rules = [rule for rule in node.children if _sets_score(rule)]
        initial = self.outcomes.initial
        if len(rules) > 1 and rules[0].name == "setOutcomeValue":
            initial = self.constant(rules[0].children, initial)
            rules = rules[1:]
        if (places := self.places(rules, initial)) is not None:
            return places
        if len(rules) != 1:
            raise NotUnderstoodError
        if rules[0].name == "setOutcomeValue":
            return self.value(rules[0], initial)
        return self.condition(rules[0], initial)

    def condition(self, rule: Node, initial: Fraction) -> Scoring:
        """Return the scoring of a chain of branches."""
        branches: list[Branch] = []
        otherwise: Scoring | Fraction = initial
        for child in rule.children:
            if child.name not in _BRANCHES:
                raise NotUnderstoodError
            expressions = [each for each in child.children if each.name != "setOutcomeValue"]
            is_else = child.name == "responseElse"
            if len(expressions) != (0 if is_else else 1):
                raise NotUnderstoodError
            tests: list[Test] = [IsAnything()] if is_else else self.conditions.tests(expressions[0])
            value = self.branch(child, initial)
            if is_else or isinstance(value, Mapped):
                if tests != [IsAnything()]:
                    raise NotUnderstoodError
                otherwise = value
                break
            branches += self.scored(tests, value)
        if isinstance(otherwise, Mapped) and not branches:
            return otherwise
        if not isinstance(otherwise, Fraction):
            raise NotUnderstoodError
        return Chain(tuple(branches), otherwise)

    def scored(self, tests: list[Test], value: Scoring | Fraction) -> list[Branch]:
        """Return the branches of one condition; no response earns nothing."""
        if not isinstance(value, Fraction) or (IsNull() in tests and value != NO_CREDIT):
            raise NotUnderstoodError
        return [Branch(test, value) for test in tests if test != IsNull()]

    def branch(self, node: Node, initial: Fraction) -> Scoring | Fraction:
        """Return what a branch sets the score to."""
        rules = [each for each in node.children if _sets_score(each)]
        if not rules:
            return initial
        if len(rules) > 1 or rules[0].name != "setOutcomeValue":
            raise NotUnderstoodError
        found = self.value(rules[0], initial)
        return found.otherwise if isinstance(found, Chain) else found

    def value(self, rule: Node, initial: Fraction) -> Scoring:
        """Return the mapping, or a chain without branches for a constant."""
        names = [child.name for child in rule.children]
        if names == ["mapResponse"] and rule.children[0].attributes.get("identifier") == self.response.identifier:
            return Mapped()
        return Chain((), self.constant(rule.children, initial))

    def constant(self, expressions: list[Node], initial: Fraction) -> Fraction:
        """Return the value of an expression that is the same for every response."""
        if len(expressions) != 1:
            raise NotUnderstoodError
        node = expressions[0]
        if node.name == "baseValue":
            try:
                return point_number(node.text)
            except ValueError as error:
                raise NotUnderstoodError from error
        if node.name == "sum":
            return sum((self.constant([each], initial) for each in node.children), NO_CREDIT)
        known = {MAX_SCORE: self.outcomes.max_score, SCORE: initial}
        value = known.get(node.attributes.get("identifier", "")) if node.name == "variable" else None
        if value is None:
            raise NotUnderstoodError
        return value

    def places(self, rules: list[Node], initial: Fraction) -> Places | None:
        """Return the scoring of rules that each compare one place of the order; None if they are not such rules."""
        found: dict[int, Fraction] = {}
        for rule in rules:
            branch = rule.children[0] if len(rule.children) == 1 else None
            if branch is None or branch.name != "responseIf" or len(branch.children) != 2:  # noqa: PLR2004 - test, value
                return None
            condition, setting = branch.children
            place = self.conditions.place(condition)
            added = setting.first("sum") if setting.name == "setOutcomeValue" else None
            if place is None or place in found or added is None:
                return None
            found[place] = self.constant([added], NO_CREDIT)
        values = set(found.values())
        if len(values) != 1 or initial != NO_CREDIT or sorted(found) != list(range(1, len(found) + 1)):
            return None
        return Places(len(found), values.pop())


def _sets_score(node: Node) -> bool:
    if node.name == "setOutcomeValue":
        return node.attributes.get("identifier") == SCORE
    return any(map(_sets_score, node.children))


def _contains(node: Node, names: frozenset[str]) -> bool:
    return any(child.name in names or _contains(child, names) for child in node.children)
