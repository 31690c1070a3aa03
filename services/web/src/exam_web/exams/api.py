"""The exams API: each operation validates the request and calls one service or selector."""

import json
from typing import Any, cast

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from ninja import File, Query, Router, Status
from ninja.files import UploadedFile

from exam_core.problems import Problem, ProblemKind
from exam_core.questions.model import KindName
from exam_papers.images.acceptance import MAX_UPLOAD
from exam_web.common import cache
from exam_web.exams import selectors, services
from exam_web.exams.images import image_store
from exam_web.exams.interactions import listed_warnings
from exam_web.exams.kinds import read_settings, stored_value
from exam_web.exams.models import Choice, Exam, Image, Question, Section
from exam_web.exams.schemas import (
    Attempts,
    ChoiceFields,
    ChoiceKept,
    ChoiceNew,
    ExamChange,
    ExamForAuthor,
    ExamForStudent,
    ExamListed,
    ExamNew,
    ExamPage,
    Format,
    ImageKept,
    QuestionFields,
    QuestionKept,
    QuestionNew,
    Review,
    Scoring,
    SectionFields,
    SectionKept,
    SectionNew,
    SittingShown,
)
from exam_web.exams.sections import given_in, given_of, sections_of, with_pools
from exam_web.http.paging import Paging, page_of
from exam_web.users.authentication import PersonAuth, person_of
from exam_web.users.models import User

router = Router(tags=["exams"], auth=PersonAuth())

LIST_SECONDS = 60
PAPER_SECONDS = 3600


