"""The forms of single members in the JSON Schema of exam documents, and the members of each kind of question.

A single value may be written without quotes, so that YAML reads `title: 2026` as a number; the reader takes it as text.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from exam_core import limits
from exam_core.authored import TextFormat
from exam_core.questions.choices import ChoiceRule
from exam_core.questions.model import KindName
from exam_core.questions.ordering_rules import OrderingRule

Schema = dict[str, Any]
_NOT_BLANK: Final = r"\S"
_WHOLE: Final = "^[0-9]{1,6}$"
_MAX_WHOLE: Final = 999_999


def text(description: str, most: int) -> Schema:
    """Return the schema of a text that is not blank."""
    form = {"type": ["string", "number", "boolean"], "pattern": _NOT_BLANK, "maxLength": most}
    return {"description": description, **form}


def name(description: str, pattern: str, most: int) -> Schema:
    """Return the schema of a name, which may consist of digits."""
    form: Schema = {"type": ["string", "integer"], "pattern": pattern, "maxLength": most, "minimum": 0}
    return {"description": description, **form}


def one_of(words: type[StrEnum], description: str) -> Schema:
    """Return the schema of one of a fixed set of words."""
    return {"description": description, "enum": [word.value for word in words]}


def whole(description: str, most: int = _MAX_WHOLE) -> Schema:
    """Return the schema of a whole number from 1."""
    form: Schema = {"type": ["integer", "string"], "minimum": 1, "maximum": most, "pattern": _WHOLE}
    return {"description": description, **form}


def listing(definition: str, description: str, least: int, most: int | None) -> Schema:
    """Return the schema of a list of a definition."""
    schema: Schema = {"description": description, "type": "array", "minItems": least}
    if most is not None:
        schema["maxItems"] = most
    return schema | {"items": {"$ref": f"#/$defs/{definition}"}}


def mapping(members: Mapping[str, Schema], *, required: Sequence[str] = (), description: str = "") -> Schema:
    """Return the schema of a mapping that has no other members."""
    schema: Schema = {"description": description} if description else {}
    schema |= {"type": "object", "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return schema | {"properties": dict(members)}


def _credit(description: str, least: int = -1, most: int = 1) -> Schema:
    form: Schema = {"type": ["number", "string"], "minimum": least, "maximum": most, "pattern": _NOT_BLANK}
    return {"description": description, **form}


def _number(description: str) -> Schema:
    return {"description": description, "type": ["number", "string"], "pattern": _NOT_BLANK}


BOOLEAN: Final[Schema] = {"type": "boolean"}
FORMAT: Final = one_of(TextFormat, "How texts are written")
IMAGE: Final[Schema] = {
    "description": "A PNG, JPEG or WebP in base64",
    "type": "string",
    "contentEncoding": "base64",
    "pattern": r"^\s*[A-Za-z0-9+/][A-Za-z0-9+/=\s]*$",
}
_ID: Final = name("Unique in the question, for the author only", limits.IDENT_PATTERN, limits.MAX_IDENT)
_ITEM: Final = {"id": _ID, "text": text("What is shown", limits.MAX_CHOICE_TEXT), "image": IMAGE}
_SHOWN: Final = {"anyOf": [{"required": ["text"]}, {"required": ["image"]}]}
_CREDIT: Final = _credit("A part of the weight: a fraction like 1/3, or an exact decimal")
_TARGET: Final = text("Plain", limits.MAX_CHOICE_TEXT)


def _accepted(answer: Schema) -> Schema:
    """Return the schema of an accepted answer, alone or with its credit."""
    return {"anyOf": [answer, mapping({"answer": answer, "credit": _CREDIT}, required=("answer",))]}


DEFINITIONS: Final[Mapping[str, Schema]] = {
    "choice": mapping(
        _ITEM | {"correct": BOOLEAN | {"description": "Whether it earns the whole weight"}, "credit": _CREDIT},
        required=("id",),
    )
    | _SHOWN
    | {"not": {"required": ["correct", "credit"]}},
    "stem": mapping(_ITEM | {"target": _TARGET}, required=("id", "target")) | _SHOWN,
    "item": mapping(_ITEM, required=("id",)) | _SHOWN,
    "target": _TARGET,
    "accepted-number": _accepted(_number("Like 3, 3±0.5, 50±10%, 7*/2, 1..5, (1..5], 1.., ..5 or «*»")),
    "accepted-text": _accepted(text("Compared without white space at the ends", limits.MAX_SHORT_TEXT)),
}
"""What the members of questions list."""

_CHOICES: Final = listing("choice", "At least one is correct", limits.MIN_CHOICES, limits.MAX_CHOICES)
_VALUE: Final = {
    "value": _number("The correct number"),
    "tolerance": _number("The accepted deviation; default 0"),
}

KIND_MEMBERS: Final[Mapping[KindName, Mapping[str, Schema]]] = {
    KindName.SINGLE: {"choices": _CHOICES},
    KindName.TRUE_FALSE: {
        "answer": BOOLEAN | {"description": "Whether the statement is true"},
        "other_credit": _credit("What the other answer earns; default 0"),
    },
    KindName.MULTIPLE: {
        "choices": _CHOICES,
        "max_choices": whole("How many choices an answer may contain; default all", limits.MAX_CHOICES),
        "rule": one_of(ChoiceRule, "How credits are combined; default the policy of the sitting"),
        "floor": _credit("The least part of the weight that an answer earns, -1 to 0; default 0", -1, 0),
        "cap": _credit("The greatest part, above 0 to 1; default 1", 0, 1),
    },
    KindName.NUMERIC: {
        "answer": mapping(_VALUE, required=("value",), description="The one accepted number"),
        "accepted": listing("accepted-number", "The first that matches counts", 1, limits.MAX_ACCEPTED),
        "unit": text("Shown beside the answer, plain", limits.MAX_UNIT),
    },
    KindName.TEXT: {
        "accepted": listing("accepted-text", "The first that matches counts", 1, limits.MAX_ACCEPTED),
        "case": BOOLEAN | {"description": "Whether small and capital letters differ; default false"},
        "wildcards": BOOLEAN | {"description": "Whether * is any run of characters; default false"},
        "max_length": whole(
            f"The longest answer in characters; default {limits.DEFAULT_SHORT_TEXT}", limits.MAX_SHORT_TEXT
        ),
    },
    KindName.MATCHING: {
        "stems": listing("stem", "Each with its target", limits.MIN_STEMS, limits.MAX_STEMS),
        "distractors": listing("target", "Targets without a stem; equal ones are shown once", 1, None),
    },
    KindName.ORDERING: {
        "items": listing("item", "In the right order", limits.MIN_ITEMS, limits.MAX_ITEMS),
        "rule": one_of(OrderingRule, f"How another order is scored; default {OrderingRule.ALL_OR_NOTHING}"),
    },
    KindName.ESSAY: {
        "max_characters": whole(f"The longest answer; default {limits.MAX_ESSAY}", limits.MAX_ESSAY),
        "min_words": whole("Shown to students; a shorter text is saved all the same"),
        "max_words": whole("Shown to students; a longer text is saved all the same"),
        "template": text("The text that an answer begins with", limits.MAX_TEXT),
        "notes": text("For the marker; students never see them", limits.MAX_TEXT),
    },
}
"""The members of each kind of question beside those of every question."""

KIND_RULES: Final[Mapping[KindName, Schema]] = {
    KindName.SINGLE: {"required": ["choices"]},
    KindName.TRUE_FALSE: {"required": ["answer"]},
    KindName.MULTIPLE: {"required": ["choices"]},
    KindName.NUMERIC: {"oneOf": [{"required": ["answer"]}, {"required": ["accepted"]}]},
    KindName.TEXT: {"required": ["accepted"]},
    KindName.MATCHING: {"required": ["stems"]},
    KindName.ORDERING: {"required": ["items"]},
}
"""Which of them a question of a kind must have."""
