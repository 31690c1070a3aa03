"""MathML as it stands in HTML, read into nodes and made into MathML Core."""

import re
from collections.abc import Sequence
from html import unescape
from typing import Final

from exam_papers.texts.formulas.core import Losses, arity_fault, to_core
from exam_papers.texts.formulas.node import TEX_ENCODING, TOKENS, MathNode, depth, math
from exam_papers.texts.html.rules import VOID
from exam_papers.texts.html.scan import Comment, Tag, Text, Token
from exam_papers.texts.limits import MAX_FORMULA, MAX_FORMULA_DEPTH

_TEX_ENCODINGS: Final = frozenset({TEX_ENCODING, "tex", "latex", "application/x-latex"})
_LINEAR: Final = {
    "mfrac": "({})/({})",
    "msup": "{}^({})",
    "msub": "{}_({})",
    "msubsup": "{}_({})^({})",
    "munder": "{}_({})",
    "mover": "{}^({})",
    "munderover": "{}_({})^({})",
    "mroot": "root({}, {})",
}
_SIMPLE: Final = re.compile(r"\((\w+)\)")


class MathMLError(ValueError):
    """MathML that cannot be read; the message is the reason."""


def read_math(source: str, tokens: Sequence[Token], losses: Losses) -> MathNode:
    """Return the `math` element that the tokens from its start tag to its end tag stand for."""
    root = _tree(source, tokens)
    if depth(root) > MAX_FORMULA_DEPTH:
        raise MathMLError("the MathML is nested too deeply")
    tex = _annotation(root)
    attributes = root.attributes
    for name in attributes.keys() - {"display", "dir", "xmlns", "mode", "overflow"}:
        losses["math", name] += 1
    parts = [part for child in root.children for part in to_core(child, losses)]
    content = parts[0] if len(parts) == 1 and parts[0].tag == "mrow" else MathNode("mrow", children=parts)
    if element := arity_fault(content):
        raise MathMLError(f"<{element}> of MathML has too few or too many parts")
    direction = attributes.get("dir")
    return math(
        content,
        tex,
        display="block" in {attributes.get("display"), attributes.get("mode")},
        direction=direction if direction in {"ltr", "rtl"} else None,
    )


def _tree(source: str, tokens: Sequence[Token]) -> MathNode:
    root = MathNode("")
    path = [root]
    for token in tokens:
        if isinstance(token, Text):
            _add_text(path[-1], source[token.start : token.end])
        elif isinstance(token, Comment):
            text = source[token.start : token.end]
            if text.startswith("<![CDATA["):
                raise MathMLError("MathML contains a CDATA section")
        elif isinstance(token, Tag) and token.closes:
            if len(path) == 1 or path[-1].tag != token.name:
                raise MathMLError("a tag in MathML closes nothing that is open there")
            path.pop()
        elif isinstance(token, Tag):
            node = MathNode(token.name, dict(token.attributes))
            path[-1].children.append(node)
            if not token.empty and token.name not in VOID:
                path.append(node)
    if len(path) > 1 or len(root.children) != 1:
        raise MathMLError("an element of MathML is not closed")
    return root.children[0]


def _add_text(node: MathNode, raw: str) -> None:
    text = unescape(raw)
    if node.tag in TOKENS | {"annotation"}:
        node.text += text
    elif text.strip():
        node.children.append(MathNode("mtext", text=text))


def _annotation(node: MathNode) -> str | None:
    """Return the formula's TeX, if the MathML has it."""
    waiting = [node]
    while waiting:
        element = waiting.pop()
        if element.tag == "semantics":
            for child in element.children[1:]:
                encoding = child.attributes.get("encoding", "").lower()
                if child.tag == "annotation" and encoding in _TEX_ENCODINGS and len(child.text) <= MAX_FORMULA:
                    child.tag = "mprescripts"
                    return child.text.strip() or None
        waiting.extend(reversed(element.children))
    return None


def linear(node: MathNode) -> str:
    """Return a formula without TeX in one line."""
    if node.tag in TOKENS:
        return node.text
    parts = [linear(child) for child in node.children]
    if node.tag in _LINEAR:
        return _SIMPLE.sub(r"\1", _LINEAR[node.tag].format(*parts))
    if node.tag == "msqrt":
        return f"√({''.join(parts)})"
    if node.tag in {"mtable", "mtr"}:
        return "; ".join(parts) if node.tag == "mtable" else ", ".join(parts)
    return "".join(parts) if node.tag != "mspace" else " "
