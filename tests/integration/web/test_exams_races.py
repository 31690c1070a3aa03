"""Concurrent writers: edits are serialised, imports are atomic, freezing sees no partial change."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse

from exam_core.authoring.exam import read_exam
from exam_core.problems import Problem, ProblemKind
from exam_papers.images.acceptance import accept_image
from exam_web.exams import admin
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.schemas import ExamNew, QuestionNew
from exam_web.exams.selectors import exam_authored
from exam_web.exams.services import exam_create, exam_import, exam_touch, question_create
from exam_web.users.models import Doctor, Level

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def document(*, questions: int = 3, choices: int = 3, slug: str = "many", title: str = "Many") -> str:
    """A document of multiple-choice questions."""
    return yaml.safe_dump(
        {
            "exam": slug,
            "title": title,
            "level": "year-1",
            "questions": [
                {
                    "id": f"q{n}",
                    "kind": "multiple",
                    "text": f"{title} {n}",
                    "choices": [{"id": f"c{m}", "text": f"{m}", "correct": m == 0} for m in range(choices)],
                }
                for n in range(questions)
            ],
        }
    )


MANY = {"slug": "many", "title": "Many", "level": "year-1"}


def run_concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Return results or errors of calls started at the same time, each on a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait(20)
            return call()
        except Exception as error:  # noqa: BLE001 - the test checks its type
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(run, call) for call in calls]]


@pytest.fixture
def doctor(people) -> Doctor:
    """The author."""
    return Doctor.objects.get(pk=people.doctor.pk)


def test_concurrently_added_questions_have_distinct_positions(doctor: Doctor) -> None:
    """Eight questions added at the same time get successive positions, and none is lost."""
    exam = exam_create(author=doctor, exam=ExamNew.model_validate(MANY))

    def add(number: int) -> Callable[[], Any]:
        choices = [{"id": f"c{n}", "text": f"{n}"} for n in range(3)]
        question = QuestionNew.model_validate({"id": f"q{number}", "kind": "single", "text": "?", "choices": choices})
        return lambda: question_create(exam=exam, question=question)

    results = run_concurrently(*(add(number) for number in range(8)))
    assert [type(each) for each in results] == [Question] * 8
    assert list(Question.objects.values_list("position", flat=True)) == list(range(8))


def test_concurrent_imports_create_one_exam(people) -> None:
    """Concurrent imports of a document create one exam; the losers get an error and may retry."""
    read = read_exam(document(), accept_image)
    results = run_concurrently(*(lambda: exam_import(document=read, author=None) for _ in range(4)))
    assert {type(each).__name__ for each in results} <= {"Exam", "IntegrityError", "Problem"}
    assert any(isinstance(each, Exam) for each in results)
    assert exam_import(document=read, author=None).questions.count() == 3
    assert (Exam.objects.count(), Choice.objects.count()) == (1, 9)


def test_concurrent_creation_of_one_slug_conflicts(people, log_in) -> None:
    """Two Doctors create an exam of the same name at once: one succeeds, the other gets a conflict."""
    body = {"slug": "sums", "title": "Sums", "level": "year-1"}
    clients = [log_in(people.doctor), log_in(people.other_doctor)]
    answers = run_concurrently(*(lambda client=client: client.send("POST", "/api/exams", body) for client in clients))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused["Content-Type"] == "application/problem+json"


def test_freezing_waits_for_an_edit(doctor: Doctor) -> None:
    """An exam that is being changed is frozen with the whole change."""
    exam = exam_import(document=read_exam(document(title="Old"), accept_image), author=doctor)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"

    def freeze() -> Any:
        try:
            return exam_authored(exam)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            exam_touch(exam=exam)
            exam.questions.filter(ident="q0").update(text="New 0")
            frozen = pool.submit(freeze)
            deadline = time.monotonic() + 20
            with connection.cursor() as cursor:
                while True:
                    cursor.execute(waiting)
                    if cursor.fetchone()[0]:
                        break
                    assert time.monotonic() < deadline
            exam.questions.filter(ident="q1").update(text="New 1")
        authored = frozen.result(20)
    assert [question.text for question in authored.questions] == ["New 0", "New 1", "Old 2"]


def test_a_large_document_is_imported_in_few_statements(people, django_assert_max_num_queries) -> None:
    """Two hundred questions of ten choices need no more statements than two, on first and repeated import."""
    read = read_exam(document(questions=200, choices=10), accept_image)
    with django_assert_max_num_queries(40):
        exam_import(document=read, author=None)
    with django_assert_max_num_queries(40):
        exam_import(document=read, author=None)
    assert (Question.objects.count(), Choice.objects.count()) == (200, 2000)


def test_a_changed_document_keeps_rows_by_id(people) -> None:
    """Questions and choices keep their identity by their ids through reordering, removal and correction."""
    exam_import(document=read_exam(document(questions=4, choices=4), accept_image), author=None)
    rows = dict(Question.objects.values_list("ident", "pk"))
    choices = {(question, ident): pk for question, ident, pk in Choice.objects.values_list("question", "ident", "pk")}
    changed = yaml.safe_load(document(questions=4, choices=4, title="Better"))
    kept = [changed["questions"][n] for n in (3, 1, 0)]
    kept[0]["choices"] = [kept[0]["choices"][n] for n in (2, 0)]
    kept.append(changed["questions"][2] | {"id": "new"})
    exam_import(document=read_exam(yaml.safe_dump(changed | {"questions": kept}), accept_image), author=None)
    assert list(Question.objects.values_list("ident", flat=True)) == ["q3", "q1", "q0", "new"]
    after = dict(Question.objects.values_list("ident", "pk"))
    assert {ident: after[ident] for ident in ("q0", "q1", "q3")} == {ident: rows[ident] for ident in ("q0", "q1", "q3")}
    first = Question.objects.get(ident="q3")
    assert list(first.choices.values_list("ident", flat=True)) == ["c2", "c0"]
    assert [choices[first.pk, choice.ident] for choice in first.choices.all()] == [c.pk for c in first.choices.all()]
    assert not Choice.objects.filter(question_id=rows["q2"]).exists()


def test_an_exam_without_author_can_be_given_one(people, tmp_path) -> None:
    """An exam without an author can be given to a Doctor later, but not taken from one."""
    file = tmp_path / "many.yaml"
    file.write_text(document())
    call_command("load_exam", str(file))
    assert Exam.objects.get().author is None
    call_command("load_exam", str(file), "--author", "noor")
    call_command("load_exam", str(file))
    assert Exam.objects.get().author_id == people.doctor.pk
    with pytest.raises(CommandError, match="another Doctor's"):
        call_command("load_exam", str(file), "--author", "adel")
    with pytest.raises(CommandError, match="Doctor 'sara' does not exist"):
        call_command("load_exam", str(file), "--author", "sara")


def test_a_failed_import_changes_nothing(people, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document is imported completely or not at all."""
    exam_import(document=read_exam(document(title="Old"), accept_image), author=None)
    Level.objects.filter(slug="year-1").update(slug="year-one")
    with pytest.raises(Problem) as refused:
        exam_import(document=read_exam(document(title="New", questions=1), accept_image), author=None)
    assert refused.value.kind is ProblemKind.INVALID
    assert (Exam.objects.get().title, Question.objects.count()) == ("Old", 3)


