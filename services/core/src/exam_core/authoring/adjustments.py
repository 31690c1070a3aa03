"""Adjustments as a person writes them: a YAML list, of which JSON is a part."""

import json
import re
from collections.abc import Sequence
from typing import Final

import yaml

from exam_core.canonical import Json
from exam_core.documents import Fault, compose, invalid

_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_FLAGS: Final = {"true": True, "false": False}
_LINE_ENDS: Final = re.compile("[\u0085\u2028\u2029\ufeff]")
"""What JSON leaves in a text and YAML would read as the end of a line, or not at all."""


def read_entries(text: str) -> list[Json]:
    """Read a list of adjustments from YAML or JSON; empty without any text.

    Values are texts, except for whole numbers and true or false without quotes.

    Raises:
        Problem: PAPER_INVALID when it is not YAML, or no list.
    """
    if not text.strip():
        return []
    root = compose(text)
    if not isinstance(root, yaml.SequenceNode):
        raise invalid([Fault(1, "expected a list of adjustments: each begins with a hyphen")])
    return [_value(node) for node in root.value]


def write_entries(entries: Sequence[Json]) -> str:
    """Return a list of adjustments as `read_entries` reads it, one a line."""
    lines = (json.dumps(entry, ensure_ascii=False) for entry in entries)
    return "".join(f"- {_LINE_ENDS.sub(_escape, line)}\n" for line in lines)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _value(node: yaml.Node) -> Json:
    if isinstance(node, yaml.SequenceNode):
        return [_value(each) for each in node.value]
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Json] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not name or name in members:
                raise invalid([Fault(key.start_mark.line + 1, "a member has no name, or is given twice")])
            members[name] = _value(value)
        return members
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style is not None:
        return text
    if text in _FLAGS:
        return _FLAGS[text]
    return int(text) if _WHOLE.fullmatch(text) else text
