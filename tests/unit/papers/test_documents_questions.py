"""Single questions as JSON objects."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_core.authored import AuthoredExam, AuthoredQuestion, TextFormat
from exam_core.images import ImageRef
from exam_core.paper import freeze, plain_text
from exam_harness.strategies.questions import QUESTIONS
from exam_papers.documents.questions import PlacedFault, images_of, read_question, write_question

IMAGES = {digest: ImageRef(sha256=digest, type="image/png", width=1, height=2) for digest in ("a" * 64, "b" * 64)}
CHOICES = [{"id": "a", "text": "1", "correct": True}, {"id": "b", "text": "2"}]


def _frozen(question: AuthoredQuestion) -> object:
    exam = AuthoredExam(slug="e", title="E", instructions="", questions=(question,))
    return question.format, question.text, question.shuffle, freeze(exam, range, plain_text)


@settings(max_examples=200)
@given(question=QUESTIONS, shuffle=st.booleans())
def test_what_is_written_is_read_back(*, question: AuthoredQuestion, shuffle: bool) -> None:
    """If a question is stored as JSON, the same question is read from it, and written again it is the same JSON."""
    question = replace(question, shuffle=shuffle)
    body = write_question(question)
    read, faults = read_question(json.loads(json.dumps(body)), ident=question.id, images=IMAGES)
    assert faults == []
    assert read is not None
    assert _frozen(read) == _frozen(question)
    assert write_question(read) == body
    assert images_of(body) == {ref.sha256 for ref in _shown(question)}


def _shown(question: AuthoredQuestion) -> list[ImageRef]:
    return [ref for ref in (question.image, *(item.image for item in question.interaction.items)) if ref]


@pytest.mark.parametrize(
    ("body", "where", "reason"),
    [
        ({}, "", "'kind' is missing"),
        ({"kind": "single", "text": "?"}, "", "choices"),
        ({"kind": "riddle", "text": "?"}, "kind", "kind is not one of"),
        ({"kind": "single", "text": "?", "choices": CHOICES, "answer": True}, "answer", "has no 'answer'"),
        ({"kind": "single", "text": "?", "choices": [*CHOICES, CHOICES[0]]}, "choices[2].id", "duplicate choice id"),
        ({"kind": "single", "text": "a\0", "choices": CHOICES}, "text", "U+0000"),
        ({"kind": "single", "text": "?", "choices": CHOICES, "image": "c" * 64}, "image", "upload it first"),
        ({"kind": "single", "text": "?", "choices": CHOICES, "weight": -1}, "weight", "weight must be from 0"),
        ({"kind": "single", "text": "?", "choices": CHOICES, "id": "b"}, "", "'id' is given twice"),
        ({"kind": "true-false", "text": "?", "answer": "true"}, "answer", "must be true or false"),
        ({"kind": "true-false", "text": "?", "answer": None}, "answer", "must not be empty"),
        ({"kind": "essay", "text": {"a": [[[[[[]]]]]]}}, "text.a[0][0][0][0]", "nested too deeply"),
        ({"kind": "essay", "text": ["?"]}, "text", "must be a single value"),
    ],
)
def test_faults_have_their_place(body: dict[str, Any], where: str, reason: str) -> None:
    """If my JSON has a fault, I am shown the member that has it and the reason."""
    _, faults = read_question(body, ident="q", images=IMAGES)
    assert [fault for fault in faults if fault.where == where and reason in fault.reason], faults


def test_every_fault_is_listed() -> None:
    """If my JSON has several faults, all of them are listed at once."""
    body = {"kind": "single", "text": "", "format": "word", "choices": [{"id": "?"}, {"id": "b", "correct": "yes"}]}
    _, faults = read_question(body, ident="q", images=IMAGES)
    assert {fault.where for fault in faults} >= {"text", "format", "choices[0].id", "choices[1].correct"}


def test_an_id_that_is_none_is_a_fault() -> None:
    """If the id beside the JSON is none, the fault names it."""
    body = {"kind": "essay", "text": "?"}
    _, faults = read_question(body, ident="no id", images={})
    assert faults == [PlacedFault("id", "a question's id must be letters, digits, - and _, at most 50")]


def test_numbers_may_be_numbers_of_json() -> None:
    """If a weight or an accepted number is a JSON number, it is read as it is written."""
    read, faults = read_question(
        {"kind": "numeric", "text": "?", "format": "plain", "weight": 2.5, "accepted": [3, 0.1]}, ident="q", images={}
    )
    assert faults == []
    assert read is not None
    assert read.format is TextFormat.PLAIN
    body = write_question(read)
    assert (body["weight"], body["accepted"]) == ("2.5", ["3", "0.1"])
