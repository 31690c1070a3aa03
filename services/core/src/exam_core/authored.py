"""An exam as its author wrote it, with its keys: what readers of documents return and `freeze` takes."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from exam_core.images import ImageRef
from exam_core.questions.model import Authored

DEFAULT_WEIGHT: Final = Decimal(1)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredExam:
    """The exam that `freeze` splits into paper and key."""

    slug: str
    title: str
    instructions: str
    questions: tuple[AuthoredQuestion, ...]
    format: TextFormat = TextFormat.MARKDOWN
    """The format of the instructions."""
