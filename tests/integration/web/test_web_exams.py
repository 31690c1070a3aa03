"""The exams API: permissions, visibility, validation and import."""

import base64
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from PIL import Image as Pillow

from exam_core.authoring.exam import read_exam
from exam_core.problems import Problem
from exam_harness.environments.processes.paths import REPOSITORY
from exam_papers.images.acceptance import MAX_BYTES, accept_image
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.services import exam_import
from exam_web.sittings.models import Sitting
from exam_web.users.models import Level

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SAMPLES = REPOSITORY / "k8s/samples/papers"
SINGLE: dict[str, Any] = {
    "id": "q1",
    "kind": "single",
    "text": "2 + 2",
    "choices": [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}],
}


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Pillow.new("RGB", size, "white").save(out, kind)
    return out.getvalue()


def test_a_doctor_creates_edits_and_deletes_an_exam(log_in, people) -> None:
    """A Doctor creates an exam, adds, changes and deletes questions and choices, and deletes the exam."""
    doctor = log_in(people.doctor)
    made = doctor.send("POST", "/api/exams", {"slug": "sums", "title": "Sums", "level": "year-1"})
    assert made.status_code == 201
    assert doctor.send("POST", "/api/exams/sums/questions", SINGLE).status_code == 201
    numeric = {"id": "q2", "kind": "numeric", "text": "pi to 2 places", "value": "3.14", "weight": "2.5"}
    assert doctor.send("POST", "/api/exams/sums/questions", numeric).status_code == 201
    more = doctor.send("POST", "/api/exams/sums/questions/q1/choices", {"id": "c", "text": "22"})
    assert [choice["id"] for choice in more.json()["choices"]] == ["a", "b", "c"]
    assert doctor.send("PUT", "/api/exams/sums/questions/q1/choices/c", {"text": "twenty-two"}).status_code == 200
    assert doctor.send("PATCH", "/api/exams/sums", {"title": "Sums and more"}).json()["title"] == "Sums and more"
    exam = doctor.get("/api/exams/sums").json()
    assert [item["id"] for item in exam["items"]] == ["q1", "q2"]
    assert exam["items"][1]["weight"] == "2.50"
    assert exam["faults"] == []
    assert doctor.send("DELETE", "/api/exams/sums/questions/q1/choices/c").status_code == 204
    assert doctor.send("DELETE", "/api/exams/sums/questions/q2").status_code == 204
    assert doctor.send("DELETE", "/api/exams/sums").status_code == 204
    assert doctor.get("/api/exams/sums").status_code == 404
    assert not Choice.objects.exists()


def test_the_api_reads_numbers_as_students_type_them(log_in, people, algebra) -> None:
    """A key that I send as text is the number that a student's answer would be; 1,234 is refused with both ways."""
    doctor = log_in(people.doctor)
    numeric = {
        "id": "comma",
        "kind": "numeric",
        "text": "?",
        "value": "\u22123,14",
        "tolerance": "٢\u066b٤",
        "weight": 1.5,
    }
    made = doctor.send("POST", "/api/exams/algebra-101/questions", numeric)
    assert made.status_code == 201, made.content
    assert Decimal(made.json()["value"]) == Decimal("-3.14")
    assert Decimal(made.json()["tolerance"]) == Decimal("2.4")
    refused = doctor.send("POST", "/api/exams/algebra-101/questions", numeric | {"id": "two", "value": "1,234"})
    assert refused.status_code == 422
    assert "write '1234' or '1.234'" in refused.content.decode()


def test_a_doctor_sees_and_edits_only_own_exams(log_in, people, algebra) -> None:
    """Another Doctor's exam is not found."""
    other = log_in(people.other_doctor)
    assert other.get("/api/exams").json()["results"] == []
    assert other.get("/api/exams/algebra-101").status_code == 404
    for method in ("PATCH", "DELETE"):
        assert other.send(method, "/api/exams/algebra-101", {"title": "Mine"}).status_code == 404
    assert other.send("POST", "/api/exams/algebra-101/questions", SINGLE).status_code == 404
    assert Exam.objects.get().title != "Mine"


def test_students_cannot_write(log_in, people, algebra) -> None:
    """A student may not create, change or delete an exam, or read its images as an author does."""
    student = log_in(people.student)
    assert student.send("POST", "/api/exams", {"slug": "x", "title": "x", "level": "year-1"}).status_code == 403
    assert student.send("PATCH", "/api/exams/algebra-101", {"title": "x"}).status_code == 403
    assert student.send("DELETE", "/api/exams/algebra-101").status_code == 403
    image = next(q.image_id for q in Question.objects.all() if q.image_id)
    assert student.get(f"/api/exams/algebra-101/images/{image}").status_code == 403


