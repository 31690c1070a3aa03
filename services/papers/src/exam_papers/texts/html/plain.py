"""Sanitised HTML as plain text, for readers that show no HTML."""

import re
from collections.abc import Callable
from typing import Final

from exam_papers.texts.html.fragment import Element
from exam_papers.texts.names import names

_PARAGRAPHS: Final = names("p h3 h4 h5 h6 pre blockquote ul ol dl table figure hr")
_BLOCKS: Final = _PARAGRAPHS | names("div li dt dd caption tr figcaption")
_MARKS: Final = {"del": ("~~", "~~"), "s": ("~~", "~~"), "q": ("“", "”"), "rt": ("(", ")")}
_SCRIPTS: Final = {"sup": "^", "sub": "_"}
_SPACE: Final = re.compile(r"[ \t\n\r\f]+")
_LIST_INDENT: Final = "  "


def plain_text(root: Element, text_of: Callable[[str], str]) -> str:
    """Return the text of a fragment; `text_of` replaces what stands for formulas."""
    return _Writer(text_of).blocks(root)


class _Writer:
    """Writes elements as text; blocks are divided by line ends, paragraphs by empty lines."""

    def __init__(self, text_of: Callable[[str], str]) -> None:
        self._text_of = text_of

    def blocks(self, element: Element, *, tight: bool = False) -> str:
        """Return the children of an element that may have paragraphs; `tight` leaves no empty lines between them."""
        result: list[tuple[bool, str]] = []
        inline: list[Element | str] = []
        for child in [*element.children, None]:
            if isinstance(child, str) or (child is not None and child.name not in _BLOCKS and not _has_blocks(child)):
                inline.append(child)
                continue
            if text := self.inline(inline):
                result.append((False, text))
            inline = []
            if child is not None and (text := self._block(child)):
                result.append((child.name in _PARAGRAPHS, text))
        written = ""
        for index, (paragraph, text) in enumerate(result):
            if index:
                written += "\n\n" if not tight and (paragraph or result[index - 1][0]) else "\n"
            written += text
        return written

    def _block(self, element: Element) -> str:
        name = element.name
        if name == "hr":
            return "---"
        if name == "pre":
            return self._verbatim(element).strip("\n")
        if name in {"ul", "ol"}:
            return self._list(element)
        if name == "tr":
            return " | ".join(
                self.blocks(cell).replace("\n", " ") for cell in element.children if isinstance(cell, Element)
            ).rstrip()
        text = self.blocks(element)
        if name == "blockquote":
            return "\n".join(f"> {line}".rstrip() for line in text.split("\n")) if text else ""
        return _LIST_INDENT + text.replace("\n", f"\n{_LIST_INDENT}") if name == "dd" and text else text

    def _list(self, element: Element) -> str:
        start = element.attributes.get("start", "1")
        number = int(start)
        lines = []
        for child in element.children:
            text = self.blocks(child, tight=True) if isinstance(child, Element) else self.inline([child])
            if isinstance(child, Element) and child.name == "li":
                marker = f"{number}. " if element.name == "ol" else "- "
                number += 1
                text = marker + text.replace("\n", "\n" + " " * len(marker))
            if text:
                lines.append(text.rstrip())
        return "\n".join(lines)

    def _verbatim(self, element: Element) -> str:
        return "".join(
            self._text_of(child) if isinstance(child, str) else "\n" if child.name == "br" else self._verbatim(child)
            for child in element.children
        )

    def inline(self, children: list[Element | str]) -> str:
        """Return words in one paragraph."""
        text = _SPACE.sub(" ", "".join(self._word(child) for child in children).replace("\n", " "))
        return "\n".join(self._text_of(line.strip(" ")) for line in text.split(_BREAK)).strip("\n")

    def _word(self, child: Element | str) -> str:
        if isinstance(child, str):
            return child
        if child.name == "br":
            return _BREAK
        if child.name == "img":
            return child.attributes.get("alt", "")
        if child.name == "rp":
            return ""
        text = "".join(self._word(part) for part in child.children)
        if child.name in _SCRIPTS and text:
            return _SCRIPTS[child.name] + (text if len(text) == 1 else f"({text})")
        before, after = _MARKS.get(child.name, ("", ""))
        return f"{before}{text}{after}" if text else ""


_BREAK: Final = "\x1e"
"""A line end in inline text; sanitised text has no control characters."""


def _has_blocks(element: Element) -> bool:
    return any(
        isinstance(child, Element) and (child.name in _BLOCKS or _has_blocks(child)) for child in element.children
    )
