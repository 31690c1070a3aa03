"""Read the nodes of a YAML document; every fault is recorded with its line."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeVar

import yaml

from exam_core import limits
from exam_core.credits import CreditError, parse_credit
from exam_core.documents import Fault
from exam_core.numbers import NotANumberError, parse_decimal

_SLUG: Final = re.compile(limits.SLUG_PATTERN)
_IDENT: Final = re.compile(limits.IDENT_PATTERN)
_WHOLE: Final = re.compile(r"[0-9]{1,6}")
_BOOLEANS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Members = dict[str, yaml.Node]
E_ = TypeVar("E_", bound=StrEnum)
T = TypeVar("T")


@dataclass
class NodeReader:
    """Reads single nodes and collects every fault; the values it returns are valid only when there are none."""

    faults: list[Fault] = field(default_factory=list)

    def fault(self, node: yaml.Node, reason: str) -> None:
        """Record a fault at a node's line."""
        self.faults.append(Fault(node.start_mark.line + 1, reason))

    def scalar(self, node: yaml.Node | None, name: str) -> str | None:
        """Read a single value; None when it is absent, None and a fault when it is empty or not a single value."""
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.fault(node, f"{name} must be a single value, not a list or mapping")
            return None
        text = str(node.value)
        if not text.strip() or node.tag == "tag:yaml.org,2002:null":
            self.fault(node, f"{name} must not be empty")
            return None
        return text

    def number(self, node: yaml.Node | None, name: str) -> Decimal | None:
        """Read a finite decimal, by the rules for students' answers."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return None
        try:
            return parse_decimal(text)
        except NotANumberError as error:
            self.fault(node, f"{name} {error.reason}")
            return None

    def credit(self, node: yaml.Node | None, name: str, default: Fraction) -> Fraction:
        """Read a part of the weight: a fraction like 1/3 or an exact decimal."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return default
        try:
            return parse_credit(text)
        except CreditError as error:
            self.fault(node, f"{name} {error}")
            return default

    def whole(self, node: yaml.Node | None, name: str) -> int | None:
        """Read a whole number of at most six digits."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return None
        if not _WHOLE.fullmatch(text):
            self.fault(node, f"{name} must be a whole number of at most six digits")
            return None
        return int(text)

    def boolean(self, node: yaml.Node | None, name: str, *, default: bool = False) -> bool:
        """Read a YAML boolean."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return default
        if node.tag != "tag:yaml.org,2002:bool" or text.lower() not in _BOOLEANS:
            self.fault(node, f"{name} must be true or false")
        return _BOOLEANS.get(text.lower(), default)

    def member_of(self, kind: type[E_], node: yaml.Node | None, name: str) -> E_ | None:
        """Read one of a fixed set of words."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return None
        try:
            return kind(text)
        except ValueError:
            self.fault(node, f"{name} is not one of {', '.join(kind)}")
            return None

    def text(self, node: yaml.Node | None, name: str, *, most: int = limits.MAX_TEXT) -> str:
        """Read a text that can be stored and displayed; the default is empty."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return ""
        if len(text) > most:
            self.fault(node, f"{name} is longer than {most} characters")
        if control := next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"), None):
            half = unicodedata.category(control) == "Cs"
            advice = " by itself: write the character itself, or all of it like \\U0001F600" if half else ""
            self.fault(node, f"{name} has the character U+{ord(control):04X}, which cannot be displayed{advice}")
        return text

    def slug(self, node: yaml.Node | None, name: str) -> str:
        """Read a name that is used in URLs."""
        text = self.scalar(node, name)
        if node is None or text is None:
            return ""
        if len(text) > limits.MAX_SLUG or not _SLUG.fullmatch(text):
            self.fault(node, f"{name} must be small letters, digits and single dashes, at most {limits.MAX_SLUG}")
        return text

    def ident(self, node: yaml.Node | None, owner: str, seen: dict[str, int]) -> str:
        """Read the id of a question or of a part of it; `seen` maps the ids of its earlier siblings to their lines."""
        ident = self.scalar(node, f"a {owner}'s id")
        if node is None or ident is None:
            return ""
        if len(ident) > limits.MAX_IDENT or not _IDENT.fullmatch(ident):
            self.fault(node, f"a {owner}'s id must be letters, digits, - and _, at most {limits.MAX_IDENT}")
            return ""
        if ident in seen:
            self.fault(node, f"duplicate {owner} id: the first is on line {seen[ident]}")
        seen.setdefault(ident, node.start_mark.line + 1)
        return ident

    def mapping(self, node: yaml.Node, *, required: set[str], optional: set[str]) -> Members | None:
        """Read a mapping's members; unknown, missing and repeated ones are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"expected a mapping with {', '.join(sorted(required or optional))}")
            return None
        known = required | optional
        members: Members = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else None
            if name is None or name not in known:
                self.fault(key, f"this member is not known here; known are {', '.join(sorted(known))}")
            elif name in members:
                self.fault(key, f"{name!r} is given twice")
            else:
                members[name] = value
        for name in sorted(required - members.keys()):
            self.fault(node, f"{name!r} is missing")
        return members

    def sequence(self, node: yaml.Node | None, name: str) -> list[yaml.Node]:
        """Read a list's items; the default is an empty list."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, f"{name} must be a list")
            return []
        if not node.value:
            self.fault(node, f"{name} must not be empty")
        return list(node.value)

    def each(self, node: yaml.Node | None, name: str, read: Callable[[yaml.Node], T | None]) -> tuple[T, ...]:
        """Read the items of a list, leaving out those that could not be read."""
        items = [read(item) for item in self.sequence(node, name)]
        return tuple(item for item in items if item is not None)
