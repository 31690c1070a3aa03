"""The oracle's scoring, on cases computed by hand and against `exam_core` on random ones."""

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import parse_answer
from exam_core.authoring.exam import read_exam
from exam_core.paper import freeze
from exam_core.scoring import MultipleRule, Policy
from exam_core.scoring import score as core_score
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import parse_content
from exam_harness.oracle.paper import PaperMismatchError, match_paper
from exam_harness.oracle.scoring import PROPORTIONAL, round_to_cents, score

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
MATCHED = match_paper(DOCUMENT, json.loads(PAPER.body))


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
def test_only_the_correct_set_or_number_earns_the_weight(answers: dict[int, dict[str, Any]], total: str) -> None:
    """I earn what a teacher would give me by hand."""
    result = score(MATCHED, {question: parse_content(body) for question, body in answers.items()})
    assert (result.total, result.maximum) == (Fraction(total), Fraction("3.1"))


def test_a_withdrawn_answer_is_not_answered() -> None:
    """An answer that I withdrew earns no points and does not count as answered."""
    result = score(MATCHED, {0: frozenset(), 1: frozenset({2}), 2: None})
    assert result.points == (None, Fraction(0), None)
    assert result.answered == 1


def test_proportional_scoring_gives_each_correct_choice_its_share() -> None:
    """Two of three correct and one wrong earn a third of the weight, rounded half up once."""
    assert score(MATCHED, {1: frozenset({0, 1, 2})}, PROPORTIONAL).total == Fraction("0.33")
    assert score(MATCHED, {1: frozenset({0, 1})}, PROPORTIONAL).total == Fraction("0.67")
    assert score(MATCHED, {1: frozenset({2})}, PROPORTIONAL).total == 0


def test_halves_of_a_cent_round_up() -> None:
    """Rounding is half up, at the hundredth."""
    assert [round_to_cents(Fraction(text)) for text in ("0.005", "0.00499", "1.125")] == [
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
def test_both_scorers_agree(answers: dict[int, dict[str, Any]], rule: MultipleRule) -> None:
    """`exam_core` and the oracle, which share no code, give every student the same degree."""
    platform = core_score(
        PAPER, KEY, Policy(multiple=rule), [(n, parse_answer(PAPER, n, a)) for n, a in answers.items()]
    )
    oracle = score(MATCHED, {number: parse_content(body) for number, body in answers.items()}, rule.value)
    assert oracle.total == Fraction(platform.total)
    assert oracle.points == tuple(None if points is None else Fraction(points) for points in platform.points)
    assert oracle.answered == platform.answered


def test_choices_are_matched_in_any_frozen_order() -> None:
    """The choice I pick is the one whose text I saw, however the paper numbers it."""
    paper, _ = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, lambda size: range(size)[::-1])
    matched = match_paper(DOCUMENT, json.loads(paper.body))
    assert score(matched, {0: frozenset({1}), 1: frozenset({0, 2, 3})}).total == 3


def test_a_paper_that_reveals_its_key_is_rejected() -> None:
    """A paper must not show which choices are correct."""
    paper = json.loads(PAPER.body)
    paper["questions"][0]["choices"][0]["correct"] = True
    with pytest.raises(PaperMismatchError, match="not for students"):
        match_paper(DOCUMENT, paper)


def test_a_paper_that_differs_from_the_authored_exam_is_rejected() -> None:
    """A paper with a missing or changed question cannot be scored."""
    missing = json.loads(PAPER.body)
    missing["questions"].pop()
    with pytest.raises(PaperMismatchError, match="not shown"):
        match_paper(DOCUMENT, missing)
    altered = json.loads(PAPER.body)
    altered["questions"][1]["choices"][2]["text"] = "6"
    with pytest.raises(PaperMismatchError, match="authored choices"):
        match_paper(DOCUMENT, altered)
