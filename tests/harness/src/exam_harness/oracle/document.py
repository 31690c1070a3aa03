"""The authored exam, parsed from its YAML independently of `exam_core`.

Every scalar is read as text, so that `0.10` stays the number its author wrote and never becomes a binary float.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice as authored; `image` is the SHA-256 of its bytes."""

    text: str
    image: str | None
    correct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question as authored, with its key."""

    kind: str
    text: str
    image: str | None
    weight: Fraction
    choices: tuple[Choice, ...] = ()
    value: Fraction | None = None
    tolerance: Fraction = Fraction(0)

    @property
    def correct(self) -> frozenset[int]:
        """The indices of the correct choices in the authored list."""
        return frozenset(index for index, choice in enumerate(self.choices) if choice.correct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole authored exam."""

    exam: str
    level: str
    questions: tuple[Question, ...]

    @property
    def maximum(self) -> Fraction:
        """The maximum total."""
        return sum((question.weight for question in self.questions), Fraction(0))


def read_document(text: str) -> Document:
    """Parse an exam document; it does not validate, because the oracle only reads documents that web has accepted."""
    root = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes texts, lists and mappings alone
    return Document(
        exam=root["exam"],
        level=root["level"],
        questions=tuple(_question(question) for question in root["questions"]),
    )


def parse_number(text: str) -> Fraction:
    """The exact value of a decimal text: point, comma or U+066B, hyphen or U+2212, digits of any script."""
    return Fraction(text.strip().replace(",", ".").replace("\u066b", ".").replace("\u2212", "-"))


def _question(body: Mapping[str, Any]) -> Question:
    answer = body.get("answer")
    return Question(
        kind=body["kind"],
        text=body["text"].strip(),
        image=_image(body),
        weight=parse_number(body.get("weight", "1")),
        choices=tuple(_choice(choice) for choice in body.get("choices", ())),
        value=None if answer is None else parse_number(answer["value"]),
        tolerance=Fraction(0) if answer is None else parse_number(answer.get("tolerance", "0")),
    )


def _choice(body: Mapping[str, Any]) -> Choice:
    return Choice(
        text=body.get("text", "").strip(),
        image=_image(body),
        correct=body.get("correct", "false").lower() in {"true", "yes", "on"},
    )


def _image(body: Mapping[str, Any]) -> str | None:
    if "image" not in body:
        return None
    return hashlib.sha256(base64.b64decode("".join(body["image"].split()))).hexdigest()
