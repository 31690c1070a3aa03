"""TeX made into MathML Core."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Final, Protocol, cast

from latex2mathml.converter import convert_to_element

from exam_papers.texts.formulas.check import Problem, check
from exam_papers.texts.formulas.core import arity_fault, to_core
from exam_papers.texts.formulas.node import MathNode, depth, math
from exam_papers.texts.limits import MAX_FORMULA_DEPTH

_REFERENCE: Final = re.compile(r"&#x([0-9A-Fa-f]{1,6});")
_TOO_DEEP: Final = Problem("the formula is nested too deeply", "use several formulas", 0)
_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "DoubleSubscriptsError": ("two subscripts follow each other", "use braces: a_{b_c}"),
    "DoubleSuperscriptsError": ("two superscripts follow each other", "use braces: a^{b^c}"),
    "MissingSuperScriptOrSubscriptError": ("^ or _ has nothing after it", "write what is raised or lowered, or {}"),
    "NumeratorNotFoundError": (r"\over has nothing before it", r"use \frac{…}{…}"),
    "DenominatorNotFoundError": (r"\over has nothing after it", r"use \frac{…}{…}"),
    "ExtraLeftOrMissingRightError": (r"\left and \right do not match", r"write one \right for each \left"),
    "InvalidAlignmentError": ("the columns of a table are unknown", "use l, c, r and |"),
    "LimitsMustFollowMathOperatorError": (r"\limits follows no operator", r"write it after \sum, \int or the like"),
}
_INCOMPLETE: Final = ("a command has fewer arguments than it needs", "write each of them in braces")


class _Element(Protocol):
    """What the converter returns, as far as it is read."""

    tag: str
    text: str | None
    attrib: dict[str, str]

    def __iter__(self) -> "Iterable[_Element]": ...


class FormulaError(ValueError):
    """A formula with all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.reason for problem in self.problems))


def convert(tex: str, *, display: bool) -> MathNode:
    """Return a formula as a `math` element with its TeX as annotation; what is wrong raises FormulaError."""
    checked = check(tex)
    if checked.problems:
        raise FormulaError(checked.problems)
    try:
        element = convert_to_element(checked.tex, display="block" if display else "inline")
    except RecursionError:
        raise FormulaError([_TOO_DEEP]) from None
    except Exception as error:  # noqa: BLE001 (the converter raises IndexError, StopIteration, ValueError and its own)
        raise FormulaError([Problem(*_REASONS.get(type(error).__name__, _INCOMPLETE), 0)]) from None
    row = _node(cast("_Element", element))
    if depth(row) > MAX_FORMULA_DEPTH:
        raise FormulaError([_TOO_DEEP])
    if _shows_source(row):
        raise FormulaError([Problem(*_INCOMPLETE, 0)])
    _decode(row)
    parts = [part for child in row.children for part in to_core(child, Counter())]
    content = parts[0] if len(parts) == 1 and parts[0].tag == "mrow" else MathNode("mrow", children=parts)
    if arity_fault(content):
        raise FormulaError([Problem(*_INCOMPLETE, 0)])
    return math(content, tex.strip(), display=display)


def _node(element: _Element) -> MathNode:
    """Return the converter's tree as nodes, without recursion: it may be deep."""
    root = MathNode(element.tag)
    waiting = [(element, root)]
    while waiting:
        source, node = waiting.pop()
        node.text = source.text or ""
        node.attributes = dict(source.attrib)
        for child in cast("Iterable[_Element]", source):
            node.children.append(MathNode(child.tag))
            waiting.append((child, node.children[-1]))
    return root


def _shows_source(node: MathNode) -> bool:
    """Report whether the converter took a part of the formula's structure for a letter."""
    if node.tag in {"mi", "mo", "mn"} and (node.text.startswith("\\") or node.text in {"{", "}", "&", "#"}):
        return True
    return any(_shows_source(child) for child in node.children)


def _decode(node: MathNode) -> None:
    """Replace the references that the converter writes as text."""
    node.text = _REFERENCE.sub(lambda match: unescape(match[0]), node.text)
    for child in node.children:
        _decode(child)
