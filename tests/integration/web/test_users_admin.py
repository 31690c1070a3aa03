"""The admin: every page works, and a Doctor sees and changes only their own exams."""

import io

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from PIL import Image as Pillow

from exam_web.exams.models import Choice, Exam, Image, Question
from exam_web.sittings.models import Sitting
from exam_web.users.models import LoginSession, Revocation, User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
APPS = ("users", "exams", "sittings", "degrees")


@pytest.fixture
def staff(people) -> Client:
    """An administrator's browser."""
    browser = Client()
    browser.force_login(people.admin)
    return browser


@pytest.fixture
def noor(people) -> Client:
    """The browser of the Doctor who wrote algebra."""
    browser = Client()
    browser.force_login(people.doctor)
    return browser


@pytest.fixture
def adel(people) -> Client:
    """The browser of a Doctor who wrote nothing."""
    browser = Client()
    browser.force_login(people.other_doctor)
    return browser


def admin_url(model: type[Model], page: str, *arguments: object) -> str:
    """URL of a page of the admin."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def png() -> SimpleUploadedFile:
    """An image as a browser uploads it."""
    out = io.BytesIO()
    Pillow.new("RGB", (4, 4), "red").save(out, "PNG")
    return SimpleUploadedFile("x.svg", out.getvalue(), content_type="image/svg+xml")


def question_form(question: Question, **more: object) -> dict[str, object]:
    """The form of a question's page, its choices unchanged."""
    choices = list(question.choices.all())
    form: dict[str, object] = {
        "exam": question.exam_id,
        "ident": question.ident,
        "position": question.position,
        "kind": question.kind,
        "text": question.text,
        "format": question.format,
        "weight": question.weight,
        "tolerance": question.tolerance,
        "choices-TOTAL_FORMS": len(choices),
        "choices-INITIAL_FORMS": len(choices),
    }
    for n, choice in enumerate(choices):
        form |= {
            f"choices-{n}-id": choice.pk,
            f"choices-{n}-question": question.pk,
            f"choices-{n}-position": choice.position,
            f"choices-{n}-ident": choice.ident,
            f"choices-{n}-text": choice.text,
        }
        if choice.correct:
            form[f"choices-{n}-correct"] = "on"
    return form | more


def test_every_model_has_working_pages(staff, people, log_in, provision) -> None:
    """An administrator can open the list, some rows and the add form of each model."""
    provision()
    log_in(people.student)
    models = [model for model in admin.site._registry if model._meta.app_label in APPS]
    assert len(models) >= 20
    for model in models:
        assert staff.get(admin_url(model, "changelist")).status_code == 200, model
        for row in model._default_manager.all()[:3]:
            assert staff.get(admin_url(model, "change", row.pk)).status_code == 200, model
        assert staff.get(admin_url(model, "add")).status_code in {200, 403}, model


def test_models_written_by_services_are_read_only(staff, people, provision) -> None:
    """Sessions, revocations and images cannot be added in the admin, and a frozen sitting cannot be edited."""
    sitting = provision()
    for model in (LoginSession, Revocation, Image, Sitting):
        assert staff.get(admin_url(model, "add")).status_code == 403, model
    assert staff.post(admin_url(Sitting, "change", sitting.pk), {"name": "other"}).status_code == 403


def test_students_cannot_log_in_to_the_admin(people) -> None:
    """A student's login at the admin is rejected."""
    browser = Client()
    answer = browser.post("/admin/login/", {"username": "sara", "password": PASSWORD})
    assert "correct username and password for a staff account" in answer.content.decode()
    assert browser.get("/admin/").status_code == 302


def test_a_doctor_creates_an_exam_in_the_admin(adel, people) -> None:
    """A Doctor creates an exam with a question in the admin and becomes its author."""
    form = {
        "slug": "sums",
        "title": "Sums",
        "instructions": "",
        "attempts": "one",
        "multiple": "all-or-nothing",
        "review": "paper",
        "format": "markdown",
        "level": people.year_1.pk,
        "author": people.doctor.pk,
        "sections-TOTAL_FORMS": 0,
        "sections-INITIAL_FORMS": 0,
        "questions-TOTAL_FORMS": 1,
        "questions-INITIAL_FORMS": 0,
        "questions-0-position": 0,
        "questions-0-ident": "q1",
        "questions-0-kind": "numeric",
        "questions-0-text": "2 + 2",
        "questions-0-weight": "1",
    }
    answer = adel.post(admin_url(Exam, "add"), form)
    assert answer.status_code == 302, answer.context["errors"]
    exam = Exam.objects.get()
    assert exam.author_id == people.other_doctor.pk
    page = adel.get(admin_url(Exam, "change", exam.pk)).content.decode()
    assert "question q1 has no key: a numeric question needs a value" in page


