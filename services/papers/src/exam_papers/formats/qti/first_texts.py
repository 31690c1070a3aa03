"""The texts of QTI 1.2: plain, or escaped HTML with files of the package and formulas as pictures."""

import html
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from exam_core.authored import TextFormat
from exam_papers.formats.markup import escape, plain, replace_images
from exam_papers.formats.model import LossCode
from exam_papers.formats.qti.content import Content
from exam_papers.formats.qti.context import Context
from exam_papers.formats.xml_tree import Node

_BASE: Final = re.compile(r"(?:\$|%24)IMS-CC-FILEBASE(?:\$|%24)/", re.IGNORECASE)
"""How Canvas refers to the files of a package."""
_READ: Final = frozenset({"mattext", "matemtext", "matimage"})
_GROUPS: Final = frozenset({"material", "flow", "flow_mat"})
_FILES: Final = "web_resources/"
_EQUATION: Final = re.compile(r"<img\b[^>]*?\bdata-equation-content=(\"[^\"]*\"|'[^']*')[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FirstTexts:
    """Reads the texts of one item."""

    context: Context

    def text(self, node: Node | None) -> str:
        """Return the texts of an element as HTML."""
        if node is None:
            return ""
        unread = sum(each.name not in _READ for each in materials(node))
        self.context.lose(LossCode.MARKUP, "sounds, videos and applets are dropped", unread)
        return "\n".join(filter(None, (self._html(each) for each in materials(node) if each.name in _READ)))

    def bare(self, node: Node | None) -> str:
        """Return the words of an element."""
        return plain(self.text(node), TextFormat.HTML)[0].strip()

    def _html(self, node: Node) -> str:
        if node.name == "matimage":
            return f'<img src="{html.escape(self.context.image(node, self._path(node.attributes.get("uri", ""))))}">'
        if node.children:
            return Content(self.context).read(node).text
        text = node.text.strip()
        if node.attributes.get("texttype", "text/plain").lower() != "text/html":
            return escape(text, TextFormat.HTML)

        def reference(old: str) -> str:
            return self.context.image(node, self._path(old))

        formulas = _EQUATION.sub(lambda match: f"\\({html.escape(html.unescape(match[1][1:-1]), quote=False)}\\)", text)
        return replace_images(formulas, TextFormat.HTML, reference)

    def _path(self, reference: str) -> str:
        """The path from the item's file to a file that Canvas names from the package's own folder."""
        found = _BASE.match(reference)
        if found is None:
            return reference
        path = unquote(reference[found.end() :].partition("?")[0])
        archive = self.context.archive
        if archive is not None and path not in archive and _FILES + path in archive:
            path = _FILES + path
        return "../" * self.context.path.count("/") + path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")


def materials(node: Node) -> list[Node]:
    """Return the texts of an element, without those of the responses in it."""
    found = []
    for child in node.children:
        if child.name.startswith("mat") and child.name not in _GROUPS:
            found.append(child)
        elif child.name in _GROUPS:
            found += materials(child)
    return found


def inside(node: Node, *names: str) -> list[Node]:
    """Return the elements of some names in an element, at any depth, in order."""
    found = []
    for child in node.children:
        if child.name in names:
            found.append(child)
        found += inside(child, *names)
    return found
