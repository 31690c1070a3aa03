"""The key is never sent to students: every GET of the API is checked before, during and after a sitting."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone

from exam_core.authoring.exam import read_exam
from exam_papers.images.acceptance import accept_image
from exam_web.api import public_api
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.services import exam_import
from exam_web.sittings.models import PaperKey, Sitting
from exam_web.users.models import Doctor

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

DOCUMENT = {
    "exam": "secrets",
    "title": "Secrets",
    "level": "year-1",
    "questions": [
        {
            "id": "ident-of-question-one",
            "kind": "multiple",
            "text": "Which are prime?",
            "choices": [
                {"id": "right-ident", "text": "seven", "correct": True},
                {"id": "wrong-ident", "text": "eight"},
                {"id": "other-ident", "text": "eleven", "correct": True},
            ],
        },
        {
            "id": "ident-of-question-two",
            "kind": "numeric",
            "text": "How many?",
            "answer": {"value": "271828.1828", "tolerance": "0.0625"},
        },
    ],
}
KEY_WORDS = {"correct", "value", "tolerance", "answers", "key", "items", "choice_ids", "position"}
KEY_VALUES = ("271828", "0.0625", "right-ident", "wrong-ident", "other-ident", "ident-of-question")


@pytest.fixture
def exam(people) -> Exam:
    """An exam whose key consists of distinctive values."""
    document = read_exam(yaml.safe_dump(DOCUMENT), accept_image)
    return exam_import(document=document, author=Doctor.objects.get(pk=people.doctor.pk))


def reads(student: Client, sitting: Sitting) -> Iterator[tuple[str, Any]]:
    """Send every GET of the OpenAPI schema as a student."""
    image = "0" * 64
    names = {
        "slug": "secrets",
        "ident": "ident-of-question-one",
        "sha256": image,
        "choice": "right-ident",
        "name": sitting.name,
        "number": 1,
    }
    for path, operations in public_api.get_openapi_schema()["paths"].items():
        if "get" in operations:
            yield path, student.get(path.format(**names), {"format": "yaml"} if "/export" in path else {})
    yield "degrees of the sitting", student.get("/api/degrees", {"sitting": sitting.name})


def names_in(value: Any) -> Iterator[str]:
    """The names of all members of a JSON value."""
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from names_in(each)


@pytest.mark.parametrize("phase", ["before", "open", "over", "none"])
def test_no_response_to_a_student_contains_the_key(people, log_in, exam, provision, phase: str) -> None:
    """No response to a student reveals the key at any time: no mark, value, id or digest."""
    sitting = provision(exam="secrets")
    key = PaperKey.objects.get()
    now = timezone.now()
    opens = {"before": now + timedelta(hours=1), "open": now - timedelta(minutes=1), "over": now - timedelta(hours=3)}
    if phase == "none":
        Sitting.objects.filter(id=sitting.id).update(state="cancelled")
    else:
        opened = opens[phase]
        state = "closing" if phase == "over" else "scheduled"
        Sitting.objects.filter(id=sitting.id).update(
            opens_at=opened, closes_at=opened + timedelta(hours=2), state=state
        )
    answers = list(reads(log_in(people.student).client, sitting))
    assert len(answers) >= 8
    shown = 0
    for path, answer in answers:
        text = answer.content.decode()
        assert key.digest not in text, path
        if answer.status_code != 200:
            # An error may repeat the ids of the request.
            text = text.replace("ident-of-question-one", "").replace("right-ident", "")
        for secret in KEY_VALUES:
            assert secret not in text, path
        if answer["Content-Type"].startswith("application/json"):
            body = json.loads(text)
            assert not set(names_in(body)) & KEY_WORDS, path
            shown += "Which are prime?" in text
        assert phase == "over" or "Which are prime?" not in text, path
    assert shown == (1 if phase == "over" else 0)


def test_the_check_detects_a_key(people, log_in, exam) -> None:
    """Negative control: the same check finds marks, values and ids in the author's response."""
    answer = log_in(people.doctor).get("/api/exams/secrets")
    assert set(names_in(answer.json())) >= {"correct", "value", "tolerance", "items"}
    for secret in KEY_VALUES:
        assert secret in answer.content.decode()


def test_a_paper_permutes_the_choices(people, log_in, exam, provision) -> None:
    """A paper does not keep the author's order, in which the correct choice may come first."""
    sitting = provision(exam="secrets")
    Sitting.objects.filter(id=sitting.id).update(state="sealed")
    paper = log_in(people.student).get("/api/exams/secrets").json()["paper"]
    written = [choice.text for choice in Choice.objects.filter(question__exam=exam)]
    assert [choice["text"] for choice in paper["questions"][0]["choices"]] == list(reversed(written))


def test_a_frozen_paper_does_not_change(people, log_in, exam, provision) -> None:
    """Edits of an exam after its sitting was created do not change the students' paper."""
    sitting = provision(exam="secrets")
    Sitting.objects.filter(id=sitting.id).update(state="sealed")
    Question.objects.filter(ident="ident-of-question-one").update(text="Which are even?")
    paper = log_in(people.student).get("/api/exams/secrets").json()["paper"]
    assert paper["questions"][0]["text"] == "Which are prime?"


def test_a_student_of_another_level_sees_no_paper(people, log_in, exam, provision) -> None:
    """A sitting that is over shows its paper only to its own level."""
    sitting = provision(exam="secrets")
    Sitting.objects.filter(id=sitting.id).update(state="sealed")
    for path, answer in reads(log_in(people.other_student).client, sitting):
        assert "prime" not in answer.content.decode(), path
