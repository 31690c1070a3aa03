"""Sanitised HTML as a tree, and its only serialiser."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Final

from exam_papers.texts.html.rules import ELEMENTS, VERBATIM, VOID, kept

_PIECE: Final = re.compile(r'<(/?)([a-z0-9]+)((?: [a-z]+="[^"<]*")*)>|([^<]+)')
_ATTRIBUTE: Final = re.compile(r' ([a-z]+)="([^"]*)"')
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DELIMITER: Final = re.compile(r"\$(?=\$)|\\(?=\()")
"""What a reader of TeX would take for the begin of a formula."""


@dataclass(slots=True)
class Element:
    """An element of HTML; children that are text have their references resolved."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)


class FragmentError(ValueError):
    """HTML that is not as the sanitiser writes it."""


def parse(html: str) -> tuple[Element, int]:
    """Return sanitised HTML as the children of an element without a name, and the number of its levels."""
    root = Element("")
    path = [root]
    levels = position = 0
    while position < len(html):
        match = _PIECE.match(html, position)
        if match is None:
            raise FragmentError("the sanitiser's HTML is not in the form that is read here")
        position = match.end()
        closes, name, attributes, text = match.groups()
        if text is not None:
            first = path[-1].name == "pre" and not path[-1].children
            path[-1].children.append(_readable(unescape(text.removeprefix("\n") if first else text)))
        elif closes:
            if path.pop().name != name:
                raise FragmentError("the sanitiser's HTML is not in the form that is read here")
        elif name not in ELEMENTS:
            raise FragmentError("the sanitiser's HTML has an element that is not in the list")
        else:
            element = Element(name, {key: _readable(unescape(value)) for key, value in _ATTRIBUTE.findall(attributes)})
            path[-1].children.append(element)
            if name not in VOID:
                path.append(element)
                levels = max(levels, len(path))
    return root, levels


def _readable(text: str) -> str:
    """Return text without control characters, which other parsers would read in other ways."""
    return _UNPRINTABLE.sub("", text.replace("\r", "\n"))


def serialise(
    element: Element, text_of: Callable[[str, bool], str], images: frozenset[str], *, verbatim: bool = False
) -> str:
    """Return the HTML of an element's children; `text_of` makes HTML of text, and is given whether it is code.

    Attributes that are not in the lists of `rules` are left out here too.
    """
    parts = []
    for child in element.children:
        if isinstance(child, str):
            parts.append(text_of(child, verbatim))
            continue
        attributes = "".join(
            f' {name}="{escape(value)}"'
            for name, value in child.attributes.items()
            if kept(child.name, name, value, images)
        )
        parts.append(f"<{child.name}{attributes}>")
        if child.name not in VOID:
            content = serialise(child, text_of, images, verbatim=verbatim or child.name in VERBATIM)
            first_line = "\n" if child.name == "pre" and content.startswith("\n") else ""
            parts.append(f"{first_line}{content}</{child.name}>")
    return "".join(parts)


def escaped(text: str) -> str:
    """Return text as HTML."""
    return escape(text, quote=False).replace("\xa0", "&nbsp;")


def guarded(text: str) -> str:
    r"""Return text as HTML in which no reader of TeX finds the begin of a formula."""
    return _DELIMITER.sub(lambda match: f"<span>{match[0]}</span>", escaped(text))
