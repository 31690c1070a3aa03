"""The oracle's plain scoring, on cases worked out by hand and against our own scoring on random ones."""

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import parse_answer
from exam_core.authoring import read_exam
from exam_core.paper import freeze
from exam_core.scoring import MultipleRule, Policy
from exam_core.scoring import score as core_score
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import content_of
from exam_harness.oracle.paper import StrangePaperError, match
from exam_harness.oracle.scoring import PROPORTIONAL, cents, score

TEXT = """
exam: hand-made
title: Worked out by hand
level: year-1
questions:
  - {id: a, kind: single, weight: 2, text: "One?", choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]}
  - id: b
    kind: multiple
    weight: 1
    text: Primes?
    choices: [{id: a, text: "2", correct: true}, {id: b, text: "3", correct: true}, {id: c, text: "4"},
              {id: d, text: "5", correct: true}]
  - {id: c, kind: numeric, weight: "0.10", text: "Pi?", answer: {value: "3.14", tolerance: "0.005"}}
"""
DOCUMENT = read_document(TEXT)
PAPER, KEY = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, range)
SHOWN = match(DOCUMENT, json.loads(PAPER.body))


@pytest.mark.parametrize(
    ("answers", "total"),
    [
        ({}, "0"),
        ({0: {"choices": [0]}}, "2"),
        ({0: {"choices": [1]}}, "0"),
        ({1: {"choices": [0, 1, 3]}}, "1"),
        ({1: {"choices": [0, 1]}}, "0"),
        ({2: {"value": "3.145"}}, "0.1"),
        ({2: {"value": "3.1451"}}, "0"),
        ({2: {"value": "3,14"}}, "0.1"),
        ({0: {"choices": [0]}, 1: {"choices": [0, 1, 3]}, 2: {"value": "3.14"}}, "3.1"),
    ],
)
def test_the_right_set_or_number_earns_the_weight_and_nothing_else_does(
    answers: dict[int, dict[str, Any]], total: str
) -> None:
    """What I earn is what a teacher with a pencil would give me."""
    result = score(SHOWN, {question: content_of(body) for question, body in answers.items()})
    assert (result.total, result.maximum) == (Fraction(total), Fraction("3.1"))


def test_what_was_taken_back_is_not_answered() -> None:
    """An answer that I took back is no answer: no points and not counted as answered."""
    result = score(SHOWN, {0: frozenset(), 1: frozenset({2}), 2: None})
    assert result.points == (None, Fraction(0), None)
    assert result.answered == 1


def test_proportional_scoring_gives_each_right_choice_its_share() -> None:
    """Two of three right and one wrong is a third of the weight, rounded half up once."""
    assert score(SHOWN, {1: frozenset({0, 1, 2})}, PROPORTIONAL).total == Fraction("0.33")
    assert score(SHOWN, {1: frozenset({0, 1})}, PROPORTIONAL).total == Fraction("0.67")
    assert score(SHOWN, {1: frozenset({2})}, PROPORTIONAL).total == 0


def test_halves_of_a_cent_round_up() -> None:
    """Rounding is half up, at the hundredth."""
    assert [cents(Fraction(text)) for text in ("0.005", "0.00499", "1.125")] == [
        Fraction("0.01"),
        Fraction(0),
        Fraction("1.13"),
    ]


BODIES = st.fixed_dictionaries(
    {},
    optional={
        0: st.lists(st.integers(0, 1), max_size=1).map(lambda chosen: {"choices": chosen}),
        1: st.lists(st.integers(0, 3), unique=True).map(lambda chosen: {"choices": chosen}),
        2: st.decimals(3, 4, places=3).map(lambda value: {"value": str(value)}) | st.just({"value": None}),
    },
)


@given(BODIES, st.sampled_from(MultipleRule))
def test_two_scorers_that_share_no_code_agree(answers: dict[int, dict[str, Any]], rule: MultipleRule) -> None:
    """Our scoring and the oracle's give every student the same degree."""
    ours = core_score(PAPER, KEY, Policy(multiple=rule), [(n, parse_answer(PAPER, n, a)) for n, a in answers.items()])
    theirs = score(SHOWN, {number: content_of(body) for number, body in answers.items()}, rule.value)
    assert theirs.total == Fraction(ours.total)
    assert theirs.points == tuple(None if points is None else Fraction(points) for points in ours.points)
    assert theirs.answered == ours.answered


def test_numbers_are_found_again_whatever_order_freezing_gave_them() -> None:
    """The choice I pick is the one whose text I saw, however the paper numbers it."""
    paper, _ = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, lambda size: range(size)[::-1])
    shown = match(DOCUMENT, json.loads(paper.body))
    assert score(shown, {0: frozenset({1}), 1: frozenset({0, 2, 3})}).total == 3


def test_a_paper_that_shows_its_key_is_refused() -> None:
    """A paper that tells students what is right is not one."""
    paper = json.loads(PAPER.body)
    paper["questions"][0]["choices"][0]["correct"] = True
    with pytest.raises(StrangePaperError, match="no student should see"):
        match(DOCUMENT, paper)


def test_a_paper_that_lacks_or_alters_a_question_is_refused() -> None:
    """A paper shown otherwise than it was written cannot be scored."""
    missing = json.loads(PAPER.body)
    missing["questions"].pop()
    with pytest.raises(StrangePaperError, match="not shown"):
        match(DOCUMENT, missing)
    altered = json.loads(PAPER.body)
    altered["questions"][1]["choices"][2]["text"] = "6"
    with pytest.raises(StrangePaperError, match="authored choices"):
        match(DOCUMENT, altered)
