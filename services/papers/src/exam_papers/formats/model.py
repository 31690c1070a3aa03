"""Questions as files have them, and the outcome of reading and writing a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from exam_core.authored import AuthoredQuestion
from exam_core.authoring.exam import AcceptedImage

MAX_LISTED: Final = 100
"""Faults that the message of `ImportFaults` lists; a longer list would not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuestion:
    """A question with what files state beside it.

    A text refers to an image as ``sha256:<hex>``; the image's bytes are kept apart.
    """

    question: AuthoredQuestion
    title: str = ""
    category: tuple[str, ...] = ()
    """The names of the categories from the outermost one."""
    tags: tuple[str, ...] = ()


class LossCode(StrEnum):
    """What one side has no place for."""

    FEEDBACK = "feedback"
    """Texts that are shown after an answer, hints and solutions."""
    PENALTY = "penalty"
    """Deductions for further tries."""
    NOT_TAKEN = "not-taken"
    """A question of a kind that is not read."""
    NOT_WRITTEN = "not-written"
    """A question that the format cannot state."""
    SECTION_TEXT = "section-text"
    """A text between questions."""
    LAYOUT = "layout"
    """Numbering, orientation, and how much is shuffled."""
    SUBSET = "subset"
    """Only some of the items are shown."""
    UNITS = "units"
    """Units of numbers, and what they earn."""
    ATTACHMENTS = "attachments"
    """Files that are handed in with an essay."""
    DIFFERS_FROM_MOODLE = "differs-from-moodle"
    """A credit that is kept, and that Moodle ignores."""
    IDENTIFIER = "identifier"
    """A name of a question or of a choice."""
    METADATA = "metadata"
    """Comments, and members about the question's administration."""
    MARKUP = "markup"
    """Elements of HTML that papers do not show."""
    TEXT_FORMAT = "text-format"
    """A text was turned into another format."""
    WHITE_SPACE = "white-space"
    """White space at the ends of a text."""
    CREDIT = "credit"
    """Credits or the rule that makes a share of them."""
    NUMBER = "number"
    """A number is rounded, or an interval stated in another way."""
    CASE = "case"
    """Whether small and capital letters differ."""
    LIMITS = "limits"
    """Limits of an answer, and the text that it begins with."""
    NOTES = "notes"
    """Notes for the marker."""
    WEIGHT = "weight"
    IMAGES = "images"
    LABELS = "labels"
    """Title, category and tags."""
    KIND = "kind"
    """A question becomes one of another kind."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is not carried over: `feature` in words, the question if it concerns one, and how often."""

    code: LossCode
    feature: str
    question: str | None = None
    count: int = 1

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"question «{self.question}»: {self.feature}{times}" if self.question else f"{self.feature}{times}"


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; in sheets `line` is the row, `column` its column's name, and `sheet` is not None."""

    line: int
    column: str = ""
    sheet: str | None = None

    def __str__(self) -> str:
        if self.sheet is None:
            return f"line {self.line}"
        sheet = f"sheet {self.sheet!r}, " if self.sheet else ""
        column = f", column {self.column}" if self.column else ""
        return f"{sheet}row {self.line}{column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault or a warning: where it is, which question it concerns, and what to write instead.

    `reason` continues a sentence that begins with the question, if there is one.
    """

    file: str
    place: Place
    question: str | None
    reason: str

    def __str__(self) -> str:
        question = f"question «{self.question}» " if self.question else ""
        return f"{self.file}, {self.place}: {question}{self.reason}"


class ImportFaults(ValueError):  # noqa: N818 - all faults of a file
    """A file that is not imported, with every reason."""

    def __init__(self, faults: tuple[Finding, ...]) -> None:
        rest = len(faults) - MAX_LISTED
        lines = [str(fault) for fault in faults[:MAX_LISTED]] + ([f"and {rest} more"] if rest > 0 else [])
        super().__init__("\n".join(lines))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The questions of a file, their images by digest, and what an author should know."""

    questions: tuple[FileQuestion, ...]
    images: Mapping[str, AcceptedImage] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file, and what it does not state of the questions."""

    data: bytes
    losses: tuple[Loss, ...] = ()
    suffix: str = ""
    """How the file's name ends."""
