"""The paper that students see, the key that scores it, and `freeze`, which makes both from an exam.

The two halves are never sent together. Both are content-addressed: `Paper.digest` and `Key.digest` are the SHA-256 of
their canonical form. Choices are identified by their number in the frozen paper; freezing permutes those numbers, so
that the order in which the author wrote them reveals nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Self

from exam_core.answer_value import mask_of, numbers_of
from exam_core.canonical import Json, JsonObject, canonical, digest
from exam_core.images import ImageRef
from exam_core.numbers import decimal_text
from exam_core.questions.model import Permute, permuted

FORMAT = 1
MAX_QUESTIONS = 500


class QuestionKind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    NUMERIC = "numeric"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredChoice:
    """A choice as its author wrote it; `id` is the author's name for it."""

    id: str
    text: str
    correct: bool
    image: ImageRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredQuestion:
    """A question as its author wrote it, with its key; `validation` has the rules that it must satisfy."""

    id: str
    kind: QuestionKind
    text: str
    weight: Decimal
    image: ImageRef | None = None
    choices: tuple[AuthoredChoice, ...] = ()
    max_choices: int | None = None
    value: Decimal | None = None
    tolerance: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredExam:
    """The exam that `freeze` splits into paper and key."""

    slug: str
    title: str
    instructions: str
    questions: tuple[AuthoredQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a frozen paper; its number is its index in `Paper.questions`."""

    kind: QuestionKind
    choices: int
    """The number of choices; they are numbered 0 … choices-1."""
    max_choices: int
    """How many may be selected at once; 0 for a numeric question."""
    weight: Decimal


@dataclass(frozen=True)
class Paper:
    """The students' half: the canonical body as stored, sent and hashed, and views of its content."""

    body: bytes

    @cached_property
    def digest(self) -> str:
        """The digest of the body, which names the paper."""
        return digest(self.body)

    @cached_property
    def content(self) -> JsonObject:
        """The body as JSON."""
        return _content(self.body, "paper")

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """The members of each question that validation and scoring need."""
        return tuple(
            Question(
                kind=QuestionKind(question["kind"]),
                choices=len(question.get("choices", ())),
                max_choices=question.get("max_choices", 0),
                weight=Decimal(question["weight"]),
            )
            for question in self.content["questions"]
        )

    @cached_property
    def images(self) -> frozenset[str]:
        """The digests of all images in the paper."""
        shown = [*self.content["questions"], *(c for q in self.content["questions"] for c in q.get("choices", ()))]
        return frozenset(item["image"]["sha256"] for item in shown if "image" in item)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """The correct answer to one question: a mask of choices, or a number and its tolerance."""

    choices: int = 0
    value: Decimal | None = None
    tolerance: Decimal = Decimal(0)


@dataclass(frozen=True)
class Key:
    """The half that only web and grader hold. Its digest is as secret: short keys could be guessed from it."""

    body: bytes

    @classmethod
    def of(cls, *, paper: str, entries: Sequence[KeyEntry]) -> Self:
        """Encode the key to the paper with digest `paper`, one entry per question."""
        return cls(canonical({"format": FORMAT, "paper": paper, "answers": [_entry_to_json(e) for e in entries]}))

    @cached_property
    def digest(self) -> str:
        """The digest of the body, which names the key in a revision."""
        return digest(self.body)

    @cached_property
    def content(self) -> JsonObject:
        """The body as JSON."""
        return _content(self.body, "key")

    @cached_property
    def paper(self) -> str:
        """The digest of the paper this key belongs to."""
        return str(self.content["paper"])

    @cached_property
    def entries(self) -> tuple[KeyEntry, ...]:
        """One entry per question, in the paper's numbering."""
        return tuple(_entry_from_json(entry) for entry in self.content["answers"])


def freeze(exam: AuthoredExam, permute: Permute) -> tuple[Paper, Key]:
    """Renumber an exam's choices and split it into the students' half and the key.

    Raises:
        ValueError: `permute` did not return a permutation of all choices.
    """
    questions: list[Json] = []
    entries: list[KeyEntry] = []
    for authored in exam.questions:
        shown = permuted(authored.choices, permute)
        questions.append(_question_to_json(authored, shown))
        entries.append(
            KeyEntry(
                choices=mask_of(n for n, choice in enumerate(shown) if choice.correct),
                value=authored.value,
                tolerance=authored.tolerance,
            )
        )
    paper = Paper(
        canonical(
            {
                "format": FORMAT,
                "exam": exam.slug,
                "title": exam.title,
                "instructions": exam.instructions,
                "questions": questions,
            }
        )
    )
    return paper, Key.of(paper=paper.digest, entries=entries)


def _content(body: bytes, name: str) -> JsonObject:
    content: JsonObject = json.loads(body)
    if content.get("format") != FORMAT:
        raise ValueError(f"{name} format {content.get('format')!r} is not {FORMAT}: this release cannot read it")
    return content


def _question_to_json(question: AuthoredQuestion, shown: Sequence[AuthoredChoice]) -> dict[str, Json]:
    body: dict[str, Json] = {
        "kind": question.kind.value,
        "text": question.text,
        "weight": decimal_text(question.weight),
    }
    if question.image:
        body["image"] = question.image.to_json()
    if question.kind is not QuestionKind.NUMERIC:
        single = question.kind is QuestionKind.SINGLE
        body["max_choices"] = 1 if single else question.max_choices or len(shown)
        body["choices"] = [_choice_to_json(choice) for choice in shown]
    return body


def _choice_to_json(choice: AuthoredChoice) -> dict[str, Json]:
    body: dict[str, Json] = {"text": choice.text}
    if choice.image:
        body["image"] = choice.image.to_json()
    return body


def _entry_to_json(entry: KeyEntry) -> dict[str, Json]:
    if entry.value is None:
        return {"choices": list(numbers_of(entry.choices))}
    return {"value": decimal_text(entry.value), "tolerance": decimal_text(entry.tolerance)}


def _entry_from_json(entry: JsonObject) -> KeyEntry:
    if "value" in entry:
        return KeyEntry(value=Decimal(entry["value"]), tolerance=Decimal(entry["tolerance"]))
    return KeyEntry(choices=mask_of(entry["choices"]))
