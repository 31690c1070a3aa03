"""The bank in the admin: Doctors read all of it, change their own, and exchange questions with their exams."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from exam_web.bank.models import BankQuestion, Category, Use, Version
from exam_web.bank.services.categories import category_create
from exam_web.bank.services.questions import question_create, version_add
from exam_web.exams.models import Exam

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

CHOICES = [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}]
CONTENT = {"kind": "single", "text": "2 + 2 = ?", "choices": CHOICES}
QUESTIONS = reverse("admin:bank_bankquestion_changelist")
OF_EXAMS = reverse("admin:exams_question_changelist")


@pytest.fixture
def doctor(people) -> Client:
    """The first Doctor's browser."""
    browser = Client()
    browser.force_login(people.doctor)
    return browser


@pytest.fixture
def other(people) -> Client:
    """The second Doctor's browser."""
    browser = Client()
    browser.force_login(people.other_doctor)
    return browser


@pytest.fixture
def maths(people) -> Category:
    """A category."""
    return category_create(slug="maths", name="Mathematics")


@pytest.fixture
def sum_of_two(people, maths: Category) -> BankQuestion:
    """A question of the first Doctor, in two versions."""
    question = question_create(by=people.doctor, ident="sum", category=maths, content=CONTENT).version.question
    version_add(question=question, by=people.doctor, content=CONTENT | {"text": "2 + 3 = ?"}, comment="harder")
    return BankQuestion.objects.get()


def shown(answer: Any) -> str:
    """What a page shows."""
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


def test_a_doctor_takes_a_question_into_an_exam(doctor: Client, algebra: Exam, sum_of_two: BankQuestion) -> None:
    """I select questions of the bank, choose my exam, and it has their newest versions at its end."""
    body = {"action": "take_into_exam", "_selected_action": [sum_of_two.pk]}
    assert "Take into which exam?" in shown(doctor.post(QUESTIONS, body))
    assert not Use.objects.exists()
    done = doctor.post(QUESTIONS, body | {"confirmed": "yes", "exam": algebra.pk}, follow=True)
    assert "Exam algebra-101 has version 2 of sum" in shown(done)
    last = algebra.questions.order_by("position").last()
    assert last is not None
    assert (last.ident, last.text, last.bank_use.version.number) == ("sum", "2 + 3 = ?", 2)
    again = shown(doctor.post(QUESTIONS, body | {"confirmed": "yes", "exam": algebra.pk}, follow=True))
    assert "algebra-101 has version 2 of &#x27;sum&#x27;: update it there, or choose another id" in again


def test_no_doctor_takes_into_anothers_exam(other: Client, algebra: Exam, sum_of_two: BankQuestion) -> None:
    """If I forge another Doctor's exam into the form, nothing is copied."""
    body = {"action": "take_into_exam", "_selected_action": [sum_of_two.pk], "confirmed": "yes", "exam": algebra.pk}
    assert "Select a valid choice" in shown(other.post(QUESTIONS, body))
    assert not Use.objects.exists()


def test_a_doctor_keeps_questions_of_an_exam(doctor: Client, algebra: Exam, maths: Category) -> None:
    """I select questions of my exam and keep them in a category, with ids that begin as I say; again adds nothing."""
    rows = list(algebra.questions.order_by("position")[:3])
    body = {"action": "keep_in_bank", "_selected_action": [row.pk for row in rows]}
    assert "Before ids" in shown(doctor.post(OF_EXAMS, body))
    given = {
        "confirmed": "yes",
        "category": maths.pk,
        "before_ids": "alg-",
        "tags": "Easy, sums",
        "comment": "from 101",
    }
    done = shown(doctor.post(OF_EXAMS, body | given, follow=True))
    assert f"Question {rows[0].ident} is now version 1 of alg-{rows[0].ident}" in done
    kept = BankQuestion.objects.order_by("ident")
    assert [each.ident for each in kept] == sorted(f"alg-{row.ident}" for row in rows)
    assert {(tuple(each.tags), each.author and each.author.username) for each in kept} == {(("easy", "sums"), "noor")}
    again = shown(doctor.post(OF_EXAMS, body | {"confirmed": "yes"}, follow=True))
    assert f"Question {rows[0].ident} is, as before, version 1 of alg-{rows[0].ident}" in again
    assert Version.objects.count() == 3
    more = body | {
        "_selected_action": [row.pk for row in algebra.questions.order_by("position")[3:4]],
        "confirmed": "y",
    }
    assert "is new in the bank: choose its category" in shown(doctor.post(OF_EXAMS, more, follow=True))


def test_versions_are_shown_and_never_edited(doctor: Client, sum_of_two: BankQuestion) -> None:
    """A question's page lists its versions, a version's page shows its content, and neither has a field for it."""
    page = shown(doctor.get(reverse("admin:bank_bankquestion_change", args=[sum_of_two.pk])))
    assert "harder" in page
    version = sum_of_two.versions.get(number=1)
    address = reverse("admin:bank_version_change", args=[version.pk])
    assert "2 + 2 = ?" in shown(doctor.get(address))
    assert doctor.post(address, {"comment": "x"}).status_code == 403
    assert doctor.get(reverse("admin:bank_bankquestion_add")).status_code == 403
    assert doctor.post(reverse("admin:bank_bankquestion_delete", args=[sum_of_two.pk])).status_code == 403


def test_the_author_and_staff_change_category_and_tags(
    people, doctor: Client, other: Client, sum_of_two: BankQuestion
) -> None:
    """I change category and tags of my question, staff of all; another Doctor's is shown to me without a form."""
    sums = category_create(slug="sums", name="Sums", parent="maths")
    address = reverse("admin:bank_bankquestion_change", args=[sum_of_two.pk])
    body = {"category": sums.pk, "tags": "Hard,sums", "versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
    assert other.get(address).status_code == 200
    assert other.post(address, body).status_code == 403
    assert doctor.post(address, body).status_code == 302
    stored = BankQuestion.objects.get()
    assert (stored.category, stored.tags, stored.newest) == (sums, ["hard", "sums"], 2)
    staff = Client()
    staff.force_login(people.admin)
    assert staff.post(address, body | {"tags": "checked"}).status_code == 302
    assert BankQuestion.objects.get().tags == ["checked"]


def test_categories_are_created_by_doctors_and_moved_by_staff(people, doctor: Client, maths: Category) -> None:
    """I create a category within another one; staff rename it, and faults are shown in the form."""
    add = reverse("admin:bank_category_add")
    assert doctor.post(add, {"slug": "sums", "name": "Sums", "parent": maths.pk}).status_code == 302
    assert Category.objects.filter(path="maths/sums").exists()
    assert "already exists" in shown(doctor.post(add, {"slug": "sums", "name": "Sums", "parent": maths.pk}))
    assert "use small letters" in shown(doctor.post(add, {"slug": "Sums!", "name": "Sums"}))
    change = reverse("admin:bank_category_change", args=[maths.pk])
    assert doctor.post(change, {"slug": "m", "name": "M"}).status_code == 403
    staff = Client()
    staff.force_login(people.admin)
    assert staff.post(change, {"slug": "m", "name": "M"}).status_code == 302
    assert list(Category.objects.values_list("path", flat=True)) == ["m", "m/sums"]
    inside = Category.objects.get(path="m/sums")
    assert "cannot be within itself" in shown(staff.post(change, {"slug": "m", "name": "M", "parent": inside.pk}))
