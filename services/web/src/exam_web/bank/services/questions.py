"""Put questions into the bank, add versions, and change what is beside the content."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from exam_core.problems import Problem, ProblemKind
from exam_papers.documents.questions import images_of
from exam_web.bank.content import Content, check_content
from exam_web.bank.models import BankQuestion, Category, Use, Version, VersionImage
from exam_web.bank.permissions import check_change
from exam_web.users.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The version that has a content, whether it is new, and what its author may not have meant."""

    version: Version
    created: bool
    warnings: tuple[str, ...] = ()


def question_create(
    *,
    by: User,
    ident: str,
    category: Category,
    content: Mapping[str, Any] | Content,
    tags: Iterable[str] = (),
    comment: str = "",
) -> Stored:
    """Put a question into the bank as version 1; a Doctor becomes its author.

    Raises:
        Problem: CONFLICT when the id is taken, INVALID with the faults of the content.
    """
    checked = content if isinstance(content, Content) else check_content(content, ident=ident)
    with transaction.atomic():
        author = by.pk if by.kind == User.Kind.DOCTOR else None
        question = BankQuestion(ident=ident, category=category, author_id=author, tags=tidy_tags(tags), newest=1)
        _describe(question, checked)
        if BankQuestion.objects.filter(ident=ident).exists():
            raise Problem(
                ProblemKind.CONFLICT,
                f"the bank already has a question {ident!r}: choose another id, or add a version to that one",
            )
        question.save()
        return _store(question, checked, by=by, comment=comment)


def version_add(*, question: BankQuestion, by: User, content: Mapping[str, Any] | Content, comment: str = "") -> Stored:
    """Add a version; none if the newest one has the same content.

    Raises:
        Problem: FORBIDDEN for others than the author and staff, INVALID with the faults of the content.
    """
    checked = content if isinstance(content, Content) else check_content(content, ident=question.ident)
    with transaction.atomic():
        question = question_locked(question)
        check_change(by, question)
        newest = question.versions.get(number=question.newest)
        if newest.digest == checked.digest:
            return Stored(version=newest, created=False, warnings=checked.warnings)
        question.newest += 1
        _describe(question, checked)
        question.save()
        return _store(question, checked, by=by, comment=comment)


def question_change(*, question: BankQuestion, by: User, changes: Mapping[str, Any]) -> BankQuestion:
    """Change category or tags, which have no versions.

    Raises:
        Problem: FORBIDDEN for others than the author and staff, INVALID with the field.
    """
    with transaction.atomic():
        question = question_locked(question)
        check_change(by, question)
        for name, value in changes.items():
            setattr(question, name, tidy_tags(value) if name == "tags" else value)
        _clean(question)
        question.save()
    return question


def question_delete(*, question: BankQuestion, by: User) -> None:
    """Delete a question with all its versions.

    Raises:
        Problem: FORBIDDEN for others than the author and staff, CONFLICT while exams use it.
    """
    with transaction.atomic():
        question = question_locked(question)
        check_change(by, question)
        try:
            question.delete()
        except ProtectedError as error:
            uses = Use.objects.filter(version__question=question).count()
            raise Problem(
                ProblemKind.CONFLICT,
                f"{question.ident!r} is used by {uses} questions of exams, which name it as their origin",
            ) from error


def question_locked(question: BankQuestion) -> BankQuestion:
    """Return a question as it is under a lock, which lasts until the transaction ends: versions are counted one by one.

    Raises:
        Problem: NOT_FOUND when it was deleted meanwhile.
    """
    found = BankQuestion.objects.select_for_update(of=("self",)).select_related("author", "category")
    locked = found.filter(pk=question.pk).first()
    if locked is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{question.ident} was deleted concurrently")
    return locked


def tidy_tags(tags: Iterable[str]) -> list[str]:
    """Return tags in small letters, each once and in order; blank ones are left out."""
    return sorted({tag.strip().lower() for tag in tags} - {""})


def _describe(question: BankQuestion, content: Content) -> None:
    question.kind, question.text = content.question.interaction.kind.value, content.question.text
    _clean(question)


def _store(question: BankQuestion, content: Content, *, by: User, comment: str) -> Stored:
    version = Version(
        question=question,
        number=question.newest,
        content=content.body,
        digest=content.digest,
        author_id=by.pk,
        comment=comment,
    )
    _clean(version)
    version.save()
    VersionImage.objects.bulk_create(
        VersionImage(version=version, image_id=digest) for digest in sorted(images_of(content.body))
    )
    return Stored(version=version, created=True, warnings=content.warnings)


def _clean(row: BankQuestion | Version) -> None:
    """Validate a row. Uniqueness is left to the database, which alone can check it under concurrency."""
    try:
        row.full_clean(validate_unique=False)
    except ValidationError as error:
        faults = [
            {"where": field, "reason": str(message)} for field, each in error.message_dict.items() for message in each
        ]
        detail = "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults)
        raise Problem(ProblemKind.INVALID, detail, faults=faults) from error
