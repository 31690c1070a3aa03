"""The tokens of an HTML source with their places: to find formulas in it, and to name what sanitising removes.

Safety does not depend on it: whatever it overlooks is sanitised all the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Final

_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\s/>\x00]*)")
_ATTRIBUTE: Final = re.compile(r"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)("|$)|'([^']*)('|$)|([^\s>]*)))?""")
_TAG_END: Final = re.compile(r"[\s/]*>")
_COMMENT: Final = re.compile(r"<!--(?:-?>|.*?(?:--!?>|$))|<(?:[!?]|/[^a-zA-Z])[^>]*(?:>|$)", re.DOTALL)
_RAW: Final = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source from `start` to `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Text(Token):
    """Text between tags, with its references to characters."""


@dataclass(frozen=True, slots=True)
class Comment(Token):
    """A comment, a declaration or a processing instruction."""


@dataclass(frozen=True, slots=True)
class Tag(Token):
    """A tag; of an attribute that occurs twice, the first counts. A tag without end is no `complete` one."""

    name: str
    closes: bool = False
    empty: bool = False
    complete: bool = True
    attributes: dict[str, str] = field(default_factory=dict)


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of an HTML source in order; they cover it."""
    position = start = 0
    while position < len(source):
        position = source.find("<", position)
        if position < 0:
            break
        token = _tag(source, position) or _comment(source, position)
        if token is None:
            position += 1
            continue
        if start < position:
            yield Text(start, position)
        yield token
        start = position = token.end
        if isinstance(token, Tag) and not token.closes and token.name in _RAW:
            close = re.compile(rf"</{token.name}(?=[\s/>])", re.IGNORECASE).search(source, position)
            start = position = close.start() if close else len(source)
            if token.end < position:
                yield Comment(token.end, position)
    if start < len(source):
        yield Text(start, len(source))


def _comment(source: str, position: int) -> Token | None:
    match = _COMMENT.match(source, position)
    return Comment(position, match.end()) if match else None


def _tag(source: str, start: int) -> Token | None:
    match = _TAG.match(source, start)
    if match is None:
        return None
    attributes: dict[str, str] = {}
    position = match.end()
    while not (end := _TAG_END.match(source, position)):
        attribute = _ATTRIBUTE.match(source, position)
        if attribute is None or attribute.end() == position:
            break
        value = attribute[2] or attribute[4] or attribute[6] or ""
        attributes.setdefault(attribute[1].lower(), unescape(value))
        position = attribute.end()
    stop = end.end() if end else len(source)
    empty = bool(end) and source[stop - 2] == "/"
    return Tag(start, stop, match[2].lower(), bool(match[1]), empty, bool(end), attributes)
