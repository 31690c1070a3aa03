"""Import the content of a file as a new draft, or into an existing one, all or nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.db import transaction
from django.db.models import Max

from exam_core.authored import AuthoredExam, AuthoredQuestion, TextFormat
from exam_core.authoring.exam import ExamDocument
from exam_core.problems import Problem, ProblemKind
from exam_core.validation import count_fault
from exam_papers.formats import Loss, LossCode
from exam_web.exams.files.reading import FileContent, FileFaultsError
from exam_web.exams.files.schemas import FileFault, ImportOptions, Mode
from exam_web.exams.images import image_keep
from exam_web.exams.interactions import part_rows, question_row
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.sections import section_at
from exam_web.exams.services import exam_import, exam_touch
from exam_web.users.models import Doctor

_NUMBERED: Final = re.compile(r"q[0-9]+_*")
"""The ids that readers give to questions without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An import: the questions with the ids under which they are stored, and what was lost on the way."""

    created: bool
    questions: tuple[AuthoredQuestion, ...]
    losses: tuple[Loss, ...] = ()


def file_import(*, slug: str, author: Doctor, content: FileContent, options: ImportOptions) -> Outcome:
    """Store the content of a file in the draft with a slug, which is created if there is none.

    With `dry_run` everything is checked by storing it, and undone.

    Raises:
        FileFaultsError: the exam cannot take the questions.
        Problem: INVALID when a parameter is missing or does not apply, CONFLICT when the exam is published or another
            Doctor's, PAPER_INVALID when the exam has what is not stored.
    """
    with transaction.atomic():
        exam = _draft(slug, author)
        outcome = _append(exam, content) if _appends(exam, content, options) else None
        if outcome is None:
            document = _document(slug, exam, content, options)
            exam_import(document=document, author=author, draft=True)
            outcome = Outcome(created=exam is None, questions=content.questions)
        if options.dry_run:
            transaction.set_rollback(True)
    return outcome


def _draft(slug: str, author: Doctor) -> Exam | None:
    """Lock and return the author's draft with a slug; None if there is no exam with it."""
    exam = Exam.objects.select_for_update(of=("self",)).select_related("level").filter(slug=slug).first()
    if exam is None:
        return None
    if exam.author_id != author.pk:
        raise Problem(ProblemKind.CONFLICT, f"exam {slug!r} already exists")
    if exam.published:
        raise Problem(
            ProblemKind.CONFLICT,
            f"exam {slug!r} is published: import into a draft, or set published to false first",
        )
    return exam


def _appends(exam: Exam | None, content: FileContent, options: ImportOptions) -> bool:
    """Whether questions are added to those of an exam; check the parameters."""
    own = [name for name in ("title", "level") if getattr(options, name) is not None]
    if content.document is not None:
        if own:
            raise Problem(ProblemKind.INVALID, f"{own[0]}: an exam document has its own; leave the parameter out")
        if exam is not None and options.mode is Mode.APPEND:
            raise Problem(
                ProblemKind.INVALID, f"mode: an exam document replaces all of {exam.slug}; to do so send mode=replace"
            )
        return False
    if exam is None:
        if missing := [name for name in ("title", "level") if name not in own]:
            raise Problem(
                ProblemKind.INVALID, f"{' and '.join(missing)}: a new exam needs it, which a file of questions has not"
            )
        return False
    if own:
        raise Problem(ProblemKind.INVALID, f"{own[0]}: {exam.slug} has its own; change the exam instead")
    return options.mode is Mode.APPEND


def _document(slug: str, exam: Exam | None, content: FileContent, options: ImportOptions) -> ExamDocument:
    """Return the document that an exam becomes."""
    if content.document is not None:
        if (named := content.document.exam.slug) != slug:
            raise Problem(
                ProblemKind.PAPER_INVALID, f"the document has the slug {named!r}, expected {slug!r}", faults=[]
            )
        return content.document
    if exam is None:
        authored = AuthoredExam(slug=slug, title=options.title or "", instructions="", questions=content.questions)
        return ExamDocument(exam=authored, level=options.level or "", images=content.images)
    authored = AuthoredExam(
        slug=slug,
        title=exam.title,
        instructions=exam.instructions,
        format=TextFormat(exam.format),
        questions=content.questions,
    )
    return ExamDocument(exam=authored, level=exam.level.slug, images=content.images)


def _append(exam: Exam | None, content: FileContent) -> Outcome | None:
    """Add questions after those of an exam, in the section of the last one."""
    if exam is None:
        return None
    exam_touch(exam=exam)
    stored = list(exam.questions.values_list("ident", flat=True))
    questions, losses = _renamed(stored, content)
    if reason := count_fault(len(stored) + len(questions)):
        raise FileFaultsError([FileFault(file=content.file, line=None, reason=reason)], content.format)
    for accepted in content.images.values():
        image_keep(accepted=accepted)
    last = exam.questions.aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    section = section_at(exam, first)
    rows = [
        question_row(each, exam=exam, position=first + number, section=section) for number, each in enumerate(questions)
    ]
    Question.objects.bulk_create(rows)
    parts = (part_rows(each.interaction, row) for each, row in zip(questions, rows, strict=True))
    Choice.objects.bulk_create([part for listed in parts for part in listed])
    return Outcome(created=False, questions=questions, losses=losses)


def _renamed(stored: Sequence[str], content: FileContent) -> tuple[tuple[AuthoredQuestion, ...], tuple[Loss, ...]]:
    """Return the questions with ids that the exam does not have.

    A name that the file gives stays; that the exam has it already is a fault. Questions without a name are numbered on.

    Raises:
        FileFaultsError: the exam has some of the names.
    """
    taken = {*stored, *(each.id for each in content.questions)}
    questions, losses, faults = [], [], []
    for question in content.questions:
        ident = question.id
        if ident in stored and _NUMBERED.fullmatch(ident):
            ident = next(free for number in range(1, len(taken) + 2) if (free := f"q{number}") not in taken)
            taken.add(ident)
            losses.append(Loss(LossCode.IDENTIFIER, f"the id becomes {ident}: the exam has another one", question.id))
        elif ident in stored:
            reason = "has an id that a question of the exam has: change it, or replace the questions with mode=replace"
            faults.append(FileFault(file=content.file, line=None, question=ident, reason=reason))
        questions.append(replace(question, id=ident))
    if faults:
        raise FileFaultsError(faults, content.format)
    return tuple(questions), tuple(losses)
