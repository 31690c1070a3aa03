"""The declarations of an item: the response with its key, and the outcomes."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from exam_core.credits import NO_CREDIT
from exam_papers.formats.qti.context import Context
from exam_papers.formats.qti.names import MAX_SCORE, SCORE, keys_have_case
from exam_papers.formats.xml_tree import Node

NUMBERS: Final = frozenset({"float", "integer"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, what it earns, and whether its capital letters matter."""

    key: str
    value: Fraction
    case: bool
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """What responses earn, and the bounds of their sum."""

    entries: tuple[Entry, ...]
    default: Fraction = NO_CREDIT
    lower: Fraction | None = None
    upper: Fraction | None = None

    def bounded(self, value: Fraction) -> Fraction:
        """Return a sum within the bounds."""
        value = value if self.lower is None else max(self.lower, value)
        return value if self.upper is None else min(self.upper, value)

    def value(self, key: str) -> Fraction:
        """Return what an identifier earns before the bounds."""
        return next((entry.value for entry in self.entries if entry.key == key), self.default)


@dataclass(frozen=True, slots=True)
class Response:
    """The declaration of a response."""

    node: Node
    identifier: str
    cardinality: str
    base_type: str
    correct: tuple[str, ...]
    mapping: Mapping | None
    default: str
    """The text that an answer begins with."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the outcomes state of the score: its maximum, and its value before any rule."""

    maximum: Fraction | None
    max_score: Fraction | None
    initial: Fraction

    @property
    def stated(self) -> Fraction | None:
        """The maximum that is stated."""
        return next((each for each in (self.maximum, self.max_score) if each is not None and each > 0), None)


def responses(context: Context, root: Node) -> dict[str, Response]:
    """Return the responses of an item by their identifiers."""
    found = (_response(context, node, root.namespace) for node in root.all("responseDeclaration"))
    return {each.identifier: each for each in found}


def _response(context: Context, node: Node, namespace: str) -> Response:
    correct, mapping, default = (node.first(name) for name in ("correctResponse", "mapping", "defaultValue"))
    return Response(
        node,
        node.attributes.get("identifier", ""),
        node.attributes.get("cardinality", "single"),
        node.attributes.get("baseType", ""),
        tuple(value.text.strip() for value in correct.all("value")) if correct else (),
        _mapping(context, mapping, case=keys_have_case(namespace)) if mapping else None,
        "".join(value.text for value in default.all("value")) if default else "",
    )


def _mapping(context: Context, node: Node, *, case: bool) -> Mapping:
    entries = tuple(
        Entry(
            each.attributes.get("mapKey", ""),
            context.number(each, each.attributes.get("mappedValue", "")),
            is_true(each.attributes.get("caseSensitive"), default=case),
            each.line,
        )
        for each in node.all("mapEntry")
    )
    default = context.optional_number(node, "defaultValue") or NO_CREDIT
    lower, upper = (context.optional_number(node, name) for name in ("lowerBound", "upperBound"))
    return Mapping(entries, default, lower, upper)


def is_true(text: str | None, *, default: bool) -> bool:
    """Read a boolean."""
    return default if text is None else text.strip() in {"true", "1"}


def outcomes(context: Context, root: Node) -> Outcomes:
    """Return what the outcomes state of the score."""
    declared = {node.attributes.get("identifier", ""): node for node in root.all("outcomeDeclaration")}
    score, most = declared.get(SCORE), declared.get(MAX_SCORE)
    return Outcomes(
        maximum=context.optional_number(score, "normalMaximum") if score else None,
        max_score=_default(context, most),
        initial=_default(context, score) or NO_CREDIT,
    )


def _default(context: Context, node: Node | None) -> Fraction | None:
    default = node.first("defaultValue") if node else None
    value = default.first("value") if default else None
    return context.number(value, value.text) if value is not None and value.text.strip() else None
