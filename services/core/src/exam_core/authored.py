"""An exam as its author wrote it, with its keys: what readers of documents return and `freeze` takes."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from exam_core.images import ImageRef
from exam_core.questions.model import Authored, KindName

DEFAULT_WEIGHT: Final = Decimal(1)
LISTED: Final = frozenset({KindName.SINGLE, KindName.MULTIPLE, KindName.MATCHING})
"""The kinds whose lists can keep their author's order. That of an ordering question is its key."""


class TextFormat(StrEnum):
    r"""How the texts of a question are written; except in plain ones, `\(…\)` and `$$…$$` enclose TeX."""

    MARKDOWN = "markdown"
    HTML = "html"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredQuestion:
    """A question with its key; `interaction` has the rules that its kind must satisfy.

    `format` is that of the question's text and of its choices, stems, targets and items.
    """

    id: str
    text: str
    interaction: Authored
    weight: Decimal = DEFAULT_WEIGHT
    image: ImageRef | None = None
    format: TextFormat = TextFormat.MARKDOWN
    shuffle: bool = True
    """Whether each student sees what it lists in an order of the own."""

    @property
    def in_order(self) -> bool:
        """Whether its lists keep their order: choices and stems their author's, targets the alphabet's."""
        return not self.shuffle and self.interaction.kind in LISTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of an exam: its questions are the next `size` ones after those of the sections before."""

    id: str
    size: int
    title: str = ""
    instructions: str = ""
    draw: int | None = None
    """How many of its questions each student gets; None is all of them."""
    shuffle_questions: bool = True

    @property
    def is_pool(self) -> bool:
        """Whether students get different questions of it."""
        return self.draw is not None and self.draw < self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredExam:
    """The exam that `freeze` splits into paper and key; without sections, all its questions are one part."""

    slug: str
    title: str
    instructions: str
    questions: tuple[AuthoredQuestion, ...]
    format: TextFormat = TextFormat.MARKDOWN
    """The format of the instructions, those of sections included."""
    sections: tuple[Section, ...] = ()
