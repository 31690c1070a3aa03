"""The elements and attributes of MathML that are kept, with the values that attributes may have."""

import re
from collections.abc import Mapping
from typing import Final

from exam_papers.texts.names import names

ELEMENTS: Final = names(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder "
    "mover munderover mmultiscripts mprescripts mtable mtr mtd semantics annotation"
)
ARITY: Final[Mapping[str, int]] = {
    "mfrac": 2,
    "mroot": 2,
    "msub": 2,
    "msup": 2,
    "munder": 2,
    "mover": 2,
    "msubsup": 3,
    "munderover": 3,
}
LEFT, RIGHT, LINE_RIGHT, LINE_BELOW, BOX = (
    "math-left",
    "math-right",
    "math-line-right",
    "math-line-below",
    "math-box",
)
CELL_CLASSES: Final = (LEFT, RIGHT, LINE_RIGHT, LINE_BELOW)
"""Alignment of a cell and lines beside it, which MathML Core leaves to style sheets."""

LENGTH: Final = re.compile(r"0|-?(?:\d{1,2}(?:\.\d{1,4})?|\.\d{1,4})(?:em|ex|px|pt|pc|cm|mm|in)")
"""Lengths with a unit of CSS, small enough to leave the page readable."""
_TRUTH: Final = re.compile(r"true|false")
_COLOUR: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})|[a-zA-Z]{3,20}")
_LEVEL: Final = re.compile(r"[+-]?\d")
_SPAN: Final = re.compile(r"[1-9]\d?")
_CELL: Final = re.compile(rf"(?:{'|'.join(CELL_CLASSES)})(?: (?:{'|'.join(CELL_CLASSES)}))*")

_COMMON: Final[Mapping[str, re.Pattern[str]]] = {
    "dir": re.compile("ltr|rtl"),
    "displaystyle": _TRUTH,
    "scriptlevel": _LEVEL,
    "mathcolor": _COLOUR,
    "mathbackground": _COLOUR,
    "mathsize": LENGTH,
}
_BY_ELEMENT: Final[Mapping[str, Mapping[str, re.Pattern[str]]]] = {
    "mi": {"mathvariant": re.compile("normal")},
    "mo": {
        "form": re.compile("prefix|infix|postfix"),
        **dict.fromkeys(("stretchy", "symmetric", "largeop", "movablelimits"), _TRUTH),
        **dict.fromkeys(("minsize", "maxsize", "lspace", "rspace"), LENGTH),
    },
    "mspace": dict.fromkeys(("width", "height", "depth"), LENGTH),
    "mpadded": dict.fromkeys(("width", "height", "depth", "lspace", "voffset"), LENGTH),
    "mfrac": {"linethickness": LENGTH},
    "mover": {"accent": _TRUTH},
    "munder": {"accentunder": _TRUTH},
    "munderover": {"accent": _TRUTH, "accentunder": _TRUTH},
    "mtd": {"rowspan": _SPAN, "columnspan": _SPAN, "class": _CELL},
    "mrow": {"class": re.compile(BOX)},
}


def kept(element: str, attribute: str, value: str) -> bool:
    """Report whether an element keeps an attribute with this value."""
    pattern = _BY_ELEMENT.get(element, {}).get(attribute) or _COMMON.get(attribute)
    return pattern is not None and pattern.fullmatch(value) is not None
