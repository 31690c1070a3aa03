"""Read an exam document with all its faults: those of the exam, and those of its texts."""

from collections.abc import Iterator
from typing import Final

import yaml

from exam_core.authored import TextFormat
from exam_core.authoring.exam import AcceptImage, ExamDocument, read_exam_node
from exam_core.documents import Fault, compose, invalid
from exam_core.problems import Problem
from exam_papers.texts import TextError, eaten_commands, render

_TEXTS: Final = frozenset({"text", "instructions"})
"""Members whose texts are rendered."""


def read_document(text: str, accept_image: AcceptImage) -> ExamDocument:
    """Read an exam document whose texts can be rendered.

    Raises:
        Problem: PAPER_INVALID, its `faults` listing every (line, reason).
    """
    root = compose(text)
    faults = [*_eaten(root, text), *_unrendered(root, TextFormat.MARKDOWN)]
    try:
        document = read_exam_node(root, accept_image)
    except Problem as problem:
        listed = problem.extra["faults"]
        if not faults or not isinstance(listed, list):
            raise
        raise invalid([*(Fault(each["line"], each["reason"]) for each in listed), *faults]) from problem
    if faults:
        raise invalid(faults)
    return document


def _eaten(node: yaml.Node, text: str) -> Iterator[Fault]:
    """Yield the escapes of double-quoted texts that have eaten a command of TeX."""
    if isinstance(node, yaml.ScalarNode) and node.style == '"':
        source = text[node.start_mark.index + 1 : node.end_mark.index - 1]
        for eaten in eaten_commands(source, double_quoted=True):
            yield Fault(node.start_mark.line + eaten.line, str(eaten))
    for child in _children(node):
        yield from _eaten(child, text)


def _unrendered(node: yaml.Node, form: TextFormat) -> Iterator[Fault]:
    """Yield the faults of texts, in the format of the mapping that they are in or of an outer one."""
    if isinstance(node, yaml.MappingNode):
        form = _format_of(node) or form
        for key, value in node.value:
            if key.value in _TEXTS and isinstance(value, yaml.ScalarNode):
                yield from _text_faults(value, form)
    for child in _children(node):
        yield from _unrendered(child, form)


def _format_of(node: yaml.MappingNode) -> TextFormat | None:
    named = [value.value for key, value in node.value if key.value == "format" and isinstance(value, yaml.ScalarNode)]
    return TextFormat(named[0]) if named and named[0] in set(TextFormat) else None


def _text_faults(node: yaml.ScalarNode, form: TextFormat) -> Iterator[Fault]:
    try:
        render(str(node.value), form)
    except TextError as error:
        # In a block the text begins a line below its indicator.
        first = node.start_mark.line + (2 if node.style in {"|", ">"} else 1)
        for fault in error.faults:
            advice = f"; {fault.instead}" if fault.instead else ""
            yield Fault(first if node.style == ">" else first + fault.line - 1, f"{fault.reason}{advice}")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return []
