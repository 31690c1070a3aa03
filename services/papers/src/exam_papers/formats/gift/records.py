r"""Divides a GIFT file into records, each with its comments, and a record into title, text and answers.

A record ends at a blank line, also inside a text or an answer block; every line is trimmed. An escaped sign is replaced
by a mark before anything is parsed, so that what remains unescaped is syntax.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final

from exam_core.authored import TextFormat
from exam_papers.formats.markup import SourceFormat, SourceText

SIGNS: Final = "\\:#={}~n"
"""The characters that have an escape; ``\\n`` is a line end."""
_MARKS: Final = {sign: chr(0xFDD0 + place) for place, sign in enumerate(SIGNS)}
_RESTORED: Final = {ord(mark): "\n" if sign == "n" else sign for sign, mark in _MARKS.items()}
_ESCAPE: Final = re.compile(r"\\([\\:#={}~n])")
_TAG: Final = re.compile(r"\[(id|tag):((?:\\\]|[^\]])*)\]")
_MARKER: Final = re.compile(r"\[(html|moodle|plain|markdown)\]")
FORMATS: Final = {
    "html": SourceFormat.HTML,
    "moodle": SourceFormat.MOODLE,
    "plain": SourceFormat.PLAIN,
    "markdown": SourceFormat.MARKDOWN,
}
MARKERS: Final = {text_format: f"[{text_format.value}]" for text_format in TextFormat}
_MAX_COMMENT: Final = 5000
"""Characters of a comment in which names are looked for."""
CATEGORY: Final = "$CATEGORY:"


@dataclass(frozen=True)
class Record:
    """The lines of a record without its comments, each with its number; escapes are replaced by marks."""

    lines: tuple[tuple[int, str], ...]
    comments: tuple[str, ...]

    @property
    def line(self) -> int:
        """The number of the first line."""
        return self.lines[0][0]

    @cached_property
    def text(self) -> str:
        """The lines."""
        return "\n".join(text for _, text in self.lines)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((len(text) + 1 for _, text in self.lines[:-1]), initial=0))

    def line_at(self, offset: int) -> int:
        """Return the number of the line that a character of `text` is on."""
        return self.lines[bisect_right(self._starts, offset) - 1][0]

    def named(self, name: str) -> list[str]:
        """Return the values of ``[id:…]`` or ``[tag:…]`` in the comments."""
        return [
            match[2].replace("\\]", "]").strip()
            for comment in self.comments
            if len(comment) <= _MAX_COMMENT
            for match in _TAG.finditer(comment)
            if match[1] == name
        ]

    @property
    def remarks(self) -> int:
        """How many comments contain more than names."""
        return sum(
            len(comment) > _MAX_COMMENT or bool(_TAG.sub("", comment).strip(" \t/")) for comment in self.comments
        )


@dataclass
class _Open:
    lines: list[tuple[int, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def records(text: str) -> Iterator[Record]:
    """Yield the records of a file; comments without a record have no lines."""
    current = _Open()
    for number, raw in enumerate([*text.split("\n"), ""], 1):
        line = raw.strip()
        if line.startswith("//"):
            current.comments.append(line)
        elif line:
            current.lines.append((number, _ESCAPE.sub(lambda match: _MARKS[match[1]], line)))
        elif current.lines or current.comments:
            yield Record(tuple(current.lines), tuple(current.comments))
            current = _Open()


def restore(text: str) -> str:
    """Return a text with the characters that its marks stand for, trimmed."""
    return text.translate(_RESTORED).strip()


def unescaped(text: str) -> str:
    """Return a text as the file has it: escapes are not resolved."""
    return text.translate({ord(mark): f"\\{sign}" for sign, mark in _MARKS.items()})


def escape(text: str) -> str:
    """Escape a text; line ends are escaped too."""
    escaped = re.sub(r"[\\:#={}~]", r"\\\g<0>", text.strip().replace("\r", ""))
    return escaped.replace("\n", "\\n")


def source_text(text: str, inherited: SourceFormat) -> SourceText:
    """Return a text with the format that its marker names, or the one that it inherits."""
    stripped = text.strip()
    if marker := _MARKER.match(stripped):
        return SourceText(restore(stripped[marker.end() :]), FORMATS[marker[1]])
    return SourceText(restore(stripped), inherited)


@dataclass(frozen=True, slots=True)
class Parts:
    """A record's title, its text with a gap in place of answers in the middle, and its answer block with its place."""

    title: str
    text: SourceText
    block: str | None
    offset: int = 0
    after: str = ""
    """What follows the answer block."""


class UnbalancedError(ValueError):
    """A record with one brace alone; the message is the reason."""


def parts_of(text: str) -> Parts:
    """Divide a record's text.

    Raises:
        UnbalancedError: a brace has no counterpart.
    """
    title, start = "", 0
    if text.startswith("::"):
        end = text.find("::", 2)
        title, start = (restore(text[2:end]), end + 2) if end > 0 else ("", 2)
    opening, closing = text.find("{", start), text.find("}", start)
    if opening < 0 and closing < 0:
        return Parts(title, source_text(text[start:], SourceFormat.MOODLE), None)
    if closing < 0:
        raise UnbalancedError("has { without }: enclose the answers, and write \\{ for a brace in the text")
    if opening < 0 or closing < opening:
        raise UnbalancedError("has } without {: write \\} for a brace in the text")
    after = text[closing + 1 :]
    stem = text[start:opening] + (f"_____{after}" if after.strip() else "")
    source = source_text(stem, SourceFormat.MOODLE)
    return Parts(title, source, text[opening + 1 : closing], opening + 1, after)
