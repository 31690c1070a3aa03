"""The admin's lists with many rows: constant queries, no large columns, searches by index, bounded actions."""

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from exam_web.bank.models import BankQuestion, Category, Version
from exam_web.degrees.models import Degree
from exam_web.exams.models import Choice, Exam, Image, Question
from exam_web.sittings.models import (
    Accommodation,
    LedgerEntry,
    Paper,
    PaperKey,
    Revision,
    Schedule,
    SealedBucket,
    Sitting,
    SittingPause,
    SolverLease,
)
from exam_web.users.models import Doctor, Level, LoginSession, Revocation, Student, User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LARGE = ('"data"', '"body"', '"points"', '"content"')
"""Columns that no list shows and that may be megabytes: images, papers and keys, points by question, versions."""
LISTED = [
    (Student, "rehearsal-0007"),
    (User, "rehearsal-0007"),
    (Exam, "exam-0007"),
    (Exam, "midterm"),
    (Question, "word"),
    (Question, "exam-0007"),
    (BankQuestion, "question-0007"),
    (BankQuestion, "word"),
    (Sitting, "sitting-0007"),
    (LoginSession, "rehearsal-0007"),
    (Degree, "rehearsal-0007"),
    (Degree, "sitting-0007"),
]


@pytest.fixture
def staff(people) -> Client:
    """An administrator's browser."""
    browser = Client()
    browser.force_login(people.admin)
    return browser


def address(model: type[Model]) -> str:
    """The page with a model's list."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.fixture
def fill(people) -> Callable[[range], None]:
    """Adds one row of each model, or two, for each number; each with related rows of its own."""

    def _fill(numbers: range) -> None:
        now = timezone.now()
        students = Student.objects.bulk_create(
            Student(username=f"rehearsal-{n:05}", kind=User.Kind.STUDENT, level=people.year_1, password="!")
            for n in numbers
        )
        doctors = Doctor.objects.bulk_create(
            Doctor(username=f"author-{n:05}", kind=User.Kind.DOCTOR, password="!") for n in numbers
        )
        exams = Exam.objects.bulk_create(
            Exam(slug=f"exam-{n:05}", title=f"Algebra, midterm {n}", level=people.year_1, author=author)
            for n, author in zip(numbers, doctors, strict=True)
        )
        questions = Question.objects.bulk_create(
            Question(exam=exam, ident="q", position=0, kind="single", text="a long word") for exam in exams
        )
        Choice.objects.bulk_create(Choice(question=question, ident="a", position=0) for question in questions)
        categories = Category.objects.bulk_create(
            Category(slug=f"subject-{n:05}", name="Subject", path=f"subject-{n:05}") for n in numbers
        )
        kept = BankQuestion.objects.bulk_create(
            BankQuestion(
                ident=f"question-{n:05}", category=category, author=author, newest=1, kind="single", text="a long word"
            )
            for n, category, author in zip(numbers, categories, doctors, strict=True)
        )
        Version.objects.bulk_create(Version(question=row, number=1, content={}, author=row.author) for row in kept)
        Image.objects.bulk_create(
            Image(sha256=f"image {n}", content_type="image/png", width=1, height=1, data=bytes(1000)) for n in numbers
        )
        papers = Paper.objects.bulk_create(
            Paper(digest=f"paper {exam.slug}", exam=exam, source=exam.slug, body=bytes(1000)) for exam in exams
        )
        keys = PaperKey.objects.bulk_create(
            PaperKey(digest=f"key {paper.digest}", paper=paper, body=bytes(1000)) for paper in papers
        )
        sittings = Sitting.objects.bulk_create(
            Sitting(
                name=f"sitting-{n:05}",
                exam=key.paper.exam,
                paper=key.paper,
                key=key,
                level=people.year_1,
                epoch=1,
                opens_at=now + timedelta(hours=1),
                closes_at=now + timedelta(hours=2),
                duration=timedelta(hours=1),
                buckets=1,
                candidates=1,
            )
            for n, key in zip(numbers, keys, strict=True)
        )
        revisions = Revision.objects.bulk_create(
            Revision(sitting=sitting, number=1, key=sitting.key, policy={}, policy_digest="", chunks=1)
            for sitting in sittings
        )
        LedgerEntry.objects.bulk_create(LedgerEntry(revision=row, chunk=0, degrees=1) for row in revisions)
        SealedBucket.objects.bulk_create(
            SealedBucket(sitting=row, bucket=0, answers=1, students=1, digest="") for row in sittings
        )
        SolverLease.objects.bulk_create(
            SolverLease(holder=uuid4(), renewed_at=now, ttl=timedelta(seconds=5), drained_epoch=1) for _ in numbers
        )
        SittingPause.objects.bulk_create(SittingPause(sitting=row, began_at=now) for row in sittings)
        rows = list(zip(students, sittings, revisions, strict=True))
        Accommodation.objects.bulk_create(
            Accommodation(student=student, sitting=sitting, extra=timedelta(minutes=5)) for student, sitting, _ in rows
        )
        Degree.objects.bulk_create(
            Degree(revision=revision, student=student, total=1, maximum=1, points=["1"], answered=1)
            for student, _, revision in rows
        )
        LoginSession.objects.bulk_create(
            LoginSession(user=student, current=uuid4(), expires_at=now + timedelta(days=1)) for student in students
        )
        Revocation.objects.bulk_create(
            Revocation(kind=Revocation.Kind.SUBJECT, value=str(row.pk), before=now, expires_at=now + timedelta(days=1))
            for row in students
        )

    return _fill


def queries(browser: Client, model: type[Model], search: str = "") -> list[str]:
    """What a model's list reads of PostgreSQL."""
    with CaptureQueriesContext(connection) as captured:
        answer = browser.get(address(model), {"q": search} if search else {})
    assert answer.status_code == 200
    assert answer.context["cl"].result_count > 0, f"{model.__name__} lists nothing"
    return [query["sql"] for query in captured]


