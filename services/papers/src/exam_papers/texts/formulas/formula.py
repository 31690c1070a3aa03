"""A formula as HTML and as plain text, from either of its sources."""

from collections.abc import Sequence
from dataclasses import dataclass

from exam_papers.texts.formulas.core import Losses
from exam_papers.texts.formulas.imported import linear, read_math
from exam_papers.texts.formulas.node import MathNode, serialise
from exam_papers.texts.formulas.tex import convert
from exam_papers.texts.html.scan import Token


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula: its MathML as HTML, and its TeX with delimiters, or its parts in one line if there is no TeX."""

    html: str
    text: str


def from_tex(tex: str, *, display: bool) -> Formula:
    """Return a formula written in TeX; what is wrong with it raises FormulaError."""
    return Formula(serialise(convert(tex, display=display)), delimited(tex, display=display))


def from_mathml(source: str, tokens: Sequence[Token], losses: Losses) -> Formula:
    """Return a formula written in MathML; what is wrong with it raises MathMLError."""
    node = read_math(source, tokens, losses)
    content = node.children[0]
    display = "display" in node.attributes
    if content.tag == "semantics":
        return Formula(serialise(node), delimited(content.children[1].text, display=display))
    return Formula(serialise(node), _in_line(content))


def delimited(tex: str, *, display: bool) -> str:
    """Return TeX as an author writes it, in one line."""
    tex = " ".join(tex.split())
    return f"$${tex}$$" if display else rf"\({tex}\)"


def _in_line(content: MathNode) -> str:
    return " ".join(linear(content).split())
