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
from exam_web.exams.interactions import listed, read_question
from exam_web.exams.models import Choice, Question

CHOICES: list[dict[str, Any]] = [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}]
SINGLE: dict[str, Any] = {"id": "q", "kind": "single", "text": "2 + 2", "choices": CHOICES}
MULTIPLE = SINGLE | {"kind": "multiple"}
NUMERIC = {"id": "q", "kind": "numeric", "text": "pi", "answer": {"value": "3.14", "tolerance": "0.01"}}


ITEMS: list[dict[str, Any]] = [{"id": "a", "text": "first"}, {"id": "b", "text": "second"}]
ORDERING: dict[str, Any] = {"id": "q", "kind": "ordering", "text": "Order", "items": ITEMS}
STEMS: list[dict[str, Any]] = [{"id": "a", "text": "1", "target": "one"}, {"id": "b", "text": "2", "target": "two"}]
MATCHING: dict[str, Any] = {"id": "q", "kind": "matching", "text": "Match", "stems": STEMS}


def as_document(question: dict[str, Any]) -> str:
    """A document with one question."""
    return yaml.safe_dump({"exam": "e", "title": "t", "level": "year-1", "questions": [question]})


def as_rows(question: dict[str, Any]) -> tuple[Question, list[Choice]]:
    """The same question as the rows that API and admin write."""
    answer = question.get("answer", {})
    settings = {name: question[name] for name in ("rule", "floor", "cap") if name in question}
    row = Question(
        ident=question["id"],
        kind=question["kind"],
        text=question["text"],
        max_choices=question.get("max_choices"),
        value=Decimal(answer["value"]) if "value" in answer else None,
        tolerance=Decimal(answer.get("tolerance", 0)),
        settings=settings,
    )
    return row, [
        Choice(
            question=row,
            ident=each["id"],
            text=each.get("text", ""),
            correct=each.get("correct", False),
            credit=each.get("credit"),
            target=each.get("target", ""),
        )
        for each in question.get("choices", question.get("stems", question.get("items", ())))
    ]


def no_image(data: bytes) -> NoReturn:
    """Documents of these tests show no image."""
    raise ValueError(f"{len(data)} bytes")


def row_faults(questions: list[dict[str, Any]]) -> list[str]:
    """The faults of an exam whose rows API and admin wrote."""
    return listed([read_question(*as_rows(question)) for question in questions])


def document_faults(question: dict[str, Any]) -> list[str]:
    """The faults of a document with the question, without their lines."""
    try:
        read_exam(as_document(question), no_image)
    except Problem as problem:
        return [fault["reason"] for fault in cast("list[dict[str, str]]", problem.extra["faults"])]
    return []