def listed_models() -> list[type[Model]]:
    """The models of the platform of which there may be many rows."""
    return [
        model
        for model in admin.site._registry
        if model.__module__.startswith("exam_web.") and model not in {Level, Schedule}
    ]


def test_lists_of_100_and_of_1000_rows_take_the_same_queries(staff, fill) -> None:
    """However many rows a list shows and has, it takes the same queries, and reads no images, papers or points."""
    counts: list[dict[str, int]] = []
    for numbers in (range(3), range(3, 100), range(100, 1000)):
        fill(numbers)
        read = {model.__name__: queries(staff, model) for model in listed_models()}
        counts.append({name: len(statements) for name, statements in read.items()})
        large = {name: sql for name, statements in read.items() for sql in statements if any(c in sql for c in LARGE)}
        assert large == {}
    assert len(counts[0]) >= 18
    assert counts[0] == counts[1] == counts[2]


def conditions(kind: str, plan: str) -> set[str]:
    """What a plan searches in, in conditions of a kind."""
    lines = re.findall(rf"^ *{kind}: (.*)$", plan, re.MULTILINE)
    return {found for line in lines for found in re.findall(r"upper\(\(\w+\)|to_tsvector\([^@]*", line)}


@pytest.mark.parametrize(("model", "search"), LISTED)
def test_searches_use_indexes(staff, fill, model, search) -> None:
    """A search reads no table from its beginning to its end: PostgreSQL has an index for each of its conditions."""
    fill(range(60, 100))
    reading = [sql for sql in queries(staff, model, search) if "UPPER(" in sql]
    assert reading
    with connection.cursor() as cursor:
        # Without these, PostgreSQL reads a small table by any of its indexes, as its statistics happen to suggest.
        for scan in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{scan} = off")
        for sql in reading:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert re.findall(r"_begins|_words", plan), plan
            # An index scan compares what the index found once more, as its filter.
            assert conditions("Filter", plan) <= conditions("Index Cond", plan), plan


def test_every_list_may_be_searched(staff, fill) -> None:
    """A search in the address of a list without a search field shows the list."""
    fill(range(1))
    for model in admin.site._registry:
        assert staff.get(address(model), {"q": "x y"}).status_code == 200, model


def test_a_search_finds_words_of_a_title(staff, fill) -> None:
    """Words at any place of a title are found, in any case; each word of the search must be found."""
    fill(range(3))
    for search, count in (
        ("midterm", 3),
        ("ALG mid", 3),
        ("midterm 2", 1),
        ('"midterm 2"', 1),
        ("term", 0),
        ("exam-00001", 1),
    ):
        assert staff.get(address(Exam), {"q": search}).context["cl"].result_count == count, search
    for search in ("'", "a:*", "\\", "a & b", '"'):
        assert staff.get(address(Exam), {"q": search}).status_code == 200, search


def test_a_search_finds_the_beginnings_of_names(staff, people, fill) -> None:
    """People are found by the beginning of a username or a name."""
    fill(range(3))
    User.objects.filter(pk=people.student.pk).update(first_name="Sara", last_name="Ali", email="sa@example.org")
    for search, count in (("REHEARSAL-0000", 3), ("sara ali", 1), ("ali", 1), ("sa@", 1), ("hearsal", 0)):
        assert staff.get(address(Student), {"q": search}).context["cl"].result_count == count, search


def test_an_action_for_1200_people_is_carried_out(staff, people) -> None:
    """1,200 selected accounts are disabled, and deleted after a confirmation that names them all."""
    Student.objects.bulk_create(
        Student(username=f"rehearsal-{n:05}", kind=User.Kind.STUDENT, level=people.year_1) for n in range(1200)
    )
    selected = list(Student.objects.filter(username__startswith="rehearsal-").values_list("pk", flat=True))
    some = {"_selected_action": selected[:100], "select_across": "1", "index": "0"}
    found = f"{address(Student)}?q=rehearsal-"
    assert staff.post(found, some | {"action": "disable"}).status_code == 302
    assert Student.objects.filter(is_active=False).count() == 1200
    confirmation = staff.post(found, some | {"action": "delete_selected"})
    posted = re.findall(r'name="_selected_action" value="(\d+)"', confirmation.content.decode())
    assert len(posted) == 1200
    answer = staff.post(found, {"action": "delete_selected", "post": "yes", "_selected_action": posted})
    assert answer.status_code == 302
    assert not Student.objects.filter(pk__in=selected).exists()


def test_an_action_for_too_many_rows_says_so(staff, people) -> None:
    """An action for all rows of a longer list changes none, and says how many are possible."""
    Student.objects.bulk_create(
        Student(username=f"rehearsal-{n:05}", kind=User.Kind.STUDENT, level=people.year_1) for n in range(5_001)
    )
    body = {"action": "disable", "_selected_action": [people.student.pk], "select_across": "1", "index": "0"}
    answer = staff.post(f"{address(Student)}?q=rehearsal-", body, follow=True)
    assert "5001 rows are selected, and an action changes at most 5000: filter or search" in answer.content.decode()
    assert not Student.objects.filter(is_active=False).exists()


def test_searches_do_not_count_the_whole_table() -> None:
    """A search counts what it finds, not all rows, in every list; so does that of a model that is added."""
    counting = [model.__name__ for model in listed_models() if admin.site._registry[model].show_full_result_count]
    assert counting == []