def test_students_see_the_exams_of_their_level(log_in, people, algebra) -> None:
    """A student lists only exams of the own level."""
    mine = log_in(people.student).get("/api/exams").json()
    assert [exam["slug"] for exam in mine["results"]] == ["algebra-101"]
    assert log_in(people.other_student).get("/api/exams").json() == {"count": 0, "next": None, "results": []}
    assert log_in(people.other_student).get("/api/exams/algebra-101").status_code == 404


def test_questions_are_hidden_before_a_sitting_opens(log_in, people, provision) -> None:
    """Before the window a student sees its times, but no question."""
    provision()
    answer = log_in(people.student).get("/api/exams/algebra-101")
    exam = answer.json()
    assert exam["paper"] is None
    assert exam["sittings"][0]["name"] == "midterm"
    for question in Question.objects.all():
        assert question.text not in answer.content.decode()


def test_a_paper_is_shown_after_its_sitting_without_the_key(log_in, people, open_now) -> None:
    """While a sitting is open only the solver shows its questions; afterwards students see them without the key."""
    student = log_in(people.student)
    assert student.get("/api/exams/algebra-101").json()["paper"] is None
    Sitting.objects.filter(id=open_now.id).update(state="sealed")
    exam = student.get("/api/exams/algebra-101").json()
    assert len(exam["paper"]["questions"]) == 20
    for path in ("/api/exams", "/api/exams/algebra-101", "/api/sittings", "/api/degrees", "/api/me"):
        names = set(member_names(student.get(path).json()))
        assert not names & {"correct", "value", "tolerance", "key", "answers"}, path
        assert not names & {"accepted", "credit", "credits", "rule", "notes", "target"}, path
    # Of the exam as its author wrote it students get nothing; an ordering question of the paper has items, too.
    assert "items" not in student.get("/api/exams/algebra-101").json()


def member_names(value) -> list[str]:
    """The names of all members in a JSON value."""
    if isinstance(value, dict):
        return [*value, *(name for each in value.values() for name in member_names(each))]
    return [name for each in value for name in member_names(each)] if isinstance(value, list) else []


def test_lists_are_paginated(log_in, people) -> None:
    """A long list is returned in pages, each with the offset of the next."""
    level = Level.objects.get(slug="year-1")
    Exam.objects.bulk_create(Exam(slug=f"e-{n:02}", title="t", level=level, published=True) for n in range(5))
    student = log_in(people.student)
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = student.get("/api/exams", limit=2, offset=offset).json()
        seen += [exam["slug"] for exam in page["results"]]
        offset = page["next"]
    assert seen == [f"e-{n:02}" for n in range(5)]
    assert student.get("/api/exams", limit=0).status_code == 422


def test_an_exam_with_a_sitting_cannot_be_deleted(log_in, people, provision) -> None:
    """An exam with a sitting cannot be deleted; the response gives the reason."""
    provision()
    answer = log_in(people.doctor).send("DELETE", "/api/exams/algebra-101")
    assert answer.status_code == 409
    assert "sitting" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (SINGLE | {"weight": "-1"}, "weight"),
        (SINGLE | {"kind": "oral"}, "kind"),
        (SINGLE | {"id": "a b"}, "id"),
        (SINGLE | {"image": "0" * 64}, "upload it first"),
        ({"id": "q", "kind": "single"}, "text"),
    ],
)
def test_an_invalid_question_names_the_field(log_in, people, algebra, body, where) -> None:
    """The error names the invalid field, and nothing is stored."""
    before = Question.objects.count()
    answer = log_in(people.doctor).send("POST", "/api/exams/algebra-101/questions", body)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert where in answer.json()["detail"]
    assert Question.objects.count() == before


def test_a_question_without_a_valid_key_is_named(log_in, people, algebra) -> None:
    """A single-choice question without a correct choice is listed as a fault; with two, each earns the points."""
    doctor = log_in(people.doctor)
    none, both = (SINGLE | {"choices": [c | {"correct": right} for c in SINGLE["choices"]]} for right in (False, True))
    assert doctor.send("POST", "/api/exams/algebra-101/questions", none | {"id": "odd"}).status_code == 201
    assert doctor.send("POST", "/api/exams/algebra-101/questions", both | {"id": "even"}).status_code == 201
    faults = doctor.get("/api/exams/algebra-101").json()["faults"]
    assert faults == ["question odd has no key: mark a choice as correct, or give one a positive credit"]