def test_a_doctor_sees_only_own_exams_in_the_admin(noor, adel, algebra) -> None:
    """Another Doctor's exams, questions and choices are in no list, on no page and in no filter."""
    question, choice = Question.objects.filter(kind="single").first(), Choice.objects.first()
    assert question is not None
    assert choice is not None
    for model, row in ((Exam, algebra), (Question, question), (Choice, choice)):
        assert noor.get(admin_url(model, "change", row.pk)).status_code == 200, model
        assert adel.get(admin_url(model, "change", row.pk)).status_code == 302, model
        assert noor.get(admin_url(model, "changelist")).context["cl"].result_count > 0, model
        listed = adel.get(admin_url(model, "changelist"))
        assert listed.context["cl"].result_count == 0, model
        assert algebra.title not in listed.content.decode(), model
        body = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        adel.post(admin_url(model, "changelist"), body)
        adel.post(admin_url(model, "delete", row.pk), {"post": "yes"})
        assert model.objects.filter(pk=row.pk).exists(), model


def test_a_doctor_sees_only_own_sittings_in_the_admin(noor, adel, provision) -> None:
    """Sittings of another Doctor's exams are not listed."""
    sitting = provision("algebra-in-may")
    assert sitting.name in noor.get(admin_url(Sitting, "changelist")).content.decode()
    assert sitting.name not in adel.get(admin_url(Sitting, "changelist")).content.decode()


def test_a_doctor_cannot_extend_anothers_exam(adel, people, algebra) -> None:
    """A form that refers to another Doctor's exam or question is rejected, even if the page did not offer it."""
    question = Question.objects.filter(kind="single").first()
    assert question is not None
    before = Question.objects.count(), Choice.objects.count()
    form = question_form(question, ident="planted", position=99)
    assert "Select a valid choice" in adel.post(admin_url(Question, "add"), form).content.decode()
    choice = {"question": question.pk, "position": 99, "ident": "zz", "text": "planted", "correct": "on"}
    answer = adel.post(admin_url(Choice, "add"), choice)
    assert "Select a valid choice" in answer.content.decode()
    assert (Question.objects.count(), Choice.objects.count()) == before


def test_a_doctor_cannot_change_the_author(noor, people, algebra) -> None:
    """The author is not a field of a Doctor's form."""
    assert b'name="author"' not in noor.get(admin_url(Exam, "change", algebra.pk)).content


def test_an_image_is_uploaded_on_its_questions_page(noor, algebra) -> None:
    """The type of an uploaded image is detected by content, not by the name that the browser sends."""
    question = Question.objects.filter(kind="single", image=None).first()
    assert question is not None
    answer = noor.post(admin_url(Question, "change", question.pk), question_form(question, upload=png()))
    assert answer.status_code == 302, answer.context["errors"]
    image = Question.objects.get(pk=question.pk).image
    assert image is not None
    assert image.content_type == "image/png"


def test_an_invalid_image_is_a_form_error(noor, algebra) -> None:
    """An upload that is not an image is an error of its field."""
    question = Question.objects.filter(kind="single", image=None).first()
    assert question is not None
    script = SimpleUploadedFile("x.png", b"<svg onload='alert(1)'/>", content_type="image/png")
    answer = noor.post(admin_url(Question, "change", question.pk), question_form(question, upload=script))
    assert "not a PNG" in answer.content.decode()


def test_admin_changes_invalidate_lists(noor, people, log_in, algebra, django_capture_on_commit_callbacks) -> None:
    """A title that was changed in the admin shows in the students' list at once, although lists are cached."""
    student = log_in(people.student)
    assert student.get("/api/exams").json()["results"][0]["title"] == algebra.title
    form = {
        "slug": algebra.slug,
        "title": "Another title",
        "instructions": algebra.instructions,
        "attempts": "one",
        "multiple": "all-or-nothing",
        "review": "paper",
        "format": "markdown",
        "level": algebra.level_id,
        "published": "on",
        "sections-TOTAL_FORMS": 0,
        "sections-INITIAL_FORMS": 0,
        "questions-TOTAL_FORMS": 0,
        "questions-INITIAL_FORMS": 0,
    }
    with django_capture_on_commit_callbacks(execute=True):
        assert noor.post(admin_url(Exam, "change", algebra.pk), form).status_code == 302
    assert student.get("/api/exams").json()["results"][0]["title"] == "Another title"
    with django_capture_on_commit_callbacks(execute=True):
        body = {"action": "delete_selected", "_selected_action": [algebra.pk], "post": "yes"}
        noor.post(admin_url(Exam, "changelist"), body)
    assert student.get("/api/exams").json()["count"] == 0


def test_a_new_doctor_can_use_the_admin(staff, people) -> None:
    """A Doctor's account created in the admin needs no further permissions to write exams."""
    form = {
        "username": "gauss",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "kind": "doctor",
    }
    answer = staff.post(admin_url(User, "add"), form)
    assert answer.status_code == 302, answer.context["errors"]
    browser = Client()
    assert browser.login(username="gauss", password=PASSWORD)
    assert browser.get(admin_url(Exam, "add")).status_code == 200
    assert browser.get(admin_url(User, "changelist")).status_code == 403


def test_deleting_a_login_revokes_it(staff, people, log_in) -> None:
    """If an administrator deletes a login, its tokens are revoked everywhere."""
    student = log_in(people.student)
    session = LoginSession.objects.get()
    assert staff.post(admin_url(LoginSession, "delete", session.pk), {"post": "yes"}).status_code == 302
    assert Revocation.objects.get().value == str(session.pk)
    assert student.get("/api/me").status_code == 401
