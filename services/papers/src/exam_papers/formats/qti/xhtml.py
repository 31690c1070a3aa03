"""Turns HTML as authors write it into elements that XML can state."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Final

from exam_papers.formats.markup import ALLOWED_ELEMENTS, MATH_ELEMENTS
from exam_papers.formats.qti.content import BLOCKS, VOID
from exam_papers.formats.xml_tree import Node

XHTML: Final = "xhtml"
MATHML: Final = "http://www.w3.org/1998/Math/MathML"
_ATTRIBUTES: Final = frozenset(
    re.findall(r"\w+", "alt width height src start colspan rowspan headers scope lang dir title datetime cite")
)
_FORBIDDEN_IN_MATH: Final = frozenset({"href", "style", "class", "id"})
_SILENT: Final = frozenset({"script", "style", "template"})
"""Elements whose content is no text."""
_ITEMS: Final = ({"li"}, {"dt", "dd"}, {"td", "th"}, {"tr"}, {"thead", "tbody", "tfoot"}, {"rt", "rp"})
"""Elements that end where another one of the same group begins."""


class _Builder(HTMLParser):
    """Builds the elements, and counts those that are left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("div", 0, XHTML)
        self.open = [self.root]
        self.dropped: Counter[str] = Counter()
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element; one that papers do not show is left out, and its words are kept."""
        in_math = tag == "math" or any(node.name == "math" for node in self.open)
        if tag not in (MATH_ELEMENTS if in_math else ALLOWED_ELEMENTS):
            self.dropped[tag] += 1
            self.silent += tag in _SILENT
            return
        self._end_implied(tag)
        kept = {
            name: value or ""
            for name, value in attrs
            if (_is_usable(name) and name not in _FORBIDDEN_IN_MATH if in_math else name in _ATTRIBUTES)
        }
        node = Node(tag, 0, MATHML if in_math else XHTML, kept)
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an empty element."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those that are still open in it."""
        self.silent -= tag in _SILENT and self.silent > 0
        for place in range(len(self.open) - 1, 0, -1):
            if self.open[place].name == tag:
                del self.open[place:]
                return

    def handle_data(self, data: str) -> None:
        """Add words."""
        if self.silent:
            return
        last = self.open[-1]
        if last.children:
            last.children[-1].tail += data
        else:
            last.text += data

    def _end_implied(self, tag: str) -> None:
        name = self.open[-1].name
        if len(self.open) > 1 and ((name == "p" and tag in BLOCKS) or any({name, tag} <= group for group in _ITEMS)):
            self.open.pop()


def _is_usable(name: str) -> bool:
    return name.isascii() and name.replace("-", "").isalpha() and not name.startswith(("on", "xml", "-"))


def elements_of(text: str) -> tuple[Node, Counter[str]]:
    """Return an HTML text as the content of an element, and the elements that are left out."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    return builder.root, builder.dropped
