"""The content of an answer, in the form in which the platform must store it.

What a student sends, what a receipt covers, what the seal holds and what a resumed attempt shows are compared in this
form. Numbers have one spelling, texts are composed (NFC), and pairs and orders are texts such as `0:3 2:1` and `2 0 1`.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

from exam_harness.oracle.numbers import format_number, parse_number

Content = frozenset[int] | str | None
"""The numbers of the chosen choices, a text that is not empty, or None for a withdrawn text."""


def parse_content(body: Mapping[str, Any], kind: str) -> Content:
    """Parse an answer's JSON members, as a client sends them and as a resumed attempt shows them."""
    if "choices" in body:
        return frozenset(body["choices"])
    if "pairs" in body:
        pairs = {int(stem): target for stem, target in (body["pairs"] or {}).items() if target is not None}
        return " ".join(f"{stem}:{pairs[stem]}" for stem in sorted(pairs)) or None
    if "order" in body:
        return " ".join(map(str, body["order"] or ())) or None
    value = body["value"]
    if value is None or not value.strip():
        return None
    if kind == "numeric":
        return format_number(parse_number(value))
    composed = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    return composed if kind == "essay" else composed.strip()


def stored_content(mask: int | None, value: str | None) -> Content:
    """Decode a stored bit mask of choice numbers, or a stored text, which is empty when it was withdrawn."""
    if mask is not None:
        return frozenset(index for index in range(mask.bit_length()) if mask >> index & 1)
    return value or None


def content_json(content: Content) -> dict[str, Any]:
    """The JSON of which an answer's receipt has the digest."""
    return {"choices": sorted(content)} if isinstance(content, frozenset) else {"value": content}


def pairs_of(content: str) -> dict[int, int]:
    """The number of the target by the number of the stem."""
    pairs = (pair.split(":") for pair in content.split())
    return {int(stem): int(target) for stem, target in pairs}


def order_of(content: str) -> list[int]:
    """The numbers of the items, the first one first."""
    return [int(number) for number in content.split()]


def describe(content: Content) -> str:
    """Format an answer's content for a message."""
    if isinstance(content, frozenset):
        return f"choices {sorted(content)}" if content else "withdrawn"
    return "withdrawn" if content is None else content
