"""Versions of the bank: immutable, compared by digest, stored only without faults."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from exam_core.canonical import digest_of
from exam_core.problems import Problem, ProblemKind
from exam_web.bank.models import BankQuestion, Category, Use, Version
from exam_web.bank.services.categories import category_change, category_create, category_delete
from exam_web.bank.services.questions import question_change, question_create, question_delete, version_add
from exam_web.exams.models import Exam, Question

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

CHOICES = [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}]
CONTENT = {"kind": "single", "text": "2 + 2 = ?", "choices": CHOICES}
TAGS = ["Easy", " sums ", ""]
CHANGES = [
    "UPDATE bank_version SET content = '{}'",
    "UPDATE bank_version SET digest = ''",
    "UPDATE bank_version SET number = 7",
    "UPDATE bank_version SET comment = 'x'",
]


@pytest.fixture
def maths(people) -> Category:
    """A category."""
    return category_create(slug="maths", name="Mathematics")


@pytest.fixture
def sum_of_two(people, maths: Category) -> BankQuestion:
    """A question of the first Doctor, in its first version."""
    stored = question_create(
        by=people.doctor, ident="sum", category=maths, content=CONTENT, tags=["Easy", " sums ", ""]
    )
    return stored.version.question


def refused(call: Callable[[], Any]) -> Problem:
    """Return the problem with which a call is refused."""
    with pytest.raises(Problem) as raised:
        call()
    return raised.value


def test_versions_are_counted_and_an_equal_one_is_not_added(people, sum_of_two: BankQuestion) -> None:
    """If I change my question, version 2 is added with its digest; the same content again adds nothing."""
    assert sum_of_two.tags == ["easy", "sums"]
    changed = CONTENT | {"text": "2 + 3 = ?", "weight": "2.50"}
    added = version_add(question=sum_of_two, by=people.doctor, content=changed, comment="harder")
    assert (added.version.number, added.created) == (2, True)
    # The same in another spelling.
    again = version_add(question=sum_of_two, by=people.doctor, content=changed | {"weight": 2.5, "format": "markdown"})
    assert (again.version.pk, again.created) == (added.version.pk, False)
    back = version_add(question=sum_of_two, by=people.doctor, content=CONTENT)
    assert (back.version.number, back.created) == (3, True)
    stored = list(Version.objects.order_by("number"))
    assert [version.digest for version in stored] == [digest_of(version.content) for version in stored]
    assert stored[0].digest == stored[2].digest != stored[1].digest
    assert BankQuestion.objects.get().text == "2 + 2 = ?"


def test_a_version_never_changes(sum_of_two: BankQuestion) -> None:
    """If any program changes a version, whichever column, the database rejects it."""
    for statement in CHANGES:
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert Version.objects.get().content == CONTENT


def test_a_version_is_deleted_only_with_its_question(people, sum_of_two: BankQuestion) -> None:
    """If any program deletes a version alone, the database rejects it; with the question it is deleted."""
    with transaction.atomic():
        Version.objects.all().delete()
        # As the end of the transaction does.
        with pytest.raises(IntegrityError, match="only with its question"):
            connection.check_constraints()
        transaction.set_rollback(True)
    question_delete(question=sum_of_two, by=people.doctor)
    connection.check_constraints()
    assert not Version.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_webs_role_cannot_change_a_version(postgres, sum_of_two: BankQuestion) -> None:
    """If an attacker has web's password, they change no version and switch no trigger off; others read nothing."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(postgres.dsn(database=name), autocommit=True) as superuser:
        superuser.execute("GRANT USAGE ON SCHEMA public TO exam_web")
        superuser.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON bank_version, bank_bankquestion, bank_versionimage TO exam_web"
        )
    with psycopg.connect(postgres.dsn("exam_web", name), autocommit=True) as web:
        for statement in ("UPDATE bank_version SET comment = 'x'", "DELETE FROM bank_version"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                web.execute(statement.encode())
        for statement in (
            "ALTER TABLE bank_version DISABLE TRIGGER ALL",
            "DROP TRIGGER bank_version_immutable ON bank_version",
            "TRUNCATE bank_version CASCADE",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                web.execute(statement.encode())
        assert web.execute("SELECT comment FROM bank_version").fetchall() == [("",)]
    for role in ("exam_solver", "exam_grader"):
        with psycopg.connect(postgres.dsn(role, name), autocommit=True) as other:
            for table in ("bank_version", "bank_bankquestion", "bank_use"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    other.execute(f"TABLE {table}".encode())
    assert Version.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_versions_are_counted_one_by_one(people, sum_of_two: BankQuestion) -> None:
    """If four programs add versions at the same time, all are stored, and no number is given twice."""
    barrier = Barrier(4)

    def add(n: int) -> int:
        try:
            barrier.wait(20)
            stored = version_add(question=sum_of_two, by=people.doctor, content=CONTENT | {"text": f"{n} + 1 = ?"})
            return stored.version.number
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4), timeout=60)) == [2, 3, 4, 5]
    assert BankQuestion.objects.get().newest == 5


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        (CONTENT | {"choices": CHOICES[1:]}, "content.choices", "choices"),
        (CONTENT | {"text": "$$\\frac{1}$$"}, "content", "has a fault in text"),
        (CONTENT | {"image": "0" * 64}, "content.image", "no image has this digest: upload it first"),
        (CONTENT | {"kind": "riddle"}, "content.kind", "kind is not one of"),
        (CONTENT | {"weight": "heavy"}, "content.weight", "weight"),
    ],
)
def test_content_with_faults_is_not_stored(people, maths: Category, content: dict, where: str, reason: str) -> None:
    """If my question has faults, each is listed with its place, and nothing is stored."""
    problem = refused(lambda: question_create(by=people.doctor, ident="q", category=maths, content=content))
    assert problem.kind is ProblemKind.INVALID
    listed: Any = problem.extra["faults"]
    assert [each for each in listed if each["where"] == where and reason in each["reason"]], listed
    assert not BankQuestion.objects.exists()
    assert not Version.objects.exists()


