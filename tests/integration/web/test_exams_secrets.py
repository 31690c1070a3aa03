"""The key never reaches a student: every address of the API is asked, before, while and after a sitting is open."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone

from exam_core.authoring import read_exam
from exam_web.api import public_api
from exam_web.exams.images import inspect_image
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
    """An exam whose key can be told from everything else."""
    document = read_exam(yaml.safe_dump(DOCUMENT), inspect_image)
    return exam_import(document=document, author=Doctor.objects.get(pk=people.doctor.pk))


def reads(student: Client, sitting: Sitting) -> Iterator[tuple[str, Any]]:
    """Every GET that the API's own description knows of, asked by a student."""
    image = "0" * 64
    names = {"slug": "secrets", "ident": "ident-of-question-one", "sha256": image, "choice": "right-ident"}
    for path, operations in public_api.get_openapi_schema()["paths"].items():
        if "get" in operations:
            yield path, student.get(path.format(**names))
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
def test_no_answer_to_a_student_holds_anything_of_the_key(people, log_in, exam, provision, phase: str) -> None:
    """Whatever a student asks for and whenever, nothing in it tells what is right: no mark, value, id or digest."""
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
            # A refusal may say the very word that was asked for.
            text = text.replace("ident-of-question-one", "").replace("right-ident", "")
        for secret in KEY_VALUES:
            assert secret not in text, path
        if answer["Content-Type"].startswith("application/json"):
            body = json.loads(text)
            assert not set(names_in(body)) & KEY_WORDS, path
            shown += "Which are prime?" in text
        assert phase == "over" or "Which are prime?" not in text, path
    assert shown == (1 if phase == "over" else 0)


def test_the_check_sees_a_key_when_there_is_one(people, log_in, exam) -> None:
    """The same look at what the author gets finds marks, values and ids."""
    answer = log_in(people.doctor).get("/api/exams/secrets")
    assert set(names_in(answer.json())) >= {"correct", "value", "tolerance", "items"}
    for secret in KEY_VALUES:
        assert secret in answer.content.decode()


def test_a_paper_shows_choices_in_another_order_than_the_author_wrote(people, log_in, exam, provision) -> None:
    """The author's order, in which the right choice may come first, is not the paper's."""
    sitting = provision(exam="secrets")
    Sitting.objects.filter(id=sitting.id).update(state="sealed")
    paper = log_in(people.student).get("/api/exams/secrets").json()["paper"]
    written = [choice.text for choice in Choice.objects.filter(question__exam=exam)]
    assert [choice["text"] for choice in paper["questions"][0]["choices"]] == list(reversed(written))


def test_a_frozen_paper_stays_as_it_was_frozen(people, log_in, exam, provision) -> None:
    """What a Doctor mends after the sitting was made is not what its students see."""
    sitting = provision(exam="secrets")
    Sitting.objects.filter(id=sitting.id).update(state="sealed")
    Question.objects.filter(ident="ident-of-question-one").update(text="Which are even?")
    paper = log_in(people.student).get("/api/exams/secrets").json()["paper"]
    assert paper["questions"][0]["text"] == "Which are prime?"


def test_a_student_of_another_level_sees_no_paper(people, log_in, exam, provision) -> None:
    """A sitting that is over shows its paper to its own level alone."""
    sitting = provision(exam="secrets")
    Sitting.objects.filter(id=sitting.id).update(state="sealed")
    for path, answer in reads(log_in(people.other_student).client, sitting):
        assert "prime" not in answer.content.decode(), path
