"""The content of versions: checked as documents and exams are, stored as JSON, and read back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exam_core.authored import AuthoredQuestion
from exam_core.canonical import digest_of
from exam_core.images import ImageRef
from exam_core.problems import Problem, ProblemKind
from exam_papers.documents.questions import PlacedFault, images_of, read_question, write_question
from exam_web.bank.models import Version
from exam_web.exams.models import Choice, Image, Question
from exam_web.exams.rendering import text_faults
from exam_web.exams.selectors import read_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A question without faults, as it is stored."""

    question: AuthoredQuestion
    body: dict[str, Any]
    warnings: tuple[str, ...]
    """What its author may not have meant."""

    @property
    def digest(self) -> str:
        """The digest by which content is compared."""
        return digest_of(self.body)


def check_content(body: Mapping[str, Any], *, ident: str) -> Content:
    """Check a question's content, and bring it into its one stored form.

    Raises:
        Problem: INVALID, its `faults` listing every (where, reason).
    """
    question, faults = read_question(body, ident=ident, images=_images(images_of(body)))
    if question is not None and not faults:
        faults = [PlacedFault("", reason) for reason in text_faults(question)]
    if question is None or faults:
        raise _invalid((_where(fault.where), fault.reason) for fault in faults)
    warnings = tuple(warning.reason for warning in question.interaction.warnings())
    return Content(question=question, body=write_question(question), warnings=warnings)


def content_of_row(row: Question, parts: Iterable[Choice]) -> Content:
    """Return the content of an exam's question and its parts, in their order.

    Raises:
        Problem: INVALID, its `faults` listing what the exam lists as well.
    """
    read = read_row(row, parts)
    if read.faults:
        raise _invalid((row.ident, fault.reason) for fault in read.faults)
    body = write_question(read.question)
    content = check_content(body, ident=row.ident)
    if content.body != body:
        raise Problem(ProblemKind.INVALID, f"question {row.ident} cannot be written as a document")
    return content


def digest_of_row(row: Question, parts: Iterable[Choice]) -> str | None:
    """Return the digest of a question's content in an exam; None if it has faults, and so was edited."""
    read = read_row(row, parts)
    return None if read.faults else digest_of(write_question(read.question))


def authored(version: Version, *, ident: str) -> AuthoredQuestion:
    """Read a version as the question that it is, under an id of an exam.

    Raises:
        Problem: INVALID when the id is none, or a later release accepts less than the one that stored the version.
    """
    return check_content(version.content, ident=ident).question


def _images(digests: set[str]) -> dict[str, ImageRef]:
    rows = Image.objects.filter(sha256__in=digests).defer("data") if digests else ()
    return {
        row.sha256: ImageRef(sha256=row.sha256, type=row.content_type, width=row.width, height=row.height)
        for row in rows
    }


def _where(place: str) -> str:
    if place == "id":  # given beside the content
        return place
    return f"content.{place}" if place else "content"


def _invalid(faults: Iterable[tuple[str, str]]) -> Problem:
    listed = [{"where": where, "reason": reason} for where, reason in faults]
    detail = "; ".join(f"{fault['where']}: {fault['reason']}" for fault in listed)
    return Problem(ProblemKind.INVALID, detail, faults=listed)
