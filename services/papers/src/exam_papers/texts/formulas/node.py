"""Elements of MathML, and their only serialiser."""

from dataclasses import dataclass, field
from html import escape
from typing import Final

TEX_ENCODING: Final = "application/x-tex"
TOKENS: Final = frozenset({"mi", "mn", "mo", "ms", "mtext"})
"""Elements that contain text. Where HTML reads them, HTML elements inside would be live: they never have children."""


@dataclass(slots=True)
class MathNode:
    """An element; only tokens and annotations have text."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["MathNode"] = field(default_factory=list)


def serialise(node: MathNode) -> str:
    """Return the element as HTML; text and attributes are escaped."""
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
    text = escape(node.text, quote=False).replace("\xa0", "&nbsp;")
    content = text + "".join(serialise(child) for child in node.children)
    return f"<{node.tag}{attributes}>{content}</{node.tag}>"


def depth(node: MathNode) -> int:
    """Return the number of levels, without recursion."""
    levels, row = 0, [node]
    while row:
        levels, row = levels + 1, [child for parent in row for child in parent.children]
    return levels


def math(content: MathNode, tex: str | None, *, display: bool, direction: str | None = None) -> MathNode:
    """Return the `math` element around a row, with its TeX as annotation."""
    attributes = {"display": "block"} if display else {}
    if direction:
        attributes["dir"] = direction
    if tex is None:
        return MathNode("math", attributes, children=[content])
    annotation = MathNode("annotation", {"encoding": TEX_ENCODING}, text=tex)
    return MathNode("math", attributes, children=[MathNode("semantics", children=[content, annotation])])
