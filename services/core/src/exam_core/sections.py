"""The sections of frozen papers: which questions belong to each, and how many of them a student gets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from exam_core.authored import Section
from exam_core.canonical import Json, JsonObject
from exam_core.questions.model import Rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSection:
    """A section of a frozen paper, as far as it decides what a student gets, and in which order."""

    questions: tuple[int, ...]
    draw: int | None = None
    """How many of its questions each student gets; None is all of them."""
    shuffle: bool = True
    """Whether each student sees its questions in an order of the own."""

    @property
    def given(self) -> int:
        """How many questions each student gets."""
        return len(self.questions) if self.draw is None else self.draw

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """Read a section of a paper.

        Raises:
            ValueError: it draws more questions than it has, or none.
        """
        questions, draw = tuple(body["questions"]), body.get("draw")
        if draw is not None and not 1 <= draw <= len(questions):
            raise ValueError(f"a section of {len(questions)} questions cannot draw {draw}")
        return cls(questions=questions, draw=draw, shuffle=body.get("shuffle", True))


def frozen_sections(sections: Sequence[Section], render: Callable[[str], Rendered]) -> list[Json]:
    """Return the sections of a paper; what most of them do not have is left out.

    A section that draws all of its questions draws none.
    """
    return [_frozen(section, first, render) for section, first in zip(sections, _firsts(sections), strict=True)]


def section_faults(sections: Sequence[Section], weights: Sequence[Decimal]) -> Iterator[tuple[int, str, str]]:
    """Yield every rule that the sections of an exam violate, as (index of the section, member, reason).

    Questions of a pool have the same weight, so that all students can reach the same total.

    Args:
        sections: the sections.
        weights: the weights of the exam's questions.
    """
    seen: set[str] = set()
    for index, (section, first) in enumerate(zip(sections, _firsts(sections), strict=True)):
        if section.id in seen:
            yield index, "id", "has the id of an earlier one"
        seen.add(section.id)
        if section.size < 1:
            yield index, "questions", "has no questions"
        elif section.draw is not None and not 1 <= section.draw <= section.size:
            yield index, "draw", f"draws {section.draw} of {section.size} questions"
        elif section.is_pool and len(set(weights[first : first + section.size])) > 1:
            yield index, "draw", "draws from questions of different weights, so that totals would differ"
    if sections and sum(section.size for section in sections) != len(weights):
        yield len(sections) - 1, "questions", "does not end with the exam's last question"


def _firsts(sections: Sequence[Section]) -> list[int]:
    """The number of the first question of each section."""
    return [sum(section.size for section in sections[:index]) for index in range(len(sections))]


def _frozen(section: Section, first: int, render: Callable[[str], Rendered]) -> dict[str, Json]:
    instructions = render(section.instructions)
    body: dict[str, Json] = {
        "title": section.title,
        "instructions": instructions.text,
        "questions": list(range(first, first + section.size)),
    }
    if instructions.html is not None:
        body["instructions_html"] = instructions.html
    if section.is_pool:
        body["draw"] = section.draw
    return body if section.shuffle_questions else body | {"shuffle": False}
