"""Files of questions: GIFT, Aiken, Moodle XML, QTI packages, sheets, and the documents of this platform."""

from exam_papers.formats.model import (
    Exported,
    FileQuestion,
    Finding,
    Imported,
    ImportFaults,
    Loss,
    LossCode,
    Place,
)
from exam_papers.formats.registry import FORMATS, QuestionFormat, UnknownFormatError, detect, format_named

__all__ = [
    "FORMATS",
    "Exported",
    "FileQuestion",
    "Finding",
    "ImportFaults",
    "Imported",
    "Loss",
    "LossCode",
    "Place",
    "QuestionFormat",
    "UnknownFormatError",
    "detect",
    "format_named",
]
