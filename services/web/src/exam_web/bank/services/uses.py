"""Take versions into exams, take newer ones, and keep exams' questions in the bank."""

from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import F, Max

from exam_core.authored import AuthoredQuestion
from exam_core.problems import Problem, ProblemKind
from exam_web.bank.content import authored, content_of_row, digest_of_row
from exam_web.bank.models import Category, Use, Version
from exam_web.bank.selectors import version_of
from exam_web.bank.services.questions import Stored, question_create, question_locked, version_add
from exam_web.exams.interactions import part_rows, question_row
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.sections import section_at
from exam_web.exams.selectors import questions_of
from exam_web.exams.services import exam_touch
from exam_web.users.models import User

_PLACE: Final = frozenset({"id", "ident", "position"})
"""Columns of a question that are no part of its content; its relations but the image are none either."""


def take(*, version: Version, exam: Exam, ident: str | None = None, position: int | None = None) -> Use:
    """Copy a version into an exam as a question of its own, and record where it comes from.

    Args:
        version: what to copy.
        exam: where to; a paper that was frozen from it before stays as it is.
        ident: the question's id in the exam, by default that in the bank.
        position: how many of the exam's questions come before it, by default all. It is in the section of the last of
            them.

    Raises:
        Problem: CONFLICT when the exam has a question with the id, INVALID when the id is none.
    """
    with transaction.atomic():
        exam_touch(exam=exam)
        origin = question_locked(version.question)
        name = origin.ident if ident is None else ident
        taken = exam.questions.filter(ident=name).first()
        if taken is not None:
            raise Problem(ProblemKind.CONFLICT, _taken(exam, taken, version))
        question = authored(version, ident=name)
        place = _free_position(exam, position)
        row = question_row(question, exam=exam, position=place, section=section_at(exam, place))
        row.save()
        Choice.objects.bulk_create(part_rows(question.interaction, row))
        _check_stored(row, version)
        return Use.objects.create(question=row, version=version)


def update(*, use: Use, overwrite: bool = False) -> Use:
    """Replace an exam's question by the newest version of its origin; its id and its position stay.

    Args:
        use: the question.
        overwrite: whether to discard what was edited in the exam.

    Raises:
        Problem: CONFLICT when the question was edited in the exam.
    """
    with transaction.atomic():
        exam_touch(exam=use.question.exam)
        origin = question_locked(use.version.question)
        use = Use.objects.select_related("question__exam", "version").get(pk=use.pk)
        newest = version_of(origin)
        if use.version_id == newest.pk:
            return use
        row = _row(use.question)
        if not overwrite and digest_of_row(row, row.choices.all()) != use.version.digest:
            raise Problem(
                ProblemKind.CONFLICT,
                f"{row.ident} was edited in the exam since version {use.version.number} was taken: keep it in the bank"
                " first, or overwrite it",
            )
        _replace(row, authored(newest, ident=row.ident))
        _check_stored(row, newest)
        use.version = newest
        use.save()
    return use


def keep(
    *,
    question: Question,
    by: User,
    category: Category | None = None,
    ident: str | None = None,
    tags: Iterable[str] = (),
    comment: str = "",
) -> Stored:
    """Put an exam's question into the bank: as a version of its origin, or as a new question.

    A question that came from the bank becomes a version of its origin, or none if its content is that of the version
    it has or of the newest one. With an id it becomes another question in any case, for example if the origin is
    another Doctor's. Either way it then counts as taken from what it was kept as.

    Args:
        question: the exam's question.
        by: who keeps it; a Doctor becomes the author of a new question.
        category: where a new question belongs.
        ident: the id of a new question, by default that in the exam.
        tags: the tags of a new question.
        comment: what changed.

    Raises:
        Problem: INVALID with the question's faults or without a category, CONFLICT when the bank has a question with
            the id, FORBIDDEN when the origin is another Doctor's.
    """
    with transaction.atomic():
        Exam.objects.select_for_update(of=("self",)).get(pk=question.exam_id)
        row = _row(question)
        content = content_of_row(row, row.choices.all())
        use = Use.objects.select_related("version__question").filter(pk=row.pk).first()
        if use is not None and ident is None:
            if use.version.digest == content.digest:
                return Stored(version=use.version, created=False, warnings=content.warnings)
            stored = version_add(question=use.version.question, by=by, content=content, comment=comment)
        elif category is None:
            raise Problem(ProblemKind.INVALID, f"{row.ident} is new in the bank: choose its category")
        else:
            stored = question_create(
                by=by,
                ident=row.ident if ident is None else ident,
                category=category,
                content=content,
                tags=tags,
                comment=comment,
            )
        Use.objects.update_or_create(question=row, defaults={"version": stored.version})
    return stored


def _row(question: Question) -> Question:
    return questions_of(question.exam).get(pk=question.pk)


def _taken(exam: Exam, row: Question, version: Version) -> str:
    use = Use.objects.select_related("version").filter(pk=row.pk).first()
    if use is not None and use.version.question_id == version.question_id:
        return f"{exam.slug} has version {use.version.number} of {row.ident!r}: update it there, or choose another id"
    return f"{exam.slug} already has a question {row.ident!r}: choose another id for this one"


def _free_position(exam: Exam, index: int | None) -> int:
    """Return a position after so many questions, and move those behind it."""
    if index is not None:
        behind = exam.questions.order_by("position").values_list("position", flat=True)[index : index + 1].first()
        if behind is not None:
            exam.questions.filter(position__gte=behind).update(position=F("position") + 1)
            return behind
    last = exam.questions.aggregate(last=Max("position"))["last"]
    return 0 if last is None else int(last) + 1


def _replace(row: Question, question: AuthoredQuestion) -> None:
    """Give a row and its parts another content."""
    content = question_row(question, exam=row.exam, position=row.position)
    for field in Question._meta.concrete_fields:  # noqa: SLF001 - the documented way to a model's fields
        if field.name not in _PLACE and (not field.is_relation or field.name == "image"):
            setattr(row, field.attname, getattr(content, field.attname))
    row.save()
    row.choices.all().delete()
    Choice.objects.bulk_create(part_rows(question.interaction, row))


def _check_stored(row: Question, version: Version) -> None:
    """Check that the rows are read as the version; a member without a column would be lost."""
    stored = _row(row)
    if digest_of_row(stored, stored.choices.all()) != version.digest:
        raise Problem(
            ProblemKind.INVALID,
            f"version {version.number} of {version.question.ident!r} has members that exams cannot store",
        )
