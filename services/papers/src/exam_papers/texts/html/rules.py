"""The elements and attributes of HTML that are kept, with the values that attributes may have."""

import re
from collections.abc import Mapping
from typing import Final

from exam_papers.texts.names import names

ELEMENTS: Final = names(
    "p br hr div span strong b em i u s sub sup small code pre kbd samp var blockquote q ul ol li dl dt dd h3 h4 h5 h6 "
    "table caption colgroup col thead tbody tfoot tr th td figure figcaption img abbr dfn bdi bdo ruby rt rp mark ins "
    "del"
)
VOID: Final = frozenset({"br", "hr", "col", "img"})
VERBATIM: Final = frozenset({"code", "pre", "kbd", "samp"})
"""Elements in which TeX is shown as it is written."""
REMOVED_WITH_CONTENT: Final = names(
    "script style template iframe noembed noframes object svg math audio video canvas select textarea title head "
    "xmp plaintext"
)
"""Elements whose content is no text for readers."""

_GLOBAL: Final[Mapping[str, re.Pattern[str]]] = {
    "lang": re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}"),
    "dir": re.compile(r"ltr|rtl|auto"),
    "title": re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f]*"),
}
_NUMBER: Final = re.compile(r"\d{1,4}")
_SPAN: Final = re.compile(r"[1-9]\d{0,2}")
_HEADERS: Final = re.compile(r"[A-Za-z0-9 _-]{1,200}")
_CELL: Final[Mapping[str, re.Pattern[str]]] = {"colspan": _SPAN, "rowspan": _SPAN, "headers": _HEADERS}
_BY_ELEMENT: Final[Mapping[str, Mapping[str, re.Pattern[str]]]] = {
    "img": {
        "src": re.compile(r"sha256:[0-9a-f]{64}"),
        "alt": _GLOBAL["title"],
        "width": _NUMBER,
        "height": _NUMBER,
    },
    "ol": {"start": re.compile(r"-?\d{1,6}")},
    "td": _CELL,
    "th": {**_CELL, "scope": re.compile(r"row|col|rowgroup|colgroup")},
}
ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "*": frozenset(_GLOBAL),
    **{element: frozenset(patterns) for element, patterns in _BY_ELEMENT.items()},
}


def kept(element: str, attribute: str, value: str, images: frozenset[str]) -> bool:
    """Report whether an element keeps an attribute with this value; images are referred to by their digests."""
    pattern = _BY_ELEMENT.get(element, {}).get(attribute) or _GLOBAL.get(attribute)
    if pattern is None or pattern.fullmatch(value) is None:
        return False
    return attribute != "src" or value.removeprefix("sha256:") in images