def test_invalid_requests_are_problems(log_in, people) -> None:
    """Malformed JSON, an unknown path and a wrong method each have their own problem."""
    doctor = log_in(people.doctor)
    broken = doctor.client.post("/api/exams", "{", content_type="application/json")
    missing = doctor.get("/nowhere")
    method = doctor.send("PUT", "/api/exams", {})
    assert [broken.status_code, missing.status_code, method.status_code] == [400, 404, 405]
    assert {a["Content-Type"] for a in (broken, missing, method)} == {"application/problem+json"}


def test_images_are_checked_by_their_content(log_in, people, algebra) -> None:
    """A valid image is stored and returned; anything else is rejected with the reason."""
    doctor = log_in(people.doctor)

    def upload(data: bytes) -> Any:
        file = SimpleUploadedFile("x.png", data, content_type="image/png")
        return doctor.client.post("/api/exams/algebra-101/images", {"file": file})

    kept = upload(picture())
    assert kept.status_code == 201
    question = SINGLE | {"id": "seen", "image": kept.json()["sha256"]}
    assert doctor.send("POST", "/api/exams/algebra-101/questions", question).status_code == 201
    shown = doctor.get(f"/api/exams/algebra-101/images/{kept.json()['sha256']}")
    assert (shown.content, shown["Content-Type"]) == (picture(), "image/png")
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    moving = io.BytesIO()
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:])
    refused = {
        b"<svg xmlns='http://www.w3.org/2000/svg'/>": "not a PNG, JPEG, WEBP",
        picture("GIF"): "not a PNG, JPEG, WEBP",
        picture(size=(300, 300))[:100]: "cannot be decoded",
        picture(size=(5000, 4)): "pixels",
        b"\x89PNG" + b"0" * MAX_BYTES: "bytes",
        moving.getvalue(): "animated",
    }
    for data, reason in refused.items():
        answer = upload(data)
        assert answer.status_code == 422, reason
        assert reason in answer.json()["detail"]


@pytest.mark.parametrize("name", ["algebra-101", "geometry-201"])
def test_importing_a_document_twice_changes_nothing(people, name: str) -> None:
    """A document that is imported again keeps every row."""
    text = (SAMPLES / f"{name}.yaml").read_text()
    document = read_exam(text, accept_image)
    exam = exam_import(document=document, author=None)
    rows = sorted(Question.objects.values_list("pk", "ident")), sorted(Choice.objects.values_list("pk", "ident"))
    assert exam_import(document=document, author=None).pk == exam.pk
    assert (
        sorted(Question.objects.values_list("pk", "ident")),
        sorted(Choice.objects.values_list("pk", "ident")),
    ) == rows


def test_a_document_for_an_unknown_level_lists_the_levels(people) -> None:
    """Importing an exam for an unknown level lists the levels that exist."""
    text = (SAMPLES / "algebra-101.yaml").read_text().replace("year-1", "year-9")
    with pytest.raises(Problem, match="levels are: year-1, year-2"):
        exam_import(document=read_exam(text, accept_image), author=None)
    assert not Exam.objects.exists()


def test_loading_a_faulty_document_names_its_lines(people, tmp_path) -> None:
    """The command rejects a faulty file with every line and reason, and imports nothing."""
    broken = base64.b64encode(b"not a picture").decode()
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(
        "exam: faulty\ntitle: Faulty\nlevel: year-1\nquestions:\n"
        "  - {id: a, kind: numeric, text: one, weight: -1, answer: {value: 1}}\n"
        f"  - {{id: a, kind: numeric, text: two, answer: {{value: 1}}, image: {broken}}}\n"
        "  - {id: c, kind: single, text: three, choices: [{id: x, text: x}, {id: y, text: y}]}\n"
    )
    with pytest.raises(CommandError) as refused:
        call_command("load_exam", str(faulty))
    message = str(refused.value)
    for line, reason in ((5, "weight"), (6, "duplicate question id"), (6, "image is not usable"), (7, "no key")):
        assert f"line {line}: " in message
        assert reason in message
    assert not Exam.objects.exists()


def test_loading_a_sample_reports_the_exam(people, capsys) -> None:
    """The command reports the exam and its number of questions."""
    call_command("load_exam", str(SAMPLES / "algebra-101.yaml"), author="noor")
    assert "algebra-101: 20 questions for year-1" in capsys.readouterr().out
    assert json.loads(json.dumps(Exam.objects.get().author_id)) == people.doctor.pk
