"""The paper that students see, the key that scores it, and `freeze`, which makes both from an exam.

The two halves are never sent together. Both are content-addressed: `Paper.digest` and `Key.digest` are the SHA-256 of
their canonical form. Choices, stems, targets and items are identified by their number in the frozen paper; freezing
permutes those numbers, so that the order in which the author wrote them tells nothing, unless the author wants it to be
shown. ADR 53 has the format, ADR 56 its sections.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, Self

from exam_core import format_1
from exam_core.authored import AuthoredExam, AuthoredQuestion, TextFormat
from exam_core.canonical import Json, JsonObject, canonical, digest
from exam_core.numbers import decimal_text
from exam_core.questions.essay import EssayHalf
from exam_core.questions.model import Content, KeyHalf, Numbering, Permute, Rendered, StudentHalf
from exam_core.questions.registry import key_half, student_half
from exam_core.sections import PaperSection, frozen_sections

FORMAT: Final = 2
READABLE: Final = (format_1.FORMAT, FORMAT)
MAX_QUESTIONS: Final = 500
ESSAY_UNIT: Final = 500
"""Characters of an essay that take about as many bytes as the row of another answer, several times over."""

RenderText = Callable[[str, TextFormat], Rendered]
"""Makes a text of an author, in its format, into what students see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a frozen paper; its number is its index in `Paper.questions`."""

    half: StudentHalf
    weight: Decimal
    shuffle: bool = True
    """Whether each student sees what it lists in an order of the own."""


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
        """The body as JSON.

        Raises:
            ValueError: this release does not know the format.
        """
        return _content(self.body, "paper")

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """What parsing and scoring need of each question."""
        return tuple(
            Question(
                half=student_half(question),
                weight=Decimal(question["weight"]),
                shuffle=question.get("shuffle", True),
            )
            for question in self.content["questions"]
        )

    @cached_property
    def size(self) -> int:
        """The number of questions of a student; an essay counts as one more for each `ESSAY_UNIT` characters of it.

        It bounds the rows and bytes that an attempt adds to a partition of the answer log.
        """
        sizes = [_size(question.half) for question in self.questions]
        if not self.draws:
            return sum(sizes)
        parts = ((sorted((sizes[n] for n in part.questions), reverse=True), part.given) for part in self.sections)
        return sum(sum(largest[:given]) for largest, given in parts)

    @cached_property
    def sections(self) -> tuple[PaperSection, ...]:
        """Its sections; without any, all questions are one part."""
        return tuple(map(PaperSection.from_json, self.content.get("sections", ())))

    @cached_property
    def draws(self) -> bool:
        """Whether students get different questions of it."""
        return any(section.draw is not None for section in self.sections)

    @cached_property
    def given(self) -> int:
        """How many of its questions each student gets."""
        return sum(section.given for section in self.sections) if self.draws else len(self.content["questions"])

    @cached_property
    def question_images(self) -> tuple[frozenset[str], ...]:
        """The digests of the images in each question."""
        return tuple(frozenset(_images_in(question)) for question in self.content["questions"])

    @cached_property
    def images(self) -> frozenset[str]:
        """The digests of all images in the paper."""
        return frozenset().union(*self.question_images)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """What scores a question, with its author's names for it and for what it shows, by number.

    Keys of format 1 have no names. The names let a corrected key be numbered like the frozen paper.
    """

    half: KeyHalf
    id: str = ""
    items: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return the entry in a key."""
        body = self.half.to_json() | {"id": self.id}
        return body | {"items": list(self.items)} if self.items else body

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(half=key_half(body), id=body["id"], items=tuple(body.get("items", ())))


@dataclass(frozen=True)
class Key:
    """The half that only web and grader hold. Its digest is as secret: short keys could be guessed from it."""

    body: bytes

    @classmethod
    def of(cls, *, paper: str, entries: Sequence[KeyEntry]) -> Self:
        """Encode the key to the paper with digest `paper`, one entry per question."""
        return cls(canonical({"format": FORMAT, "paper": paper, "answers": [entry.to_json() for entry in entries]}))

    @cached_property
    def digest(self) -> str:
        """The digest of the body, which names the key in a revision."""
        return digest(self.body)

    @cached_property
    def content(self) -> JsonObject:
        """The body as JSON.

        Raises:
            ValueError: this release does not know the format.
        """
        return _content(self.body, "key")

    @cached_property
    def paper(self) -> str:
        """The digest of the paper this key belongs to."""
        return str(self.content["paper"])

    def entries(self, paper: Paper) -> tuple[KeyEntry, ...]:
        """Return one entry per question, in the numbering of the key's paper, which keys of format 1 need."""
        answers = self.content["answers"]
        if self.content["format"] == FORMAT:
            return tuple(KeyEntry.from_json(entry) for entry in answers)
        questions = zip(paper.questions, answers, strict=True)
        return tuple(KeyEntry(half=format_1.key_half(question.half, entry)) for question, entry in questions)


def freeze(exam: AuthoredExam, permute: Permute, render: RenderText) -> tuple[Paper, Key]:
    """Renumber what an exam's questions show, and split it into the students' half and the key.

    Raises:
        ValueError: `permute` did not return a permutation.
    """
    questions: list[Json] = []
    entries: list[KeyEntry] = []
    for question in exam.questions:
        # Numbers are the order of display where nothing is shuffled.
        numbering = question.interaction.numbering(range if question.in_order else permute)
        questions.append(frozen_question(question, numbering, render))
        half = question.interaction.key_half(numbering)
        entries.append(KeyEntry(id=question.id, half=half, items=numbering.ids))
    instructions = render(exam.instructions, exam.format)
    body: dict[str, Json] = {
        "format": FORMAT,
        "exam": exam.slug,
        "title": exam.title,
        "instructions": instructions.text,
        "questions": questions,
    }
    if instructions.html is not None:
        body["instructions_html"] = instructions.html
    if exam.sections:
        body["sections"] = frozen_sections(exam.sections, lambda text: render(text, exam.format))
    paper = Paper(canonical(body))
    return paper, Key.of(paper=paper.digest, entries=entries)


def frozen_question(question: AuthoredQuestion, numbering: Numbering, render: RenderText) -> dict[str, Json]:
    """Return a question's members in a paper."""

    def rendered(text: str) -> Rendered:
        return render(text, question.format)

    shown = rendered(question.text)
    content = Content(text=shown.text, html=shown.html, image=question.image)
    half = question.interaction.student_half(numbering, rendered)
    body = content.to_json() | half.to_json() | {"weight": decimal_text(question.weight)}
    return body | {"shuffle": False} if question.in_order else body


def plain_text(text: str, form: TextFormat) -> Rendered:
    """Show a text as it was written, whatever its format."""
    del form
    return Rendered(text=text)


def _size(half: StudentHalf) -> int:
    return 1 + (half.max_characters // ESSAY_UNIT if isinstance(half, EssayHalf) else 0)


def _content(body: bytes, name: str) -> JsonObject:
    content: JsonObject = json.loads(body)
    if content.get("format") not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise ValueError(f"{name} format {content.get('format')!r} is not {known}: this release cannot read it")
    return content


def _images_in(node: Json) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _images_in(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "image" and isinstance(value, dict):
                yield str(value["sha256"])
            else:
                yield from _images_in(value)
