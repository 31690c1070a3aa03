"""Queries for exams, and their conversion to the core's types."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from exam_core.authored import AuthoredExam, TextFormat
from exam_core.problems import Problem, ProblemKind
from exam_core.review import Review
from exam_web.exams.interactions import ReadQuestion, RowFault, listed, read_question
from exam_web.exams.models import Choice, Exam, Image, Question, Section
from exam_web.exams.rendering import faults_of, text_faults
from exam_web.exams.sections import listed_faults, read_sections, sections_of
from exam_web.users.models import User


def exams_visible_to(user: User) -> QuerySet[Exam]:
    """Return the exams that a user may see: students their level's published, Doctors own ones, staff by permission."""
    exams = Exam.objects.select_related("level", "author")
    if user.kind == User.Kind.STUDENT:
        return exams.filter(level=user.level, published=True)
    if user.kind == User.Kind.DOCTOR:
        return exams.filter(author_id=user.pk)
    return exams if user.has_perm("exams.view_exam") else exams.none()


def paper_shown_to(user: User, exam: Exam) -> str | None:
    """Return the digest of the paper of an exam's latest sitting that is over for a user, once no other is to come.

    Until the last sitting of an exam has closed, of whichever level, only the solver shows papers, to students whose
    deadline is running: shown elsewhere, those who sit it later would know the questions. The same holds for sittings
    of another exam that share the paper. Afterwards, it depends on the exam's review policy.
    """
    if not exam.review_policy.shows(Review.PAPER) or exam.sittings.scheduled().exists():
        return None
    over = exam.sittings.visible_to(user).over()
    digest = over.order_by("-opens_at").values_list("paper_id", flat=True).first()
    # Not of this exam alone: after a slug was given to another exam, that one can have the same paper.
    return None if exam.sittings.model.objects.scheduled().filter(paper_id=digest).exists() else digest


def sittings_keeping_papers(exam: Exam) -> list[str]:
    """Return the names of an exam's scheduled sittings, which keep their frozen papers when the exam changes."""
    return list(exam.sittings.scheduled().values_list("name", flat=True))


def exam_shows(exam: Exam, image: Image) -> bool:
    """Return whether a question or a choice of an exam shows an image."""
    in_choices = Choice.objects.filter(question__exam=exam, image=image)
    return exam.questions.filter(image=image).exists() or in_choices.exists()


def exam_authored(exam: Exam) -> tuple[AuthoredExam, list[Image]]:
    """Return an exam as `freeze` takes it, and all its images, read under a lock that concurrent edits wait for.

    Raises:
        Problem: PAPER_INVALID listing every reason why the exam cannot be frozen.
    """
    with transaction.atomic():
        Exam.objects.select_for_update(of=("self",)).get(pk=exam.pk)
        rows, sections = list(questions_of(exam)), sections_of(exam)
    questions = read_questions(rows)
    if faults := exam_faults(exam, sections, rows, questions):
        raise Problem(ProblemKind.PAPER_INVALID, f"{exam.slug}: {'; '.join(faults)}", faults=faults)
    return _authored(exam, sections, rows, questions), _images(rows)


def exam_content(exam: Exam) -> AuthoredExam:
    """Return an exam's present content, which may have faults; read without a lock, for queries."""
    rows = list(questions_of(exam))
    return _authored(exam, sections_of(exam), rows, read_questions(rows))


def exam_faults(
    exam: Exam, sections: Sequence[Section], rows: Sequence[Question], questions: Sequence[ReadQuestion]
) -> list[str]:
    """List every reason why an exam cannot be frozen: those of its instructions, its questions and its sections."""
    return [*_instructions_faults(exam), *listed(questions), *listed_faults(exam, sections, rows)]


def questions_of(exam: Exam) -> QuerySet[Question]:
    """Return an exam's questions in order, with their sections, and with choices and images prefetched."""
    choices = Prefetch("choices", Choice.objects.select_related("image"))
    return exam.questions.select_related("section", "image").prefetch_related(choices).order_by("position")


def read_questions(rows: Iterable[Question]) -> tuple[ReadQuestion, ...]:
    """Read an exam's rows as the questions that the core freezes, each with its faults and warnings."""
    return tuple(read_row(row, row.choices.all()) for row in rows)


def read_row(row: Question, parts: Iterable[Choice]) -> ReadQuestion:
    """Read a question and its parts, in their order, with the faults of its texts."""
    read = read_question(row, parts)
    faults = tuple(RowFault(reason=reason, member="text") for reason in text_faults(read.question))
    return replace(read, faults=(*read.faults, *faults), warnings=() if faults else read.warnings)


def _instructions_faults(exam: Exam) -> list[str]:
    return [f"instructions: {reason}" for reason in faults_of(exam.instructions, TextFormat(exam.format))]


def part_faults(question: Question) -> dict[int | None, str]:
    """Return the faults and warnings of a question's parts by their primary keys."""
    parts = list(question.choices.select_related("image").order_by("position"))
    read = read_row(question, parts)
    found: dict[int | None, str] = {}
    for fault in (*read.faults, *read.warnings):
        if fault.part is not None:
            pk = parts[fault.part].pk
            found[pk] = "; ".join(filter(None, (found.get(pk), fault.reason)))
    return found


def _authored(
    exam: Exam, sections: Sequence[Section], rows: Sequence[Question], questions: Iterable[ReadQuestion]
) -> AuthoredExam:
    return AuthoredExam(
        slug=exam.slug,
        title=exam.title,
        instructions=exam.instructions,
        format=TextFormat(exam.format),
        questions=tuple(each.question for each in questions),
        sections=read_sections(sections, rows),
    )


def _images(rows: Iterable[Question]) -> list[Image]:
    images = (image for row in rows for image in (row.image, *(each.image for each in row.choices.all())) if image)
    return list({image.sha256: image for image in images}.values())
