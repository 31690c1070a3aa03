"""MathML made into MathML Core: what browsers would ignore is replaced by what they show, or removed."""

import re
import unicodedata
from collections import Counter
from typing import Final

from exam_papers.texts.formulas.letters import in_variant
from exam_papers.texts.formulas.node import TOKENS, MathNode
from exam_papers.texts.formulas.rules import (
    ARITY,
    BOX,
    CELL_CLASSES,
    ELEMENTS,
    LEFT,
    LINE_BELOW,
    LINE_RIGHT,
    RIGHT,
    kept,
)

Losses = Counter[tuple[str, str]]
"""Counts by the names of element and attribute (empty for the element itself)."""

_SPACE: Final = re.compile(r"[ \t\n\r\f]+")
_NAMED_LENGTHS: Final = {
    name: f"{sign}{width}em"
    for sign, prefix in (("", ""), ("-", "negative"))
    for name, width in (
        (f"{prefix}veryverythinmathspace", 0.0556),
        (f"{prefix}verythinmathspace", 0.1111),
        (f"{prefix}thinmathspace", 0.1667),
        (f"{prefix}mediummathspace", 0.2222),
        (f"{prefix}thickmathspace", 0.2778),
        (f"{prefix}verythickmathspace", 0.3333),
    )
}
_ALIGNMENT: Final = {"left": LEFT, "right": RIGHT}
_MUTE: Final = frozenset({"fence", "separator", "columnalign", "columnlines", "rowlines", "xmlns", "mathvariant"})
"""Attributes that are translated, or that never had an effect: no loss."""
_DROPPED_WITH_CONTENT: Final = frozenset({"annotation", "annotation-xml", "mglyph", "malignmark", "maligngroup"})
_REPLACED: Final = frozenset({"mfenced", "mlabeledtr", "none"})
_LIMITS: Final = frozenset({"lim", "sup", "inf", "max", "min"})
_LIMIT_FORMS: Final = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
_ACCENTS: Final = frozenset("\u00b4\u00af\u02d8\u02c7\u02d9\u00a8`^\u02da~\u203e\u20db\u20dc\u2192")
_IDENTIFIERS: Final = frozenset("∞∅")
"""Signs of mathematics that are no operators: as such they would be set apart."""
_SYMBOLS: Final = frozenset("∂∇")
_PUNCTUATION: Final = frozenset(":;")
_BRACKETS: Final = frozenset({"Ps", "Pe"})
_OPERATORS: Final = _BRACKETS | {"Sm", "So"}
"""Categories of Unicode that are operators, also where the converter takes them for identifiers."""
_BAR: Final = "\u2015"
_STRETCHED: Final = {"mover": "\u203e", "munder": "_"}


def to_core(node: MathNode, losses: Losses) -> list[MathNode]:
    """Return an element's equivalent in MathML Core, none or several; `losses` counts what is not kept."""
    if node.tag in _DROPPED_WITH_CONTENT:
        losses[node.tag, ""] += 1
        return []
    if node.tag == "semantics":
        return to_core(node.children[0], losses) if node.children else []
    if node.tag == "mtable":
        _mark_cells(node)
    children = [part for child in node.children for part in _as_one(child, losses, node.tag)]
    if _is_box(node):
        return [MathNode("mrow", {"class": BOX}, children=children)]
    if node.tag in _REPLACED:
        return [_replaced(node, children)]
    if node.tag in ELEMENTS and node.tag != "math":
        return [_kept(node, children, losses)]
    losses[node.tag, ""] += 1
    return children


def _kept(node: MathNode, children: list[MathNode], losses: Losses) -> MathNode:
    """Return an element with the attributes that are kept; of a token, text alone is."""
    attributes = _attributes(node, losses)
    if node.tag not in TOKENS:
        return _limits(_accent(MathNode(node.tag, attributes, children=children)))
    text = _SPACE.sub(" ", node.text).strip(" ")
    if children:
        return MathNode("mrow", children=([MathNode(node.tag, text=text)] if text else []) + children)
    return _token(MathNode(node.tag, attributes, text), node.attributes.get("mathvariant", ""))


def _is_box(node: MathNode) -> bool:
    return node.tag == "menclose" and node.attributes.get("notation") == "box"


def _replaced(node: MathNode, children: list[MathNode]) -> MathNode:
    """Return what browsers show for an element that is only an abbreviation."""
    if node.tag == "mfenced":
        return MathNode("mrow", children=_fenced(node, children))
    return MathNode("mtr", children=children[1:]) if node.tag == "mlabeledtr" else MathNode("mrow")


