"""What the API takes and returns about files of questions."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal, Self

from ninja import Field, Schema

from exam_core import limits
from exam_core.authored import AuthoredQuestion
from exam_papers.formats import Loss

FormatName = Literal["yaml", "gift", "aiken", "moodle-xml", "qti", "csv", "xlsx"]
"""`yaml` is an exam document, the others are files of questions."""


class Mode(StrEnum):
    """What happens to the questions that a draft has."""

    APPEND = "append"
    REPLACE = "replace"


class ImportOptions(Schema):
    """The parameters of an import."""

    format: FormatName | None = Field(None, description="The file's format; by default it is recognised")
    file: str = Field("file", max_length=255, description="The file's name, for faults and to recognise its format")
    title: str | None = Field(
        None, min_length=1, max_length=limits.MAX_TITLE, description="The title of a new exam; documents have their own"
    )
    level: str | None = Field(None, description="The level of a new exam; documents have their own")
    mode: Mode = Field(
        Mode.APPEND,
        description="For an existing draft: whether its questions stay; those of the file come after them, in the"
        " section of the last one. An exam document always replaces all of it",
    )
    dry_run: bool = Field(False, description="Check the file, list all faults, and store nothing")


class FileFault(Schema):
    """A fault or a warning; in sheets `line` is the row. It is null if the fault is in no single line."""

    file: str
    line: int | None
    column: str | None = None
    sheet: str | None = None
    question: str | None = None
    """The question as the file names it."""
    reason: str


class FileLoss(Schema):
    """What is not carried over."""

    code: str
    feature: str
    question: str | None
    count: int

    @classmethod
    def of(cls, loss: Loss) -> Self:
        """Describe a loss."""
        return cls(code=loss.code.value, feature=loss.feature, question=loss.question, count=loss.count)


class QuestionRead(Schema):
    """A question that was read."""

    id: str
    kind: str
    weight: Decimal

    @classmethod
    def of(cls, question: AuthoredQuestion) -> Self:
        """Describe a question."""
        return cls(id=question.id, kind=question.interaction.kind.value, weight=question.weight)


class FileImported(Schema):
    """What was read of a file. With `dry_run` nothing is stored, and `faults` says why an import would fail."""

    exam: str
    format: str | None = Field(description="The file's format; null if it is not known")
    stored: bool
    created: bool = Field(description="Whether the exam is new")
    questions: list[QuestionRead]
    faults: list[FileFault] = Field(default_factory=list)
    warnings: list[FileFault] = Field(default_factory=list)
    losses: list[FileLoss] = Field(default_factory=list)


class ExportLosses(Schema):
    """What a format does not state of an exam."""

    format: str
    file: str = Field(description="The name of the exported file")
    losses: list[FileLoss]
