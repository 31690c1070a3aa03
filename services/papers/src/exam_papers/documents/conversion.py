"""What is not carried over between files of questions and exam documents, beside what a format itself cannot state."""

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import Final

from exam_core.authored import AuthoredExam
from exam_papers.formats.archives import MAGIC
from exam_papers.formats.model import FileQuestion, Loss, LossCode

_EXAM: Final = re.compile(r"^\ufeff?exam[ \t]*:|\A\ufeff?\s*\{[^{}]*\"exam\"\s*:", re.MULTILINE)
"""The member `exam`, in YAML or in JSON, which is YAML too."""


def is_exam_document(data: bytes) -> bool:
    """Return whether a file is an exam document, by what it contains."""
    if data.startswith(MAGIC):
        return False
    # A document in UTF-16 is one too, and is refused as such when it is read.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    return _EXAM.search(data.decode(encoding, errors="replace")) is not None


def unstated(exam: AuthoredExam) -> Iterator[Loss]:
    """Yield what of an exam no file of questions states."""
    if exam.instructions:
        yield Loss(LossCode.SECTION_TEXT, "the instructions of the exam")
    if exam.sections:
        yield Loss(LossCode.SUBSET, "sections, and how many of their questions are drawn")
    for question in exam.questions:
        if question.in_order:
            yield Loss(LossCode.LAYOUT, "the order of what it lists, which is not shuffled", question.id)


def unkept(questions: Sequence[FileQuestion]) -> Iterator[Loss]:
    """Yield what of the questions of a file no exam keeps."""
    labels = {
        "titles of questions": sum(bool(each.title) for each in questions),
        "categories": sum(bool(each.category) for each in questions),
        "tags": sum(bool(each.tags) for each in questions),
    }
    for name, count in labels.items():
        if count:
            yield Loss(LossCode.LABELS, name, None, count)
