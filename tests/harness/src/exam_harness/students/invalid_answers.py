"""Answers that the platform must reject, for each kind of question."""

from collections.abc import Iterator, Mapping
from typing import Any

from exam_harness.students.spellings import ARABIC

Invalid = tuple[str, dict[str, Any], str]
"""What is wrong with an answer, its members, and the slug of the problem."""

_WRONG_KIND = "wrong-answer-kind"
_UNKNOWN = "unknown-choice"
_INVALID = "invalid"
_MEMBER = {"matching": "pairs", "ordering": "order", "numeric": "value", "text": "value", "essay": "value"}
_VALID = {"choices": [0], "value": "1", "pairs": {"0": 0}, "order": [0, 1]}


def invalid_answers(shown: Mapping[str, Any]) -> Iterator[Invalid]:
    """The invalid answers to a question as the paper shows it."""
    kind = shown["kind"]
    own = _MEMBER.get(kind, "choices")
    yield "no answer", {}, _WRONG_KIND
    for other in (each for each in _VALID if each != own):
        yield f"another kind's {other}", {other: _VALID[other]}, _WRONG_KIND
        yield f"{other} beside its own member", {own: _VALID[own], other: _VALID[other]}, _WRONG_KIND
    match kind:
        case "numeric":
            yield from _numbers()
        case "text":
            yield from _texts(shown["max_length"])
            yield "two lines", {"value": "one\ntwo"}, _INVALID
        case "essay":
            yield from _texts(shown["max_characters"])
        case "matching":
            yield from _pairs(len(shown["stems"]), len(shown["targets"]))
        case "ordering":
            yield from _orders(len(shown["items"]))
        case _:
            yield from _choices(len(shown.get("choices", "tf")), shown.get("max_choices", 1))


def _choices(size: int, most: int) -> Iterator[Invalid]:
    yield "an unknown choice", {"choices": [size]}, _UNKNOWN
    yield "a negative number", {"choices": [-1]}, _UNKNOWN
    yield "a choice twice", {"choices": [0, 0]}, _INVALID
    yield "a single number", {"choices": 0}, _INVALID
    yield "a text", {"choices": ["0"]}, _INVALID
    yield "a truth value", {"choices": [True]}, _INVALID
    yield "nothing where a list is needed", {"choices": None}, _INVALID
    if most < size:
        yield "too many", {"choices": list(range(most + 1))}, "too-many-choices"


def _numbers() -> Iterator[Invalid]:
    mixed = "1" + "2".translate(ARABIC)
    for typed in ("NaN", "", "1,234", "1 000", "1.000.000", "1/2", "½", mixed, "1e999", "9" * 35, "0" * 65, 3, ["3"]):
        yield f"the number {typed!r}", {"value": typed}, "bad-number"


def _texts(most: int) -> Iterator[Invalid]:
    yield "too long", {"value": "é" * (most + 1)}, _INVALID
    yield "a control character", {"value": "a\0b"}, _INVALID
    yield "a number", {"value": 1}, _INVALID
    yield "a list", {"value": ["a"]}, _INVALID


def _pairs(stems: int, targets: int) -> Iterator[Invalid]:
    yield "an unknown stem", {"pairs": {str(stems): 0}}, _UNKNOWN
    yield "a stem in another spelling", {"pairs": {"00": 0}}, _UNKNOWN
    yield "an unknown target", {"pairs": {"0": targets}}, _UNKNOWN
    yield "a negative target", {"pairs": {"0": -1}}, _UNKNOWN
    yield "a target as text", {"pairs": {"0": "0"}}, _INVALID
    yield "a truth value", {"pairs": {"0": True}}, _INVALID
    yield "a list", {"pairs": [[0, 0]]}, _INVALID


def _orders(size: int) -> Iterator[Invalid]:
    yield "an item missing", {"order": list(range(size - 1))}, _INVALID
    yield "an item twice", {"order": [0, *range(size - 1)]}, _INVALID
    yield "an unknown item", {"order": list(range(1, size + 1))}, _INVALID
    yield "texts", {"order": list(map(str, range(size)))}, _INVALID
    yield "an object", {"order": {}}, _INVALID
