"""Queries of the bank, and of the exams that use it."""

from dataclasses import dataclass

from django.db.models import F, Q, QuerySet

from exam_core.problems import Problem, ProblemKind
from exam_web.bank.content import digest_of_row
from exam_web.bank.models import BankQuestion, Category, Use, Version
from exam_web.exams.models import Exam
from exam_web.exams.selectors import questions_of
from exam_web.users.models import User


def category_named(path: str) -> Category:
    """Return the category at a path.

    Raises:
        Problem: NOT_FOUND.
    """
    category = Category.objects.filter(path=path).first()
    if category is None:
        raise Problem(ProblemKind.NOT_FOUND, f"category {path!r} not found")
    return category


def question_named(ident: str) -> BankQuestion:
    """Return a question of the bank.

    Raises:
        Problem: NOT_FOUND.
    """
    question = BankQuestion.objects.select_related("category", "author").filter(ident=ident).first()
    if question is None:
        raise Problem(ProblemKind.NOT_FOUND, f"the bank has no question {ident!r}")
    return question


def version_of(question: BankQuestion, number: int | None = None) -> Version:
    """Return a version of a question by its number, or the newest one.

    Raises:
        Problem: NOT_FOUND.
    """
    versions = question.versions.select_related("author")
    version = (versions.order_by("-number") if number is None else versions.filter(number=number)).first()
    if version is None:
        raise Problem(
            ProblemKind.NOT_FOUND, f"{question.ident!r} has no version {number}: the newest is {question.newest}"
        )
    return version


def questions_found(
    *,
    category: str | None = None,
    tag: str | None = None,
    kind: str | None = None,
    text: str | None = None,
    author: str | None = None,
) -> QuerySet[BankQuestion]:
    """Return the questions that satisfy every given condition, in the order of their ids.

    Args:
        category: the path of a category; questions of categories within it are found as well.
        tag: a tag, in any case.
        kind: the kind of the newest version.
        text: a part of the newest version's text, in any case.
        author: a user name.

    Raises:
        Problem: NOT_FOUND when the category or the author does not exist.
    """
    found = BankQuestion.objects.select_related("category", "author").order_by("ident")
    if category is not None:
        path = category_named(category).path
        found = found.filter(Q(category__path=path) | Q(category__path__startswith=f"{path}/"))
    if tag is not None:
        found = found.filter(tags__contains=[tag.strip().lower()])
    if kind is not None:
        found = found.filter(kind=kind)
    if text is not None:
        found = found.filter(text__icontains=text)
    if author is not None:
        user = User.objects.named(author)
        if user is None:
            raise Problem(ProblemKind.NOT_FOUND, f"there is no user {author!r}")
        found = found.filter(author_id=user.pk)
    return found


def uses_of(exam: Exam) -> QuerySet[Use]:
    """Return what an exam has taken from the bank, in the exam's order."""
    rows = Use.objects.filter(question__exam=exam).select_related("question", "version__question")
    return rows.defer("version__content").order_by("question__position")


def outdated(exam: Exam) -> QuerySet[Use]:
    """Return what an exam has taken of which the bank has a newer version."""
    return uses_of(exam).filter(version__number__lt=F("version__question__newest"))


@dataclass(frozen=True, slots=True, kw_only=True)
class UseState:
    """What an exam has taken, and whether its content in the exam is another one than the version's."""

    use: Use
    edited: bool

    @property
    def newer(self) -> int | None:
        """The number of the newest version, if the exam has an older one."""
        newest = self.use.version.question.newest
        return newest if newest > self.use.version.number else None


def use_states(exam: Exam) -> list[UseState]:
    """Return what an exam has taken, with its state; it takes the same queries however much that is."""
    uses = list(uses_of(exam))
    rows = {row.pk: row for row in questions_of(exam).filter(bank_use__isnull=False)}
    return [
        UseState(use=use, edited=digest_of_row(rows[use.pk], rows[use.pk].choices.all()) != use.version.digest)
        for use in uses
        if use.pk in rows
    ]