def _as_one(child: MathNode, losses: Losses, parent: str) -> list[MathNode]:
    """Return a child's equivalent, as one element where the parent counts its children."""
    parts = to_core(child, losses)
    if parent not in ARITY or len(parts) == 1:
        return parts
    return [MathNode("mrow", children=parts)] if parts or child.tag not in _DROPPED_WITH_CONTENT else []


def _attributes(node: MathNode, losses: Losses) -> dict[str, str]:
    result = {}
    for name, given in node.attributes.items():
        value = _length(given.strip())
        if kept(node.tag, name, value):
            result[name] = value
        elif name not in _MUTE:
            losses[node.tag, name] += 1
    return result


def _length(value: str) -> str:
    """Return a length in units of CSS; other values as they are."""
    if value in _NAMED_LENGTHS:
        return _NAMED_LENGTHS[value]
    if match := re.fullmatch(r"(-?\d{1,3}(?:\.\d{1,3})?)\s*mu", value):
        return f"{round(float(match[1]) / 18, 4):g}em"
    return re.sub(r"(?<=\d)\s+(?=[a-z]+$)", "", value)


def _token(node: MathNode, variant: str) -> MathNode:
    if node.text in _IDENTIFIERS:
        return MathNode("mi", text=node.text)
    if node.tag == "mi" and len(node.text) == 1:
        category = unicodedata.category(node.text)
        if (category in _OPERATORS and node.text not in _SYMBOLS) or node.text in _PUNCTUATION:
            node.tag = "mo"
            node.attributes.pop("mathvariant", None)
            if category in _BRACKETS:
                node.attributes["stretchy"] = "false"
        elif variant in {"italic", "normal"}:
            return node
    node.text = in_variant(node.text, variant)
    if node.tag == "mi" and len(node.text) > 1:
        node.attributes.pop("mathvariant", None)
    if node.tag == "mo" and (node.text in _LIMITS or node.attributes.get("movablelimits") == "true"):
        node.attributes["movablelimits"] = "true"
    return node


def _accent(node: MathNode) -> MathNode:
    """Let bars stretch over what they cover, and place accents as such."""
    if node.tag in _STRETCHED and len(node.children) == ARITY[node.tag] and node.children[1].tag == "mo":
        mark = node.children[1]
        if mark.text == _BAR:
            mark.text = _STRETCHED[node.tag]
            mark.attributes = {"stretchy": "true"}
        if node.tag == "mover" and mark.text in _ACCENTS and mark.text and "movablelimits" not in mark.attributes:
            node.attributes["accent"] = "true"
    return node


def _limits(node: MathNode) -> MathNode:
    """Place the scripts of `lim` and the like below and above, where there is room."""
    if node.tag in _LIMIT_FORMS and node.children and node.children[0].attributes.get("movablelimits") == "true":
        node.tag = _LIMIT_FORMS[node.tag]
    return node


def _fenced(node: MathNode, children: list[MathNode]) -> list[MathNode]:
    separators = _SPACE.sub("", node.attributes.get("separators", ","))
    result = [MathNode("mo", {"form": "prefix"}, node.attributes.get("open", "("))]
    for index, child in enumerate(children):
        if index and separators:
            result.append(MathNode("mo", text=separators[min(index, len(separators)) - 1]))
        result.append(child)
    return [*result, MathNode("mo", {"form": "postfix"}, node.attributes.get("close", ")"))]


def _mark_cells(table: MathNode) -> None:
    """Move alignment and lines of a table to its cells."""
    columns, below, right = (
        table.attributes.get(name, "").split() for name in ("columnalign", "rowlines", "columnlines")
    )
    rows = [row for row in table.children if row.tag in {"mtr", "mlabeledtr"}]
    for number, row in enumerate(rows):
        aligns = row.attributes.get("columnalign", "").split() or columns
        for column, cell in enumerate(row.children):
            align = cell.attributes.get("columnalign") or _at(aligns, column)
            marks = set(cell.attributes.get("class", "").split())
            marks |= {_ALIGNMENT.get(align, "")}
            marks |= (
                {LINE_RIGHT} if column < len(row.children) - 1 and _at(right, column) in {"solid", "dashed"} else set()
            )
            marks |= {LINE_BELOW} if number < len(rows) - 1 and _at(below, number) in {"solid", "dashed"} else set()
            if classes := " ".join(name for name in CELL_CLASSES if name in marks):
                cell.attributes["class"] = classes


def _at(values: list[str], index: int) -> str:
    """Return the value for a row or column; the last one goes for all that follow."""
    return values[min(index, len(values) - 1)] if values else ""


def arity_fault(node: MathNode) -> str | None:
    """Return the name of an element that lacks parts, or has too many, if there is one."""
    row = [node]
    while row:
        for element in row:
            if element.tag in ARITY and len(element.children) != ARITY[element.tag]:
                return element.tag
        row = [child for parent in row for child in parent.children]
    return None
