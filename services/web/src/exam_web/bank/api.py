"""The bank's API, for Doctors and staff: each operation validates the request and calls one service or selector."""

from typing import Any, cast

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from exam_core.problems import Problem, ProblemKind
from exam_web.bank import selectors
from exam_web.bank.models import BankQuestion, Category, Use, Version, VersionImage
from exam_web.bank.permissions import check_permission, check_read
from exam_web.bank.schemas import (
    SHOWN_TEXT,
    BankQuestionChange,
    BankQuestionKept,
    BankQuestionListed,
    BankQuestionNew,
    BankQuestionPage,
    CategoryChange,
    CategoryKept,
    CategoryNew,
    CategoryPage,
    Found,
    KeepNew,
    TakeNew,
    UseChange,
    UseListed,
    UseShown,
    VersionKept,
    VersionListed,
    VersionNew,
    VersionStored,
)
from exam_web.bank.services import categories, questions, uses
from exam_web.bank.services.questions import Stored
from exam_web.exams.models import Exam, Question
from exam_web.exams.selectors import exams_visible_to
from exam_web.http.paging import Paging, page_of
from exam_web.users.authentication import PersonAuth, person_of
from exam_web.users.models import User

router = Router(tags=["bank"], auth=PersonAuth())


@router.get("/bank/categories", response=CategoryPage)
def category_list(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """List the categories in the order of their paths."""
    _reader(request)
    rows = Category.objects.annotate(question_count=Count("questions")).order_by("path")
    return page_of(rows, paging, lambda row: _category(row, questions=cast("Any", row).question_count))


@router.post("/bank/categories", response={201: CategoryKept})
def category_create(request: HttpRequest, body: CategoryNew) -> Status[CategoryKept]:
    """Create a category, also within another one."""
    check_permission(_reader(request), "bank.add_category")
    return Status(201, _category(categories.category_create(**body.model_dump()), questions=0))


@router.patch("/bank/categories/{path:path}", response=CategoryKept)
def category_update(request: HttpRequest, path: str, body: CategoryChange) -> CategoryKept:
    """Rename or move a category with all that is in it; staff with the permission."""
    check_permission(_reader(request), "bank.change_category")
    changes = {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if name == "parent" or value is not None
    }
    category = categories.category_change(category=selectors.category_named(path), changes=changes)
    return _category(category, questions=category.questions.count())


@router.delete("/bank/categories/{path:path}", response={204: None})
def category_delete(request: HttpRequest, path: str) -> Status[None]:
    """Delete an empty category; staff with the permission."""
    check_permission(_reader(request), "bank.delete_category")
    categories.category_delete(category=selectors.category_named(path))
    return Status(204, None)


@router.get("/bank/questions", response=BankQuestionPage)
def question_list(request: HttpRequest, found: Query[Found], paging: Query[Paging]) -> dict[str, Any]:
    """List the questions of the bank by category, tag, kind, text and author, in the order of their ids."""
    _reader(request)
    return page_of(selectors.questions_found(**found.model_dump()), paging, _listed)


@router.post("/bank/questions", response={201: VersionStored})
def question_create(request: HttpRequest, body: BankQuestionNew) -> Status[VersionStored]:
    """Put a question into the bank as version 1."""
    user = _reader(request)
    check_permission(user, "bank.add_bankquestion")
    stored = questions.question_create(
        by=user,
        ident=body.id,
        category=selectors.category_named(body.category),
        tags=body.tags,
        content=body.content,
        comment=body.comment,
    )
    return Status(201, _stored(stored))


@router.get("/bank/questions/{ident}", response=BankQuestionKept)
def question_retrieve(request: HttpRequest, ident: str) -> BankQuestionKept:
    """Get a question with its versions and the content of the newest one, with its key."""
    _reader(request)
    question = selectors.question_named(ident)
    versions = question.versions.select_related("author").defer("content").order_by("number")
    return BankQuestionKept(
        **_listed(question).model_dump(exclude={"text"}),
        text=question.text,
        versions=[_version(version) for version in versions],
        content=selectors.version_of(question).content,
    )


@router.patch("/bank/questions/{ident}", response=BankQuestionListed)
def question_update(request: HttpRequest, ident: str, body: BankQuestionChange) -> BankQuestionListed:
    """Change the category and the tags of your question."""
    user = _reader(request)
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if "category" in changes:
        changes["category"] = selectors.category_named(changes["category"])
    return _listed(questions.question_change(question=selectors.question_named(ident), by=user, changes=changes))


@router.delete("/bank/questions/{ident}", response={204: None})
def question_delete(request: HttpRequest, ident: str) -> Status[None]:
    """Delete your question with its versions, if no exam uses it."""
    user = _reader(request)
    questions.question_delete(question=selectors.question_named(ident), by=user)
    return Status(204, None)


@router.post("/bank/questions/{ident}/versions", response={200: VersionStored, 201: VersionStored})
def version_create(request: HttpRequest, ident: str, body: VersionNew) -> Status[VersionStored]:
    """Add a version to your question; 200 and none is added if the newest one has the same content."""
    user = _reader(request)
    question = selectors.question_named(ident)
    stored = questions.version_add(question=question, by=user, content=body.content, comment=body.comment)
    return Status(201 if stored.created else 200, _stored(stored))


@router.get("/bank/questions/{ident}/versions/{int:number}", response=VersionKept)
def version_retrieve(request: HttpRequest, ident: str, number: int) -> VersionKept:
    """Get a version with its key; it never changes."""
    _reader(request)
    question = selectors.question_named(ident)
    version = selectors.version_of(question, number)
    return VersionKept(**_version(version).model_dump(), question=ident, content=version.content)


@router.get("/bank/questions/{ident}/images/{sha256}")
def image_retrieve(request: HttpRequest, ident: str, sha256: str) -> HttpResponse:
    """Get an image of any version of a question."""
    _reader(request)
    shown = VersionImage.objects.filter(version__question__ident=ident, image_id=sha256).select_related("image").first()
    if shown is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{ident} has no image {sha256!r}")
    image = shown.image
    return HttpResponse(
        bytes(image.data), content_type=image.content_type, headers={"X-Content-Type-Options": "nosniff"}
    )


@router.get("/bank/exams/{slug}/uses", response=list[UseListed])
def use_list(request: HttpRequest, slug: str) -> list[UseListed]:
    """List what your exam has taken from the bank, and of which questions a newer version exists."""
    exam = _exam(request, slug)
    return [UseListed(**_use(state.use).model_dump(), edited=state.edited) for state in selectors.use_states(exam)]


@router.post("/bank/exams/{slug}/take", response={201: UseShown})
def use_create(request: HttpRequest, slug: str, body: TakeNew) -> Status[UseShown]:
    """Copy a version into your exam; papers that were frozen before stay as they are."""
    exam = _exam(request, slug)
    version = selectors.version_of(selectors.question_named(body.question), body.version)
    return Status(201, _use(uses.take(version=version, exam=exam, ident=body.id, position=body.position)))


@router.post("/bank/exams/{slug}/keep", response={200: VersionStored, 201: VersionStored})
def question_keep(request: HttpRequest, slug: str, body: KeepNew) -> Status[VersionStored]:
    """Keep a question of your exam; 200 and nothing is added if the bank has its content already."""
    exam = _exam(request, slug)
    check_permission(person_of(request).user, "bank.add_bankquestion")
    stored = uses.keep(
        question=_question_of(exam, body.question),
        by=person_of(request).user,
        category=None if body.category is None else selectors.category_named(body.category),
        ident=body.id,
        tags=body.tags,
        comment=body.comment,
    )
    return Status(201 if stored.created else 200, _stored(stored))


@router.post("/bank/exams/{slug}/uses/{ident}/update", response=UseShown)
def use_update(request: HttpRequest, slug: str, ident: str, body: UseChange) -> UseShown:
    """Replace a question of your exam by the newest version of its origin."""
    row = _question_of(_exam(request, slug), ident)
    use = Use.objects.select_related("question__exam", "version__question").filter(pk=row.pk).first()
    if use is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{slug}: {ident!r} was not taken from the bank")
    return _use(uses.update(use=use, overwrite=body.overwrite))


def _reader(request: HttpRequest) -> User:
    user = person_of(request).user
    check_read(user)
    return user


def _exam(request: HttpRequest, slug: str) -> Exam:
    """Return an exam that the user may change: an own one, and for staff by permission."""
    user = _reader(request)
    exam = exams_visible_to(user).filter(slug=slug).first()
    if exam is None:
        raise Problem(ProblemKind.NOT_FOUND, f"exam {slug!r} not found")
    check_permission(user, "exams.change_question")
    return exam


def _question_of(exam: Exam, ident: str) -> Question:
    question = exam.questions.select_related("exam").filter(ident=ident).first()
    if question is None:
        raise Problem(ProblemKind.NOT_FOUND, f"{exam.slug} has no question {ident!r}")
    return question


def _category(category: Category, *, questions: int) -> CategoryKept:
    return CategoryKept(path=category.path, name=category.name, questions=questions)


def _listed(question: BankQuestion) -> BankQuestionListed:
    return BankQuestionListed(
        id=question.ident,
        category=question.category.path,
        tags=question.tags,
        author=question.author.username if question.author else None,
        kind=question.kind,  # type: ignore[arg-type]  # the column's values are those of the literal
        text=question.text[:SHOWN_TEXT],
        newest=question.newest,
        created_at=question.created_at,
    )


def _version(version: Version) -> VersionListed:
    return VersionListed(
        number=version.number,
        digest=version.digest,
        author=version.author.username if version.author else None,
        comment=version.comment,
        created_at=version.created_at,
    )


def _stored(stored: Stored) -> VersionStored:
    version = stored.version
    return VersionStored(
        **_version(version).model_dump(),
        question=version.question.ident,
        content=version.content,
        created=stored.created,
        warnings=list(stored.warnings),
    )


def _use(use: Use) -> UseShown:
    origin, number = use.version.question, use.version.number
    newer = origin.newest if origin.newest > number else None
    return UseShown(id=use.question.ident, question=origin.ident, version=number, newer=newer)
