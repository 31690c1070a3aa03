"""Parse YAML documents into nodes with line numbers, with limits against hostile documents.

Only a subset of YAML is accepted: no aliases (a few lines expand without bound), no custom tags, no deep nesting.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Final

import yaml

from exam_core.problems import Problem, ProblemKind

MAX_DOCUMENT = 4_000_000
"""Characters; a Secret is limited to 1 MiB anyway."""
MAX_DEPTH = 20
"""Levels of nesting; a paper needs six."""
MAX_FAULTS = 100
"""Faults that are listed; a longer list would not be read."""
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))

_QUOTED: Final = re.compile(r"""'(?!<)[^']{2,}'|"(?!<)[^"]{2,}\"""")
"""What the parser quotes of a document, unlike single characters and the names of its tokens."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a document: its line (from 1) and the reason."""

    line: int
    reason: str


def invalid(faults: list[Fault]) -> Problem:
    """Return the problem that lists a document's faults by line."""
    listed = sorted(faults, key=lambda fault: fault.line)
    if len(listed) > MAX_FAULTS:
        rest = len(listed) - MAX_FAULTS
        listed = [*listed[:MAX_FAULTS], Fault(listed[MAX_FAULTS].line, f"and {rest} more from here on")]
    return Problem(
        ProblemKind.PAPER_INVALID,
        "; ".join(f"line {fault.line}: {fault.reason}" for fault in listed),
        faults=[{"line": fault.line, "reason": fault.reason} for fault in listed],
    )


_FORMATS: Final = {
    "a ZIP archive, as QTI packages and XLSX sheets are": re.compile(r"\APK\x03\x04"),
    "an XML document, as Moodle and QTI have them": re.compile(r"\A\s*<"),
    "in the GIFT format": re.compile(
        r"^\s*(::.*::|\$CATEGORY:)|\{\s*(#|[=~]|T(RUE)?\s*\}|F(ALSE)?\s*\})", re.MULTILINE
    ),
    "in the Aiken format": re.compile(r"^ANSWER:\s*[A-Z]\s*$", re.MULTILINE),
}
"""Formats in which other programs write questions, by what only they contain."""
_EXAM: Final = re.compile(r"^exam\s*:", re.MULTILINE)
_MAGIC: Final = 4
"""The bytes by which an archive is known."""


def decode(data: bytes) -> str:
    """Decode a document, which is UTF-8 with or without a byte order mark.

    Raises:
        Problem: PAPER_INVALID in another encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise invalid([Fault(1, "the document is UTF-16: save it as UTF-8")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if foreign := _foreign(data[:_MAGIC].decode("latin-1")):
            raise foreign from error
        line = data.count(b"\n", 0, error.start) + 1
        raise invalid([Fault(line, f"not UTF-8 at byte {error.start + 1}: save the document as UTF-8")]) from error


def compose(text: str) -> yaml.Node:
    """Parse a document into its root node.

    Raises:
        Problem: PAPER_INVALID when it is not YAML or uses YAML that is not accepted.
    """
    try:
        root = _compose(text)
    except Problem as problem:
        raise _foreign(text) or problem from problem
    if not isinstance(root, yaml.MappingNode) and (foreign := _foreign(text)):
        raise foreign
    return root


def _foreign(text: str) -> Problem | None:
    """The problem of a document in another format; None if it is in none of those known.

    A document that names an exam as this format does has a fault of its own, whatever its questions contain.
    """
    if _EXAM.search(text):
        return None
    for name, pattern in _FORMATS.items():
        if pattern.search(text):
            return invalid([Fault(1, f"the document is {name}: it has to be YAML as docs/papers.md describes it")])
    return None


def _compose(text: str) -> yaml.Node:
    if len(text) > MAX_DOCUMENT:
        raise invalid([Fault(1, f"the document is longer than {MAX_DOCUMENT} characters")])
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise invalid([Fault(line, f"the character U+{error.character:04X} is not allowed in YAML")]) from error
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise invalid([Fault(line, f"not YAML: {_QUOTED.sub('…', error.problem or '')}")]) from error
    except (ValueError, OverflowError) as error:
        # The parser does not check these itself: an escape beyond Unicode, a version number of thousands of digits.
        raise invalid([Fault(loader.line + 1, "not YAML: a number in an escape or directive is too large")]) from error
    finally:
        loader.dispose()
    if root is None:
        raise invalid([Fault(1, "the document is empty")])
    return root


class _Loader(yaml.SafeLoader):
    """Composes nodes; rejects aliases, tags and nesting before they are expanded."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node and its descendants."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs lack types
        if isinstance(event, yaml.AliasEvent):
            raise self._error("an alias is not supported: write it out", event)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS:
            raise self._error("this tag is not known here", event)
        if self.depth >= MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels of nesting", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    @staticmethod
    def _error(reason: str, event: yaml.Event) -> yaml.MarkedYAMLError:
        mark = event.start_mark
        return yaml.MarkedYAMLError(problem=reason, problem_mark=mark if isinstance(mark, yaml.Mark) else None)