@pytest.mark.parametrize("taken", [{"ident": "theirs", "position": 3}, {"ident": "mine", "position": 4}])
def test_two_forms_with_the_same_position_or_id_are_no_error_500(
    client, people, doctor: Doctor, monkeypatch, taken
) -> None:
    """If two of us save a question at one position, or with one id, the second one reads that nothing was saved."""
    exam = exam_create(author=doctor, exam=ExamNew.model_validate(MANY))
    client.force_login(people.doctor)

    def touch_late(*, exam: Exam) -> None:
        # The form has been checked, and the exam is not locked yet.
        run_concurrently(lambda: Question.objects.create(exam_id=exam.pk, kind="numeric", text="?", value=1, **taken))
        exam_touch(exam=exam)

    monkeypatch.setattr(admin, "exam_touch", touch_late)
    form = {
        "slug": exam.slug,
        "title": "Another title",
        "level": exam.level_id,
        "attempts": "one",
        "review": "paper",
        "multiple": "all-or-nothing",
        "format": "markdown",
        # A draft would be locked when the form is checked.
        "published": "on",
        "questions-TOTAL_FORMS": 1,
        "questions-INITIAL_FORMS": 0,
        "questions-0-position": 3,
        "questions-0-ident": "mine",
        "questions-0-kind": "numeric",
        "questions-0-text": "2 + 2",
        "questions-0-weight": "1",
    }
    answer = client.post(reverse("admin:exams_exam_change", args=[exam.pk]), form, follow=True)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "nothing was saved" in page
    assert "was changed successfully" not in page
    exam.refresh_from_db()
    assert exam.title == "Many"
    assert list(exam.questions.values_list("ident", "position")) == [(taken["ident"], taken["position"])]
