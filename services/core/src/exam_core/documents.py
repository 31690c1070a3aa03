"""YAML documents as trees of nodes that know their lines, bounded so that no document can hurt its reader.

Only plain YAML is taken: no aliases (a few lines of them grow without bound), no tags of one's own, no deep nesting.
"""

from dataclasses import dataclass

import yaml

from exam_core.problems import Problem, ProblemKind

MAX_DOCUMENT = 4_000_000
"""Characters; a Secret holds no more than 1 MiB anyway."""
MAX_DEPTH = 20
"""Nesting; a paper needs six levels."""
MAX_FAULTS = 100
"""Nobody reads more at once."""
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the line (from 1) and the reason."""

    line: int
    reason: str


def invalid(faults: list[Fault]) -> Problem:
    """The refusal of a document, its faults by line."""
    told = sorted(faults, key=lambda fault: fault.line)
    if len(told) > MAX_FAULTS:
        rest = len(told) - MAX_FAULTS
        told = [*told[:MAX_FAULTS], Fault(told[MAX_FAULTS].line, f"and {rest} more from here on")]
    return Problem(
        ProblemKind.PAPER_INVALID,
        "; ".join(f"line {fault.line}: {fault.reason}" for fault in told),
        faults=[{"line": fault.line, "reason": fault.reason} for fault in told],
    )


def compose(text: str) -> yaml.Node:
    """Read a document's nodes.

    Raises:
        Problem: PAPER_INVALID when it is not YAML, or YAML of a kind that is not taken.
    """
    if len(text) > MAX_DOCUMENT:
        raise invalid([Fault(1, f"the document is longer than {MAX_DOCUMENT} characters")])
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise invalid([Fault(line, f"the character U+{error.character:04X} may not stand in YAML")]) from error
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise invalid([Fault(line, f"not YAML: {error.problem}")]) from error
    except (ValueError, OverflowError) as error:
        # The parser's own slips: an escape beyond Unicode, a version number of thousands of digits.
        raise invalid([Fault(loader.line + 1, "not YAML: a number in an escape or directive is too large")]) from error
    finally:
        loader.dispose()
    if root is None:
        raise invalid([Fault(1, "the document is empty")])
    return root


class _Loader(yaml.SafeLoader):
    """Composes nodes, refusing what a paper never needs before it costs anything."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node and all below it."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # as the stubs have it
        if isinstance(event, yaml.AliasEvent):
            raise self._refusal(f"the alias *{event.anchor} is not taken: write it out", event)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS:
            raise self._refusal(f"the tag {tag!r} is not known here", event)
        if self.depth >= MAX_DEPTH:
            raise self._refusal(f"more than {MAX_DEPTH} levels of nesting", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    @staticmethod
    def _refusal(reason: str, event: yaml.Event) -> yaml.MarkedYAMLError:
        mark = event.start_mark
        return yaml.MarkedYAMLError(problem=reason, problem_mark=mark if isinstance(mark, yaml.Mark) else None)
