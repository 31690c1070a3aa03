"""Create, change, delete and import exams."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Max, ProtectedError
from django.db.models.functions import Now

from exam_core.authored import AuthoredQuestion
from exam_core.authored import Section as CoreSection
from exam_core.authoring.exam import ExamDocument
from exam_core.canonical import Json
from exam_core.problems import Problem, ProblemKind
from exam_core.scoring import MultipleRule, Policy
from exam_web.common import cache
from exam_web.exams.images import image_keep
from exam_web.exams.interactions import part_rows, question_row
from exam_web.exams.models import Choice, Exam, Image, Question, Section
from exam_web.exams.ownership import check_namespace, default_owner
from exam_web.exams.schemas import ExamNew, QuestionNew
from exam_web.exams.sections import section_row
from exam_web.users.models import Doctor, Level

LISTS = "exam-lists"
"""The cache family of exam lists."""


def exam_create(*, author: Doctor, exam: ExamNew) -> Exam:
    """Create an empty exam, by default a draft, which students do not see.

    Raises:
        Problem: CONFLICT when the slug is taken, INVALID with the field.
    """
    with transaction.atomic():
        if Exam.objects.filter(slug=exam.slug).exists():
            raise Problem(ProblemKind.CONFLICT, f"exam {exam.slug!r} already exists")
        columns = exam.model_dump(exclude={"level", "scoring"})
        row = Exam(author=author, **columns, level=level_named(exam.level))
        row.policy = _policy(Policy(), exam.scoring.model_dump())
        _save(row)
        cache.invalidate_on_commit(LISTS)
    return row


def exam_update(*, exam: Exam, changes: Mapping[str, Any]) -> Exam:
    """Change title, instructions, level, namespaces, attempts, policies, or whether it is published.

    Raises:
        Problem: INVALID with the field, CONFLICT when an exam with sittings would become a draft.
    """
    with transaction.atomic():
        exam_touch(exam=exam)
        # As it is under the lock: saving what was read before would undo a concurrent change of other fields.
        exam = Exam.objects.select_related("level", "author").get(pk=exam.pk)
        if changes.get("published") is False and (names := exam.sittings.names()):
            raise Problem(ProblemKind.CONFLICT, draft_refusal(names))
        for name, value in changes.items():
            if name == "scoring":
                exam.policy = _policy(exam.scoring, value or {})
            else:
                setattr(exam, name, level_named(value) if name == "level" else value)
        _save(exam)
        cache.invalidate_on_commit(LISTS)
    return exam


def draft_refusal(names: Sequence[str]) -> str:
    """Why an exam with these sittings cannot become a draft."""
    return f"published: the exam has sittings, whose students must see it: {', '.join(names)}. Cancel them first"


def exam_delete(*, exam: Exam) -> None:
    """Delete an exam that no sitting used.

    Raises:
        Problem: CONFLICT when a paper of it exists: answers and degrees refer to it.
    """
    with transaction.atomic():
        try:
            exam.delete()
        except ProtectedError as error:
            raise Problem(
                ProblemKind.CONFLICT, f"{exam.slug} was used in a sitting: its questions must stay readable"
            ) from error
        cache.invalidate_on_commit(LISTS)


def exam_touch(*, exam: Exam) -> None:
    """Lock an exam's row and update its time of change; call it first in the transaction of every edit.

    The lock lasts until the transaction ends, so that edits are serialised and freezing sees no partial edit.
    """
    if not Exam.objects.filter(pk=exam.pk).update(updated_at=Now()):
        raise Problem(ProblemKind.NOT_FOUND, f"{exam.slug} was deleted concurrently")
    cache.invalidate_on_commit(LISTS)


def question_save(*, exam: Exam, ident: str, fields: Mapping[str, Any], question: Question | None = None) -> Question:
    """Create a question at the end of an exam or of its section, or change one.

    Without a format, a new one has that of the exam. One that is put in another section is moved to its end.

    Raises:
        Problem: CONFLICT when the id is taken, INVALID with the field, also when there is no such section.
    """
    with transaction.atomic():
        exam_touch(exam=exam)
        if question is None:
            if exam.questions.filter(ident=ident).exists():
                raise Problem(ProblemKind.CONFLICT, f"{exam.slug} already has a question {ident!r}")
            question = Question(
                exam=exam, ident=ident, position=_next_position(exam.questions.all()), format=exam.format
            )
        if "section" in fields:
            _put_in_section(question, fields["section"])
        _save_fields(question, {name: value for name, value in fields.items() if name != "section"})
    return question


def _put_in_section(question: Question, ident: str | None) -> None:
    """Put a question, not saved, after the others of the section with an id; None takes it out of any."""
    exam, former = question.exam, question.section_id
    question.section = None if ident is None else exam.sections.filter(ident=ident).first()
    if ident is not None and question.section is None:
        raise Problem(ProblemKind.INVALID, f"section: {exam.slug} has no section {ident!r}")
    others = exam.questions.exclude(pk=question.pk)
    last = others.filter(section=question.section).aggregate(last=Max("position"))["last"]
    if question.section is None or question.section_id == former or last is None:
        return
    # Positions are checked at the end of the transaction.
    others.filter(position__gt=last).update(position=F("position") + 1)
    question.position = last + 1


def question_create(*, exam: Exam, question: QuestionNew) -> Question:
    """Add a question with its choices in one transaction."""
    with transaction.atomic():
        row = question_save(exam=exam, ident=question.id, fields=question.columns())
        for choice in question.choices:
            choice_save(question=row, ident=choice.id, fields=choice.model_dump(exclude={"id"}))
    return row


def question_delete(*, question: Question) -> None:
    """Delete a question and its choices; frozen papers keep them."""
    with transaction.atomic():
        exam_touch(exam=question.exam)
        question.delete()


def section_save(*, exam: Exam, ident: str, fields: Mapping[str, Any], section: Section | None = None) -> Section:
    """Create a section at the end of an exam, or change one.

    Raises:
        Problem: CONFLICT when the id is taken, INVALID with the field.
    """
    with transaction.atomic():
        exam_touch(exam=exam)
        if section is None:
            if exam.sections.filter(ident=ident).exists():
                raise Problem(ProblemKind.CONFLICT, f"{exam.slug} already has a section {ident!r}")
            section = Section(exam=exam, ident=ident, position=_next_position(exam.sections.all()))
        _save_fields(section, fields)
    return section


def section_delete(*, section: Section) -> None:
    """Delete a section; its questions stay, in no section."""
    with transaction.atomic():
        exam_touch(exam=section.exam)
        section.delete()


def choice_save(*, question: Question, ident: str, fields: Mapping[str, Any], choice: Choice | None = None) -> Choice:
    """Create a choice at the end of a question, or change one."""
    with transaction.atomic():
        exam_touch(exam=question.exam)
        if choice is None:
            if question.choices.filter(ident=ident).exists():
                raise Problem(ProblemKind.CONFLICT, f"{question.ident} already has a choice {ident!r}")
            choice = Choice(question=question, ident=ident, position=_next_position(question.choices.all()))
        _save_fields(choice, fields)
    return choice


def choice_delete(*, choice: Choice) -> None:
    """Delete a choice."""
    with transaction.atomic():
        exam_touch(exam=choice.question.exam)
        choice.delete()


def exam_import(
    *,
    document: ExamDocument,
    author: Doctor | None,
    namespace: str | None = None,
    holders: Sequence[str] = (),
    draft: bool = False,
) -> Exam:
    """Create or update an exam from a document in one transaction; delete what the document lacks.

    Sections, questions and choices keep their rows by their ids, so that importing the same document again changes
    nothing. An exam without an author gets the given one. A new exam is published unless `draft`; an existing one stays
    what it is.

    Args:
        document: the exam.
        author: the Doctor who owns it from now on, if it has no author.
        namespace: the namespace of the resource that brings it, which may hold an exam that it has created, and which
            an existing exam must name; its exams have an owner. None for the platform itself.
        holders: namespaces that may hold it as well.
        draft: whether a new exam is a draft.

    Raises:
        Problem: INVALID when the level is unknown, CONFLICT when the exam is another Doctor's, NAMESPACE_NOT_ALLOWED,
            OWNER_REQUIRED.
    """
    authored = document.exam
    with transaction.atomic():
        exam = Exam.objects.select_for_update(of=("self",)).filter(slug=authored.slug).first()
        if exam is None:
            exam = Exam(slug=authored.slug, namespaces=[] if namespace is None else [namespace], published=not draft)
        check_namespace(exam, namespace)
        if author is not None and exam.author_id not in (None, author.pk):
            raise Problem(
                ProblemKind.CONFLICT,
                f"exam {authored.slug!r} is another Doctor's, not {author.username}'s: staff changes its author in the"
                " admin",
            )
        exam.author = exam.author or author
        if exam.author is None and namespace is not None:
            exam.author = default_owner(exam.slug)
        exam.namespaces = sorted({*exam.namespaces, *holders})
        exam.title, exam.instructions, exam.level = authored.title, authored.instructions, level_named(document.level)
        exam.format = authored.format.value
        if document.attempts is not None:
            exam.attempts = document.attempts.value
        if document.scoring is not None:
            exam.policy = document.scoring.to_json()
        if document.review is not None:
            exam.review = document.review.value
        _save(exam)
        _import_parts(_import_questions(exam, document), authored.questions)
        cache.invalidate_on_commit(LISTS)
    return exam


def _import_questions(exam: Exam, document: ExamDocument) -> list[Question]:
    """Make an exam's questions equal to a document's, in few statements however many there are."""
    for accepted in document.images.values():
        image_keep(accepted=accepted)
    exam.questions.exclude(ident__in=[question.id for question in document.exam.questions]).delete()
    sections = _import_sections(exam, document.exam.sections)
    placed = enumerate(zip_longest(document.exam.questions, sections))
    return Question.objects.bulk_create(
        [
            question_row(question, exam=exam, position=position, section=section)
            for position, (question, section) in placed
        ],
        update_conflicts=True,
        unique_fields=["exam", "ident"],
        update_fields=[
            "section",
            "position",
            "shuffle",
            "kind",
            "text",
            "format",
            "weight",
            "image",
            "max_choices",
            "value",
            "tolerance",
            "settings",
        ],
    )


def _import_sections(exam: Exam, sections: Sequence[CoreSection]) -> list[Section]:
    """Make an exam's sections equal to a document's; return the section of each question, none without sections."""
    exam.sections.exclude(ident__in=[section.id for section in sections]).delete()
    rows = Section.objects.bulk_create(
        [section_row(section, exam=exam, position=position) for position, section in enumerate(sections)],
        update_conflicts=True,
        unique_fields=["exam", "ident"],
        update_fields=["position", "title", "instructions", "draw", "shuffle"],
    )
    return [row for row, section in zip(rows, sections, strict=True) for _ in range(section.size)]


def _import_parts(rows: list[Question], questions: Sequence[AuthoredQuestion]) -> None:
    by_ident = {row.ident: row for row in rows}
    imported = [part for question in questions for part in part_rows(question.interaction, by_ident[question.id])]
    kept = {(choice.question_id, choice.ident) for choice in imported}
    stored = Choice.objects.filter(question__in=rows).values_list("pk", "question_id", "ident")
    Choice.objects.filter(pk__in=[pk for pk, *key in stored if tuple(key) not in kept]).delete()
    Choice.objects.bulk_create(
        imported,
        update_conflicts=True,
        unique_fields=["question", "ident"],
        update_fields=["position", "text", "image", "correct", "credit", "target"],
    )


def level_named(slug: str) -> Level:
    """Return a level by its slug.

    Raises:
        Problem: INVALID, listing the levels that exist.
    """
    level = Level.objects.filter(slug=slug).first()
    if level is None:
        existing = ", ".join(Level.objects.values_list("slug", flat=True)) or "none"
        raise Problem(ProblemKind.INVALID, f"level {slug!r} does not exist; levels are: {existing}")
    return level


def _policy(policy: Policy, rules: Mapping[str, Any]) -> dict[str, Json]:
    """Return the stored form of a scoring policy with other rules; None keeps one."""
    multiple = rules.get("multiple")
    changed = policy.with_rules(
        multiple=None if multiple is None else MultipleRule(multiple), negative_total=rules.get("negative_total")
    )
    return changed.to_json()


def _save_fields(row: Section | Question | Choice, fields: Mapping[str, Any]) -> None:
    """Assign fields, an image by its digest, and save."""
    for name, value in fields.items():
        setattr(row, name, _image_named(value) if name == "image" else value)
    _save(row)


def _image_named(sha256: str | None) -> Image | None:
    if sha256 is None:
        return None
    image = Image.objects.filter(sha256=sha256).first()
    if image is None:
        raise Problem(ProblemKind.INVALID, f"image {sha256!r} does not exist: upload it first")
    return image


def _save(row: models.Model) -> None:
    """Validate and save a row. Uniqueness is left to the database, which alone can check it under concurrency."""
    try:
        row.full_clean(validate_unique=False)
    except ValidationError as error:
        faults = [
            {"where": field, "reason": str(message)} for field, each in error.message_dict.items() for message in each
        ]
        detail = "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults)
        raise Problem(ProblemKind.INVALID, detail, faults=faults) from error
    row.save()


def _next_position(rows: models.QuerySet[Any]) -> int:
    last = rows.aggregate(last=Max("position"))["last"]
    return 0 if last is None else int(last) + 1