@pytest.mark.parametrize("question", [SINGLE, MULTIPLE, NUMERIC, MULTIPLE | {"max_choices": 2}, ORDERING, MATCHING])
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
            "question q has no key: mark a choice as correct, or give one a positive credit",
        ),
        (
            MULTIPLE | {"max_choices": 3},
            "question q has max_choices 3: it must be at least 1 and, if only the complete answer earns points, the",
        ),
        (
            MULTIPLE | {"choices": [each | {"correct": True} for each in CHOICES], "max_choices": 1},
            "question q has max_choices 1: it must be at least 1 and, if only the complete answer earns points, the",
        ),
        (MULTIPLE | {"floor": "-1/2"}, "question q has a floor or a cap, which need the rule sum-of-credits"),
        (
            MULTIPLE | {"choices": [CHOICES[0], {"id": "b", "text": "4 "}]},
            "question q has choices a and b that look the same",
        ),
        (MULTIPLE | {"choices": [CHOICES[0], {"id": "b"}]}, "question q has choice b with neither text nor image"),
        ({"id": "q", "kind": "numeric", "text": "pi"}, "question q has no key: a numeric question needs a value"),
        (NUMERIC | {"answer": {"value": "1", "tolerance": "-1"}}, "tolerance"),
        (ORDERING | {"items": ITEMS[:1]}, "question q needs 2 to 26 items and has 1"),
        (MATCHING | {"stems": STEMS[:1]}, "question q needs 2 to 26 stems and has 1"),
    ],
)
def test_each_fault_names_its_question_and_reason(question: dict[str, Any], reason: str) -> None:
    """Whether I write an exam in the API, the admin or a document, I read the same sentence about the same fault."""
    assert any(reason in fault for fault in document_faults(question))
    assert any(reason in fault for fault in row_faults([question]))


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (SINGLE | {"max_choices": 1}, "question q is of the kind single, which has no max_choices"),
        (SINGLE | {"answer": {"value": "1"}}, "question q is of the kind single, which has no value"),
        (SINGLE | {"rule": "all-or-nothing"}, "question q is of the kind single, which has no rule"),
        (NUMERIC | {"max_choices": 1}, "question q is of the kind numeric, which has no max_choices"),
        ({"id": "q", "kind": "essay", "text": "Why?", "items": ITEMS}, "question q is of the kind essay, which has no"),
    ],
)
def test_what_another_kind_has_is_a_fault(question: dict[str, Any], reason: str) -> None:
    """If I change a question's kind and leave members of the other one, I read which, and a document is refused."""
    assert document_faults(question) != []
    assert any(reason in fault for fault in row_faults([question]))


def test_two_choices_of_full_credit_are_no_fault() -> None:
    """If two choices of a single-choice question are right, each of them earns the points."""
    question = SINGLE | {"choices": [each | {"correct": True} for each in CHOICES]}
    assert document_faults(question) == row_faults([question]) == []


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
    """A valid or invalid question, with members of its kind alone."""
    kind = draw(st.sampled_from(["single", "multiple", "numeric", "matching", "ordering"]))
    question: dict[str, Any] = {"id": "q", "kind": kind, "text": draw(TEXTS)}
    parts = {"matching": "stems", "ordering": "items"}.get(kind, "choices")
    if kind != "numeric" and draw(st.booleans()):
        texts = draw(st.lists(st.none() | TEXTS | st.uuids().map(str), min_size=1, max_size=28))
        if kind == "matching":
            # Without a text it would be a target without a stem, which documents list elsewhere.
            texts = [text or "five" for text in texts]
        question[parts] = [
            {"id": f"c{n}"} | ({} if text is None else {"text": text}) | draw(MEMBERS[kind])
            for n, text in enumerate(texts)
        ]
    if kind == "multiple":
        optional = {
            "max_choices": st.integers(1, 30),
            "rule": st.sampled_from(["sum-of-credits", "all-or-nothing"]),
            "floor": st.sampled_from(["-1", "-1/2", "0", "1/2"]),
            "cap": st.sampled_from(["1", "2/3", "0"]),
        }
        question |= draw(st.fixed_dictionaries({}, optional=optional))
    if kind == "numeric" and draw(st.booleans()):
        question["answer"] = {"value": draw(st.integers(-5, 5).map(str)), "tolerance": "0.5"}
    return question


CREDITS = st.fixed_dictionaries({"correct": st.booleans()}) | st.fixed_dictionaries(
    {"credit": st.sampled_from(["1/3", "-1", "0", "1"])}
)
MEMBERS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "single": CREDITS,
    "multiple": CREDITS,
    "ordering": st.just({}),
    "matching": st.fixed_dictionaries({"target": TEXTS}),
}


@given(questions())
def test_rows_and_documents_have_the_same_faults(question: dict[str, Any]) -> None:
    """Whatever the question, its rows have exactly the faults of a document with it."""
    if question["kind"] == "multiple" and any("credit" in each for each in question.get("choices", ())):
        # In a document, credits without a rule are added up; in rows the author names the rule.
        question.setdefault("rule", "sum-of-credits")
    assert sorted(row_faults([question])) == sorted(document_faults(question))