@router.get("/exams", response=ExamPage)
def exam_list(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """List the exams that you may see: a student those of the level, a Doctor the own ones."""
    user = person_of(request).user
    scope = f"level-{user.level_id}" if user.kind == User.Kind.STUDENT else f"{user.kind}-{user.pk}"
    return cache.cached(
        services.LISTS,
        f"{scope}:{paging.limit}:{paging.offset}",
        seconds=LIST_SECONDS,
        load=lambda: _page(user, paging),
    )


@router.post("/exams", response={201: ExamForAuthor})
def exam_create(request: HttpRequest, body: ExamNew) -> Status[ExamForAuthor]:
    """Create an exam."""
    person = person_of(request)
    exam = services.exam_create(author=person.doctor, exam=body)
    return Status(201, _for_author(exam, person.user))


@router.get("/exams/{slug}", response=ExamForAuthor | ExamForStudent)
def exam_retrieve(request: HttpRequest, slug: str) -> ExamForAuthor | ExamForStudent:
    """Get one exam; students see questions only when its last sitting is over, and never a key."""
    user = person_of(request).user
    exam = _visible(user, slug)
    return _for_student(exam, user) if user.kind == User.Kind.STUDENT else _for_author(exam, user)


@router.patch("/exams/{slug}", response=ExamForAuthor)
def exam_update(request: HttpRequest, slug: str, body: ExamChange) -> ExamForAuthor:
    """Change an exam."""
    exam = services.exam_update(exam=_own(request, slug), changes=body.model_dump(exclude_unset=True))
    return _for_author(exam, person_of(request).user)


@router.delete("/exams/{slug}", response={204: None})
def exam_delete(request: HttpRequest, slug: str) -> Status[None]:
    """Delete an exam that no sitting used."""
    services.exam_delete(exam=_own(request, slug))
    return Status(204, None)


@router.post("/exams/{slug}/sections", response={201: SectionKept})
def section_create(request: HttpRequest, slug: str, body: SectionNew) -> Status[SectionKept]:
    """Add a section after the others; questions are put in it by their `section`."""
    fields = body.model_dump(exclude={"id"})
    return Status(201, _section(services.section_save(exam=_own(request, slug), ident=body.id, fields=fields)))


@router.put("/exams/{slug}/sections/{ident}", response=SectionKept)
def section_update(request: HttpRequest, slug: str, ident: str, body: SectionFields) -> SectionKept:
    """Change a section; its questions stay."""
    exam = _own(request, slug)
    section = _section_of(exam, ident)
    return _section(services.section_save(exam=exam, ident=ident, fields=body.model_dump(), section=section))


@router.delete("/exams/{slug}/sections/{ident}", response={204: None})
def section_delete(request: HttpRequest, slug: str, ident: str) -> Status[None]:
    """Delete a section; its questions stay, in no section."""
    services.section_delete(section=_section_of(_own(request, slug), ident))
    return Status(204, None)


@router.get("/exams/{slug}/questions", response=list[QuestionKept])
def question_list(request: HttpRequest, slug: str) -> list[QuestionKept]:
    """List the questions of an exam with their keys, for its author; an exam has at most 500."""
    return [_question(question) for question in selectors.questions_of(_own(request, slug))]


@router.get("/exams/{slug}/questions/{ident}", response=QuestionKept)
def question_retrieve(request: HttpRequest, slug: str, ident: str) -> QuestionKept:
    """Get one question with its key, for its author."""
    return _question(_question_of(_own(request, slug), ident))


@router.post("/exams/{slug}/questions", response={201: QuestionKept})
def question_create(request: HttpRequest, slug: str, body: QuestionNew) -> Status[QuestionKept]:
    """Add a question, optionally with its parts: choices, accepted answers, stems and targets, or items."""
    question = services.question_create(exam=_own(request, slug), question=body)
    return Status(201, _question(question))


@router.put("/exams/{slug}/questions/{ident}", response=QuestionKept)
def question_update(request: HttpRequest, slug: str, ident: str, body: QuestionFields) -> QuestionKept:
    """Change a question; its parts stay."""
    exam = _own(request, slug)
    question = _question_of(exam, ident)
    return _question(services.question_save(exam=exam, ident=ident, fields=body.columns(), question=question))


@router.delete("/exams/{slug}/questions/{ident}", response={204: None})
def question_delete(request: HttpRequest, slug: str, ident: str) -> Status[None]:
    """Delete a question."""
    services.question_delete(question=_question_of(_own(request, slug), ident))
    return Status(204, None)


@router.post("/exams/{slug}/questions/{ident}/choices", response={201: QuestionKept})
def choice_create(request: HttpRequest, slug: str, ident: str, body: ChoiceNew) -> Status[QuestionKept]:
    """Add a choice, or another part of the question's kind, after the others."""
    question = _question_of(_own(request, slug), ident)
    services.choice_save(question=question, ident=body.id, fields=body.model_dump(exclude={"id"}))
    return Status(201, _question(question))


@router.put("/exams/{slug}/questions/{ident}/choices/{choice}", response=QuestionKept)
def choice_update(request: HttpRequest, slug: str, ident: str, choice: str, body: ChoiceFields) -> QuestionKept:
    """Change a choice."""
    question = _question_of(_own(request, slug), ident)
    row = _choice_of(question, choice)
    services.choice_save(question=question, ident=choice, fields=body.model_dump(), choice=row)
    return _question(question)


@router.delete("/exams/{slug}/questions/{ident}/choices/{choice}", response={204: None})
def choice_delete(request: HttpRequest, slug: str, ident: str, choice: str) -> Status[None]:
    """Delete a choice."""
    services.choice_delete(choice=_choice_of(_question_of(_own(request, slug), ident), choice))
    return Status(204, None)


@router.post("/exams/{slug}/images", response={201: ImageKept})
def image_upload(request: HttpRequest, slug: str, file: File[UploadedFile]) -> Status[ImageKept]:
    """Upload an image; questions and choices refer to it by its digest."""
    _own(request, slug)
    # Read one byte more than allowed, enough to reject a larger file.
    image = image_store(data=file.read(MAX_UPLOAD + 1))
    return Status(201, ImageKept(sha256=image.sha256, type=image.content_type, width=image.width, height=image.height))


@router.get("/exams/{slug}/images/{sha256}")
def image_retrieve(request: HttpRequest, slug: str, sha256: str) -> HttpResponse:
    """Get an image of an exam, for its author."""
    exam = _own(request, slug)
    image = Image.objects.filter(sha256=sha256).first()
    if image is None or not selectors.exam_shows(exam, image):
        raise Problem(ProblemKind.NOT_FOUND, f"{slug} has no image {sha256!r}")
    return HttpResponse(
        bytes(image.data), content_type=image.content_type, headers={"X-Content-Type-Options": "nosniff"}
    )


def _page(user: User, paging: Paging) -> dict[str, Any]:
    # Named: a query that groups rows has no order of its model.
    exams = selectors.exams_visible_to(user).annotate(question_count=Count("questions")).order_by("slug")

    def count(exam: Exam) -> int:
        questions = int(cast("Any", exam).question_count)
        return given_of(exam, questions) if user.kind == User.Kind.STUDENT else questions

    page = page_of(with_pools(exams), paging, lambda exam: _listed(exam, questions=count(exam)))
    return ExamPage(**page).model_dump(mode="json")


def _listed(exam: Exam, *, questions: int) -> ExamListed:
    return ExamListed(
        slug=exam.slug,
        title=exam.title,
        level=exam.level.slug,
        questions=questions,
        updated_at=exam.updated_at,
        published=exam.published,
    )


def _for_author(exam: Exam, user: User) -> ExamForAuthor:
    questions, sections = list(selectors.questions_of(exam)), sections_of(exam)
    read = selectors.read_questions(questions)
    return ExamForAuthor(
        **_listed(exam, questions=len(questions)).model_dump(),
        attempts=_attempts(exam),
        scoring=_scoring(exam),
        review=cast("Review", exam.review),
        instructions=exam.instructions,
        format=cast("Format", exam.format),
        namespaces=exam.namespaces,
        sittings=_sittings(exam, user),
        sections=[_section(section) for section in sections],
        items=[_question(question) for question in questions],
        faults=selectors.exam_faults(exam, sections, questions, read),
        warnings=listed_warnings(read),
    )


def _for_student(exam: Exam, user: User) -> ExamForStudent:
    digest = selectors.paper_shown_to(user, exam)
    return ExamForStudent(
        **_listed(exam, questions=given_in(exam)).model_dump(),
        attempts=_attempts(exam),
        scoring=_scoring(exam),
        review=cast("Review", exam.review),
        instructions=exam.instructions,
        format=cast("Format", exam.format),
        sittings=_sittings(exam, user),
        paper=None if digest is None else _paper_for_all(exam, digest),
    )


def _attempts(exam: Exam) -> Attempts:
    return cast("Attempts", exam.attempts)


def _scoring(exam: Exam) -> Scoring:
    policy = exam.scoring
    return Scoring(multiple=policy.multiple.value, negative_total=policy.negative_total)


def _paper_for_all(exam: Exam, digest: str) -> dict[str, Any] | None:
    """Return a paper unless it has pools: of these, no student is shown what was not drawn for them."""
    paper = _paper(exam, digest)
    return None if any("draw" in section for section in paper.get("sections", ())) else paper


def _paper(exam: Exam, digest: str) -> dict[str, Any]:
    """Return a paper by its digest; cached, because its content never changes."""
    return cache.cached(
        "papers", digest, seconds=PAPER_SECONDS, load=lambda: json.loads(bytes(exam.papers.get(digest=digest).body))
    )


def _sittings(exam: Exam, user: User) -> list[SittingShown]:
    return [
        SittingShown(
            id=str(sitting.id),
            name=sitting.name,
            opens_at=sitting.opens_at,
            closes_at=sitting.closes_at,
            duration_seconds=sitting.duration.total_seconds(),
            state=sitting.state,
        )
        for sitting in exam.sittings.visible_to(user)
    ]


def _section(section: Section) -> SectionKept:
    return SectionKept(
        id=section.ident,
        title=section.title,
        instructions=section.instructions,
        draw=section.draw,
        shuffle=section.shuffle,
    )


def _question(question: Question) -> QuestionKept:
    # A setting that cannot be read is listed in the exam's faults.
    settings, _ = read_settings(KindName(question.kind), question.settings)
    return QuestionKept(
        id=question.ident,
        section=question.section.ident if question.section else None,
        shuffle=question.shuffle,
        kind=question.kind,  # type: ignore[arg-type]  # the column's values are those of the literal
        text=question.text,
        format=cast("Format", question.format),
        weight=question.weight,
        image=question.image_id,
        max_choices=question.max_choices,
        value=question.value,
        tolerance=question.tolerance,
        choices=[
            ChoiceKept(
                id=choice.ident,
                text=choice.text,
                image=choice.image_id,
                correct=choice.correct,
                credit=choice.credit,
                target=choice.target,
            )
            for choice in question.choices.all()
        ],
        **{name: stored_value(value) for name, value in settings.items()},  # type: ignore[arg-type]  # as checked
    )


def _visible(user: User, slug: str) -> Exam:
    exam = selectors.exams_visible_to(user).filter(slug=slug).first()
    if exam is None:
        raise Problem(ProblemKind.NOT_FOUND, f"exam {slug!r} not found")
    return exam


def _own(request: HttpRequest, slug: str) -> Exam:
    person = person_of(request)
    return _visible(person.doctor, slug)


def _section_of(exam: Exam, ident: str) -> Section:
    section = exam.sections.filter(ident=ident).first()
    if section is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{exam.slug} has no section {ident!r}")
    return section


def _question_of(exam: Exam, ident: str) -> Question:
    question = exam.questions.filter(ident=ident).first()
    if question is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{exam.slug} has no question {ident!r}")
    return question


def _choice_of(question: Question, ident: str) -> Choice:
    choice = question.choices.filter(ident=ident).first()
    if choice is None:
        raise Problem(ProblemKind.NOT_FOUND, f"question {question.ident} has no choice {ident!r}")
    return choice
