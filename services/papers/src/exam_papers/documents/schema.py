"""The JSON Schema of exam documents, for editors that complete and check YAML.

It describes the form of a document. Rules that relate members to each other, and what texts and images contain, are
checked by the reader alone.
"""

import json
from typing import Any, Final

from exam_core import limits
from exam_core.authored import TextFormat
from exam_core.authoring.interactions import MEMBERS
from exam_core.paper import MAX_QUESTIONS
from exam_core.questions.model import KindName
from exam_core.review import Review
from exam_core.schedule import Attempts
from exam_core.scoring import MultipleRule
from exam_papers.documents.schema_members import (
    BOOLEAN,
    DEFINITIONS,
    FORMAT,
    IMAGE,
    KIND_MEMBERS,
    KIND_RULES,
    Schema,
    listing,
    mapping,
    name,
    one_of,
    text,
    whole,
)

SCHEMA_ID: Final = "https://examplatform.dev/schema/exam-document.schema.json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_KIND_TITLES: Final = {
    KindName.SINGLE: "One choice is selected",
    KindName.TRUE_FALSE: "A statement that is true or false",
    KindName.MULTIPLE: "Several choices may be selected",
    KindName.NUMERIC: "A number is typed",
    KindName.TEXT: "A short text of one line is typed",
    KindName.MATCHING: "Each stem is given one of the targets",
    KindName.ORDERING: "Items are put in order",
    KindName.ESSAY: "A text of several lines, which is marked by hand",
}


def exam_schema() -> Schema:
    """Return the schema of exam documents, JSON Schema draft 2020-12."""
    kinds = {f"{kind}-question": _kind(kind) for kind in KindName}
    return {
        "$schema": _DIALECT,
        "$id": SCHEMA_ID,
        "title": "Exam document",
        "description": "The form of an exam document, as docs/papers.md describes it. «exam check» has the last word:"
        " it also checks how members depend on each other, numbers, credits, formulas and images.",
        **_exam(),
        "$defs": {"section": _section(), "question": _question(), **kinds, **DEFINITIONS},
    }


def schema_text() -> str:
    """Return the schema as the file that is published."""
    return json.dumps(exam_schema(), indent=2, ensure_ascii=False) + "\n"


def _exam() -> Schema:
    members: dict[str, Schema] = {
        "exam": name("The exam's name in addresses", limits.SLUG_PATTERN, limits.MAX_SLUG),
        "title": text("Shown in lists, plain", limits.MAX_TITLE),
        "level": name("The level whose students may sit the exam", limits.SLUG_PATTERN, limits.MAX_SLUG),
        "instructions": text("Shown before the questions", limits.MAX_TEXT),
        "format": FORMAT | {"default": TextFormat.MARKDOWN.value},
        "attempts": one_of(Attempts, "How often a student may take the exam if it has several sittings"),
        "scoring": mapping(
            {
                "multiple": one_of(MultipleRule, "The rule of multiple-choice questions that name none"),
                "negative_total": BOOLEAN | {"description": "Whether a total may be below 0"},
            },
            description="The scoring policy of the exam's sittings",
        ),
        "review": one_of(Review, "What students may see afterwards, each with what those before it show"),
        "questions": listing("question", "In the order in which they are numbered", 1, MAX_QUESTIONS),
        "sections": listing("section", "Sections with the questions, instead of «questions»", 1, MAX_QUESTIONS),
    }
    either = [{"required": ["questions"]}, {"required": ["sections"]}]
    return mapping(members, required=("exam", "title", "level")) | {"oneOf": either}


def _section() -> Schema:
    return mapping(
        {
            "id": name("For the author only", limits.IDENT_PATTERN, limits.MAX_IDENT),
            "title": text("Shown above the section", limits.MAX_TITLE),
            "instructions": text("Shown before the section's questions", limits.MAX_TEXT),
            "draw": whole("How many of its questions each student gets; default all", MAX_QUESTIONS),
            "shuffle": BOOLEAN | {"description": "Whether each student sees its questions in an own order"},
            "questions": listing("question", "The section's questions", 1, MAX_QUESTIONS),
        },
        required=("id", "questions"),
    )


def _question() -> Schema:
    """Choose the form by the kind, so that an editor reports faults of this kind and not those of all eight."""
    chosen: list[Any] = [
        {
            "if": {"properties": {"kind": {"const": kind.value}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/{kind}-question"},
        }
        for kind in KindName
    ]
    return {
        "type": "object",
        "required": ["id", "kind", "text"],
        "properties": {"kind": one_of(KindName, "How it is answered")},
        "allOf": chosen,
    }


def _kind(kind: KindName) -> Schema:
    members: dict[str, Schema] = {
        "id": name("For the author only; students never see it", limits.IDENT_PATTERN, limits.MAX_IDENT),
        "kind": {"const": kind.value},
        "weight": {
            "description": f"Points, with at most {limits.WEIGHT_PLACES} decimal places; default 1",
            "type": ["number", "string"],
            "minimum": 0,
            "maximum": limits.MAX_WEIGHT,
            "pattern": r"\S",
        },
        "format": FORMAT,
        "shuffle": BOOLEAN | {"description": "Whether each student sees what it lists in an own order"},
        "text": text("What is asked", limits.MAX_TEXT),
        "image": IMAGE,
    }
    members |= {member: form for member, form in KIND_MEMBERS[kind].items() if member in MEMBERS[kind]}
    return mapping(members) | {"title": _KIND_TITLES[kind]} | KIND_RULES.get(kind, {})