def test_warnings_are_returned(people, maths: Category) -> None:
    """If my question has what I may not have meant, it is stored, and I am warned."""
    wide = {"kind": "numeric", "text": "?", "accepted": ["*", "3"]}
    stored = question_create(by=people.doctor, ident="q", category=maths, content=wide)
    assert stored.created
    assert stored.warnings


def test_ids_are_unique_in_the_bank(people, sum_of_two: BankQuestion, maths: Category) -> None:
    """If my id is taken, I am shown what to do; two questions never have one."""
    problem = refused(lambda: question_create(by=people.other_doctor, ident="sum", category=maths, content=CONTENT))
    assert problem.kind is ProblemKind.CONFLICT
    assert "choose another id" in problem.detail


def test_the_author_and_staff_change_a_question(people, sum_of_two: BankQuestion) -> None:
    """If a question is another Doctor's, I can neither add versions nor delete it; staff can."""
    for call in (
        lambda: version_add(question=sum_of_two, by=people.other_doctor, content=CONTENT | {"text": "?"}),
        lambda: question_change(question=sum_of_two, by=people.other_doctor, changes={"tags": []}),
        lambda: question_delete(question=sum_of_two, by=people.other_doctor),
    ):
        assert refused(call).kind is ProblemKind.FORBIDDEN
    question_change(question=sum_of_two, by=people.admin, changes={"tags": ["b", "A"]})
    assert BankQuestion.objects.get().tags == ["a", "b"]
    question_delete(question=sum_of_two, by=people.admin)


def test_a_question_that_is_used_is_not_deleted(people, sum_of_two: BankQuestion, algebra: Exam) -> None:
    """If an exam has taken my question, it stays."""
    row = algebra.questions.first()
    assert row is not None
    Use.objects.create(question=row, version=sum_of_two.versions.get())
    problem = refused(lambda: question_delete(question=sum_of_two, by=people.doctor))
    assert problem.kind is ProblemKind.CONFLICT
    assert "used by 1 questions" in problem.detail


def test_an_earlier_release_deletes_questions_that_were_taken(sum_of_two: BankQuestion, algebra: Exam) -> None:
    """If a release without the bank deletes an exam's question that was taken, the database forgets its origin."""
    row = algebra.questions.first()
    assert row is not None
    Use.objects.create(question=row, version=sum_of_two.versions.get())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM exams_choice WHERE question_id = %s", [row.pk])
        cursor.execute("DELETE FROM exams_question WHERE id = %s", [row.pk])
    connection.check_constraints()
    assert not Use.objects.exists()
    assert not Question.objects.filter(pk=row.pk).exists()


def test_paths_follow_their_categories(people, maths: Category) -> None:
    """If I rename or move a category, the paths of all within it follow; none gets within itself."""
    category_create(slug="algebra", name="Algebra", parent="maths")
    linear = category_create(slug="linear", name="Linear", parent="maths/algebra")
    science = category_create(slug="science", name="Science")
    category_create(slug="maths-2", name="Not within maths")
    category_change(category=maths, changes={"slug": "mathematics", "parent": "science"})
    assert list(Category.objects.values_list("path", flat=True)) == [
        "maths-2",
        "science",
        "science/mathematics",
        "science/mathematics/algebra",
        "science/mathematics/algebra/linear",
    ]
    inside = refused(
        lambda: category_change(category=science, changes={"parent": "science/mathematics/algebra/linear"})
    )
    assert "within itself" in inside.detail
    taken = refused(lambda: category_create(slug="linear", name="?", parent="science/mathematics/algebra"))
    assert taken.kind is ProblemKind.CONFLICT
    linear.refresh_from_db()
    category_change(category=linear, changes={"parent": None})
    assert Category.objects.get(pk=linear.pk).path == "linear"


def test_categories_are_not_nested_without_bound(people) -> None:
    """If categories are too deep in each other, I am shown the limit, also when I move a deep one."""
    path = None
    for level in range(8):
        path = category_create(slug=f"c{level}", name="?", parent=path).path
    assert "at most 8" in refused(lambda: category_create(slug="c8", name="?", parent=path)).detail
    category_create(slug="top", name="?")
    whole = Category.objects.get(path="c0")
    assert "at most 8" in refused(lambda: category_change(category=whole, changes={"parent": "top"})).detail


def test_a_category_with_questions_is_not_deleted(people, sum_of_two: BankQuestion, maths: Category) -> None:
    """If a category has questions or categories, it stays."""
    category_create(slug="empty", name="Empty", parent="maths")
    assert refused(lambda: category_delete(category=maths)).kind is ProblemKind.CONFLICT
    category_delete(category=Category.objects.get(path="maths/empty"))
