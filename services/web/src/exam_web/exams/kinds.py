"""The members of each kind of question that are stored as JSON in `Question.settings`.

What is stored is read here in one way, whichever program wrote it; a value that cannot be read is a fault of its
question. A member that is not stored has its default.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from exam_core import limits
from exam_core.canonical import Json
from exam_core.credits import CreditError, fraction_text, parse_credit
from exam_core.questions.choices import ChoiceRule
from exam_core.questions.model import Authored, Fault, KindName
from exam_core.questions.ordering_rules import OrderingRule

Read = Callable[[object], Any]
"""Reads a stored value; raises ValueError with a reason that continues a sentence about it, and quotes nothing."""


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")  # noqa: TRY004 - all readers raise ValueError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("is not a whole number")  # noqa: TRY004
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004
    return value


def _credit(value: object) -> Fraction:
    return parse_credit(_text(value))


def _one_of(names: type[StrEnum]) -> Read:
    def read(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in list(names):
            raise ValueError(f"is not one of {', '.join(names)}")
        return names(value)

    return read


SETTINGS: Final[Mapping[KindName, Mapping[str, Read]]] = {
    KindName.SINGLE: {},
    KindName.TRUE_FALSE: {"answer": _flag, "other_credit": _credit},
    KindName.MULTIPLE: {"rule": _one_of(ChoiceRule), "floor": _credit, "cap": _credit},
    KindName.NUMERIC: {"unit": _text},
    KindName.TEXT: {"case": _flag, "wildcards": _flag, "max_length": _whole},
    KindName.MATCHING: {},
    KindName.ORDERING: {"rule": _one_of(OrderingRule)},
    KindName.ESSAY: {
        "max_characters": _whole,
        "min_words": _whole,
        "max_words": _whole,
        "template": _text,
        "notes": _text,
    },
}
ALL_SETTINGS: Final = tuple(dict.fromkeys(name for members in SETTINGS.values() for name in members))
KINDS_OF_SETTINGS: Final = {name: tuple(kind for kind in KindName if name in SETTINGS[kind]) for name in ALL_SETTINGS}
MAX_PARTS: Final[Mapping[KindName, int]] = {
    KindName.SINGLE: limits.MAX_CHOICES,
    KindName.TRUE_FALSE: 0,
    KindName.MULTIPLE: limits.MAX_CHOICES,
    KindName.NUMERIC: limits.MAX_ACCEPTED,
    KindName.TEXT: limits.MAX_ACCEPTED,
    KindName.MATCHING: limits.MAX_STEMS + limits.MAX_TARGETS,
    KindName.ORDERING: limits.MAX_ITEMS,
    KindName.ESSAY: 0,
}
"""How many rows of `Choice` a question of each kind can have."""


def foreign_setting(kind: KindName, name: str) -> str:
    """Return why a question of a kind cannot have a member."""
    own = ", ".join(SETTINGS[kind])
    return f"a question of the kind {kind} has no {name}" + (f"; it can have {own}" if own else "")


def read_settings(kind: KindName, stored: object) -> tuple[dict[str, Any], list[Fault]]:
    """Return the values of the members that can be read, and the faults of the others."""
    if not isinstance(stored, Mapping):
        return {}, [Fault("has settings that are not an object", "settings")]
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    # Sorted, because PostgreSQL keeps no order of members.
    for name, value in sorted(stored.items()):
        if name not in SETTINGS[kind]:
            known = name if name in ALL_SETTINGS else "member of this name in its settings"
            faults.append(Fault(f"is of the kind {kind}, which has no {known}", str(name)))
            continue
        try:
            values[name] = SETTINGS[kind][name](value)
        except CreditError as error:
            faults.append(Fault(f"has a credit in {name} that {error}", name))
        except ValueError as error:
            faults.append(Fault(f"has a value of {name} that {error}", name))
    return values, faults


def settings_of(interaction: Authored) -> dict[str, Json]:
    """Return the settings to store for a question; those with their default are left out."""
    defaults = dict(_defaults(interaction))
    values = ((name, getattr(interaction, name)) for name in SETTINGS[interaction.kind])
    return {name: stored_value(value) for name, value in values if name not in defaults or value != defaults[name]}


def stored_value(value: object) -> Json:
    """Return the form in which the value of a member is stored."""
    if isinstance(value, Fraction):
        return fraction_text(value)
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"no member of a question is a {type(value).__name__}")


def _defaults(interaction: Authored) -> Iterator[tuple[str, object]]:
    # Every kind is a dataclass, which the protocol cannot say.
    for field in fields(interaction):  # type: ignore[arg-type]
        if field.default is not MISSING:
            yield field.name, field.default
