"""The rules for questions: the same for a document and for rows that API and admin wrote one by one."""

from decimal import Decimal
from typing import Any, NoReturn, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exam_core.authoring.exam import read_exam
from exam_core.paper import MAX_QUESTIONS
from exam_core.problems import Problem
from exam_core.validation import exam_faults
from exam_web.exams.models import Choice, Question
from exam_web.exams.selectors import authored_questions

CHOICES: list[dict[str, Any]] = [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}]
SINGLE: dict[str, Any] = {"id": "q", "kind": "single", "text": "2 + 2", "choices": CHOICES}
MULTIPLE = SINGLE | {"kind": "multiple"}
NUMERIC = {"id": "q", "kind": "numeric", "text": "pi", "answer": {"value": "3.14", "tolerance": "0.01"}}


def as_document(question: dict[str, Any]) -> str:
    """A document with one question."""
    return yaml.safe_dump({"exam": "e", "title": "t", "level": "year-1", "questions": [question]})


def as_rows(question: dict[str, Any]) -> Question:
    """The same question as the rows that API and admin write."""
    answer = question.get("answer", {})
    row = Question(
        pk=1,
        ident=question["id"],
        kind=question["kind"],
        text=question["text"],
        max_choices=question.get("max_choices"),
        value=Decimal(answer["value"]) if "value" in answer else None,
        tolerance=Decimal(answer.get("tolerance", 0)),
    )
    row._prefetched_objects_cache = {  # type: ignore[attr-defined]  # so that no database is read
        "choices": [
            Choice(ident=each["id"], text=each.get("text", ""), correct=each.get("correct", False))
            for each in question.get("choices", ())
        ]
    }
    return row


def no_image(data: bytes) -> NoReturn:
    """Documents of these tests show no image."""
    raise ValueError(f"{len(data)} bytes")


def row_faults(questions: list[dict[str, Any]]) -> list[str]:
    """The faults of an exam whose rows API and admin wrote."""
    return exam_faults(authored_questions(map(as_rows, questions)))


def document_faults(question: dict[str, Any]) -> list[str]:
    """The faults of a document with the question, without their lines."""
    try:
        read_exam(as_document(question), no_image)
    except Problem as problem:
        return [fault["reason"] for fault in cast("list[dict[str, str]]", problem.extra["faults"])]
    return []


@pytest.mark.parametrize("question", [SINGLE, MULTIPLE, NUMERIC, MULTIPLE | {"max_choices": 2}])
def test_a_valid_question_has_no_fault(question: dict[str, Any]) -> None:
    """A question with text, key and enough choices has no faults."""
    assert document_faults(question) == []
    assert row_faults([question]) == []


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (SINGLE | {"choices": CHOICES[:1]}, "question q needs 2 to 26 choices and has 1"),
        (
            SINGLE | {"choices": [CHOICES[0], *({"id": f"c{n}", "text": f"{n} x"} for n in range(26))]},
            "question q needs 2 to 26 choices and has 27",
        ),
        (
            SINGLE | {"choices": [{"id": "a", "text": "4"}, CHOICES[1]]},
            "question q has no key: mark a choice as correct",
        ),
        (
            SINGLE | {"choices": [each | {"correct": True} for each in CHOICES]},
            "question q is single-choice and has more than one correct choice",
        ),
        (SINGLE | {"max_choices": 1}, "question q is single-choice and has max_choices"),
        (
            MULTIPLE | {"max_choices": 3},
            "question q has max_choices 3: it must be at least 1 and the number of correct choices, at most 2",
        ),
        (
            MULTIPLE | {"choices": [CHOICES[0], {"id": "b", "text": "4 "}]},
            "question q has choices a and b that look the same",
        ),
        (MULTIPLE | {"choices": [CHOICES[0], {"id": "b"}]}, "question q has choice b with neither text nor image"),
        (SINGLE | {"answer": {"value": "1"}}, "question q is single-choice and has a value"),
        ({"id": "q", "kind": "numeric", "text": "pi"}, "question q has no key: a numeric question needs a value"),
        (NUMERIC | {"choices": CHOICES}, "question q is numeric and has choices"),
        (NUMERIC | {"max_choices": 1}, "question q is numeric and has max_choices"),
    ],
)
def test_each_fault_names_its_question_and_reason(question: dict[str, Any], reason: str) -> None:
    """Whether I write an exam in the API, the admin or a document, I read the same sentence about the same fault."""
    assert reason in document_faults(question)
    assert reason in row_faults([question])


def test_a_question_needs_a_text() -> None:
    """If I leave a question blank, that is a fault; in a document, no member may be empty."""
    blank = NUMERIC | {"text": "  "}
    assert row_faults([blank]) == ["question q has no text"]
    assert document_faults(blank) == ["text must not be empty"]


def test_the_number_of_questions_is_limited() -> None:
    """An exam needs at least one question, and at most as many as a paper may hold."""
    assert row_faults([]) == ["the exam needs 1 to 500 questions and has 0"]
    assert row_faults([SINGLE] * (MAX_QUESTIONS + 1)) == ["the exam needs 1 to 500 questions and has 501"]


TEXTS = st.sampled_from(["4", "5", "4 ", "five"])


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """A valid or invalid question."""
    question: dict[str, Any] = {
        "id": "q",
        "kind": draw(st.sampled_from(["single", "multiple", "numeric"])),
        "text": draw(TEXTS),
    }
    if draw(st.booleans()):
        texts = draw(st.lists(st.none() | TEXTS | st.uuids().map(str), min_size=1, max_size=28))
        question["choices"] = [
            {"id": f"c{n}", "correct": draw(st.booleans())} | ({} if text is None else {"text": text})
            for n, text in enumerate(texts)
        ]
    if draw(st.booleans()):
        question["max_choices"] = draw(st.integers(1, 30))
    if draw(st.booleans()):
        question["answer"] = {"value": draw(st.integers(-5, 5).map(str)), "tolerance": "0.5"}
    return question


@given(questions())
def test_rows_and_documents_have_the_same_faults(question: dict[str, Any]) -> None:
    """Whatever the question, its rows have exactly the faults of a document with it."""
    assert sorted(row_faults([question])) == sorted(document_faults(question))
