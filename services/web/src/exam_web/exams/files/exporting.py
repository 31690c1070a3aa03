"""Export an exam as a document or as a file of questions, with what the format does not state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exam_core.authoring.exam import AcceptedImage, ExamDocument
from exam_core.images import ImageRef
from exam_core.schedule import Attempts
from exam_papers.documents.conversion import unstated
from exam_papers.documents.writing import write_exam
from exam_papers.formats import FileQuestion, Loss, LossCode, format_named
from exam_web.exams.files.reading import DOCUMENT
from exam_web.exams.models import Exam
from exam_web.exams.selectors import exam_authored

_TYPES: Final[Mapping[str, str]] = {
    ".yaml": "application/yaml",
    ".gift": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}
CONTENT_TYPES: Final = tuple(dict.fromkeys(_TYPES.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A file with its name and media type."""

    name: str
    content_type: str
    data: bytes
    losses: tuple[Loss, ...]


def exam_export(*, exam: Exam, form: str) -> ExportedFile:
    """Return an exam in a format.

    Raises:
        Problem: PAPER_INVALID listing the exam's faults, with which no format can state it.
    """
    authored, stored = exam_authored(exam)
    images = {
        image.sha256: AcceptedImage(
            ref=ImageRef(sha256=image.sha256, type=image.content_type, width=image.width, height=image.height),
            data=bytes(image.data),
        )
        for image in stored
    }
    if form == DOCUMENT:
        document = ExamDocument(
            exam=authored,
            level=exam.level.slug,
            images=images,
            attempts=Attempts(exam.attempts),
            scoring=exam.scoring,
            review=exam.review_policy,
        )
        namespaces = Loss(LossCode.METADATA, "the namespaces that may hold the exam")
        return _file(exam, write_exam(document).encode(), ".yaml", (namespaces,) if exam.namespaces else ())
    exported = format_named(form).write([FileQuestion(question=each) for each in authored.questions], images)
    return _file(exam, exported.data, exported.suffix, (*unstated(authored), *exported.losses))


def _file(exam: Exam, data: bytes, suffix: str, losses: tuple[Loss, ...]) -> ExportedFile:
    return ExportedFile(name=f"{exam.slug}{suffix}", content_type=_TYPES[suffix], data=data, losses=losses)
