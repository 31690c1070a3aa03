"""Adjustments as people and programs write them, in the one spelling in which they are stored.

The stored form is read strictly. Here `0.5` becomes `1/2`, a number without quotes a text, and the credit of an
accepted answer that names none is 1. What cannot be read stays as it is, and the strict reader names it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from exam_core.adjustments.model import AcceptNumber, AcceptText, Change
from exam_core.credits import FULL_CREDIT, CreditError, fraction_text, parse_credit
from exam_core.numbers import NotANumberError, decimal_text, parse_decimal

_WITH_CREDIT: Final = (Change.ACCEPT_NUMBER, Change.ACCEPT_TEXT, Change.ACCEPT_CHOICES, Change.ACCEPT_ORDER)
"""The changes that accept an answer, whose credit is 1 unless they name one."""


def as_stored(body: object) -> object:
    """Return an adjustment in the stored spelling; a fault of it is left for `read_adjustment`."""
    if not isinstance(body, Mapping):
        return body
    stored: dict[Any, Any] = {name: _plain(name, value) for name, value in body.items()}
    change = stored.get("change")
    if change in _WITH_CREDIT:
        stored.setdefault("credit", fraction_text(FULL_CREDIT))
    answer = stored.get("answer")
    if isinstance(answer, str) and change in (Change.ACCEPT_NUMBER, Change.ACCEPT_TEXT):
        kind = AcceptNumber if change == Change.ACCEPT_NUMBER else AcceptText
        stored["answer"] = kind(question=0, reason="", answer=answer).answer
    choices = stored.get("choices")
    if isinstance(choices, list) and all(isinstance(each, int) for each in choices):
        stored["choices"] = sorted(choices)
    return stored


def _plain(name: object, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    text = str(value)
    return _READERS[name](text) if isinstance(name, str) and name in _READERS else value


def _credit(text: str) -> str:
    try:
        return fraction_text(parse_credit(text))
    except CreditError:
        return text


def _weight(text: str) -> str:
    try:
        return decimal_text(parse_decimal(text))
    except NotANumberError:
        return text


_READERS: Final[Mapping[str, Callable[[str], str]]] = {"credit": _credit, "weight": _weight, "answer": str}
