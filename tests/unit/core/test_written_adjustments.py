"""Adjustments as people write them, and as they are stored."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.adjustments.listing import Adjustments, AdjustmentsError
from exam_core.adjustments.written import as_stored
from exam_core.authored import AuthoredExam
from exam_core.authoring.adjustments import read_entries, write_entries
from exam_core.canonical import Json
from exam_core.paper import freeze, plain_text
from exam_core.problems import Problem, ProblemKind
from exam_harness.strategies.adjustments import adjustments
from exam_harness.strategies.questions import EXAMS, permute_by

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\"\\\u2028\u2029\ufeff'#:"))
VALUES: st.SearchStrategy[Json] = st.recursive(
    TEXTS | st.integers(0, 999_999) | st.booleans(), lambda values: st.lists(values, max_size=4), max_leaves=6
)
ENTRIES = st.lists(st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4), max_size=5)
REASON = {"question": 5, "reason": "The figure could be read as 62."}


@given(st.data(), EXAMS, st.integers(0))
def test_what_is_stored_stays(data: st.DataObject, exam: AuthoredExam, seed: int) -> None:
    """If adjustments are written as they are stored, they are stored as they are written, also as a document."""
    paper, key = freeze(exam, permute_by(seed), plain_text)
    stored: Any = data.draw(adjustments(paper, key)).to_json()["entries"]
    assert [as_stored(each) for each in stored] == stored
    assert read_entries(write_entries(stored)) == stored


@given(ENTRIES)
def test_a_document_is_read_as_it_was_written(entries: list[Json]) -> None:
    """If I open the form again, each text is the one that I wrote, whatever characters it has."""
    assert read_entries(write_entries(entries)) == entries


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ({"change": "accept-number", "answer": 62}, {"answer": "62", "credit": "1"}),
        ({"change": "accept-number", "answer": "50 ± 10 %", "credit": 0.5}, {"answer": "50±10%", "credit": "1/2"}),
        ({"change": "accept-number", "answer": "5e1", "credit": "2/4"}, {"answer": "50", "credit": "1/2"}),
        ({"change": "accept-text", "answer": " e\u0301 "}, {"answer": "\u00e9", "credit": "1"}),
        ({"change": "accept-choices", "choices": [2, 0]}, {"choices": [0, 2], "credit": "1"}),
        ({"change": "accept-order", "order": [2, 0, 1]}, {"order": [2, 0, 1], "credit": "1"}),
        ({"change": "choice-credit", "choice": 1, "credit": 1}, {"credit": "1"}),
        ({"change": "weight", "weight": "2.50"}, {"weight": "2.5"}),
        ({"change": "weight", "weight": 2}, {"weight": "2"}),
    ],
)
def test_other_spellings_are_accepted(written: dict[str, Any], stored: dict[str, Any]) -> None:
    """If I write a half as 0.5, a number without quotes, or no credit, it is stored in its one spelling."""
    found = as_stored(REASON | written)
    assert found == REASON | written | stored
    assert Adjustments.from_json({"entries": [found]}).to_json() == {"entries": [found]}


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("a text", "must be a JSON object"),
        ({"change": "weight", "weight": "much"}, "has 'weight' 'much'"),
        ({"change": "weight", "weight": True}, "has 'weight' True"),
        ({"change": "choice-credit", "choice": 1}, "has no 'credit'"),
        ({"change": "accept-choices", "choices": [1, "2"]}, "has 'choices' '2'"),
        ({"change": ["weight"]}, "has 'change' a list"),
        ({"change": "accept-number", "answer": "1", "credit": "half"}, "has 'credit' 'half'"),
    ],
)
def test_a_fault_stays_a_fault(written: Any, fault: str) -> None:
    """If a member cannot be read, nothing is made up for it, and the reason names it."""
    body = REASON | written if isinstance(written, dict) else written
    with pytest.raises(AdjustmentsError) as error:
        Adjustments.from_json({"entries": [as_stored(body)]})
    assert fault in str(error.value)


def test_values_of_a_document() -> None:
    """If I write YAML, numbers and true are what they look like, and all else is a text."""
    text = "- {question: 3, answer: 62.50, negative_total: true, choices: [1, 0], reason: '12', credit: 1/2, x: yes}"
    entry = {"question": 3, "answer": "62.50", "negative_total": True, "choices": [1, 0], "reason": "12"}
    assert read_entries(text) == [entry | {"credit": "1/2", "x": "yes"}]
    assert read_entries(" \n") == []
    assert as_stored({"answer": 0.5, "credit": Fraction(1)}) == {"answer": "0.5", "credit": Fraction(1)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("change: weight", "expected a list"),
        ("- [", "not YAML"),
        ("- &a [*a]", "alias"),
        ("- {a: 1, a: 2}", "given twice"),
        ("- {[a]: 1}", "no name"),
    ],
)
def test_a_document_with_a_fault(text: str, reason: str) -> None:
    """If what I write is no list of members, the problem names the line."""
    with pytest.raises(Problem) as problem:
        read_entries(text)
    assert problem.value.kind is ProblemKind.PAPER_INVALID
    assert "line 1: " in problem.value.detail
    assert reason in problem.value.detail
