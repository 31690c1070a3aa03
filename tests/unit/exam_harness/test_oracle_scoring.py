"""Plain scoring against answers worked out by hand, and papers that do not show the authored exam."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from exam_core.authoring.exam import read_exam
from exam_core.paper import Paper, freeze, plain_text
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.paper import MatchedPaper, PaperMismatchError, match_paper, shown_text
from exam_harness.oracle.scoring import PROPORTIONAL, Score, round_to_cents, score

TEXT = r"""
exam: hand-made
title: Worked out by hand
level: year-1
questions:
  - {id: a, kind: single, weight: 2, text: "One?", choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"},
              {id: c, text: "one", credit: 1/3}, {id: d, text: "eleven", credit: "-0.5"}]}
  - id: b
    kind: multiple
    weight: 1
    text: Primes?
    choices: [{id: a, text: "2", correct: true}, {id: b, text: "3", correct: true}, {id: c, text: "4"},
              {id: d, text: "5", correct: true}]
  - {id: c, kind: numeric, weight: "0.10", text: "Pi?", answer: {value: "3.14", tolerance: "0.005"}}
  - {id: d, kind: true-false, text: "Two is prime.", answer: true, other_credit: -1}
  - id: e
    kind: multiple
    text: Squares?
    floor: -1/4
    cap: 3/4
    choices: [{id: a, text: "4", credit: 1/2}, {id: b, text: "9", credit: 1/2}, {id: c, text: "10", credit: "-0.75"}]
  - {id: f, kind: numeric, text: "Near 50?", unit: m,
     accepted: [{answer: "50"}, {answer: 50±10%, credit: 1/2}, {answer: "(60..70]", credit: 1/4}]}
  - {id: g, kind: text, text: "The capital of France?", wildcards: true,
     accepted: [Paris, {answer: "Par*s", credit: 1/2}, {answer: "\\*", credit: 1/4}]}
  - id: h
    kind: matching
    text: Match.
    stems: [{id: a, text: Italy, target: Rome}, {id: b, text: Spain, target: Madrid},
            {id: c, text: Lazio, target: Rome}]
    distractors: [Oslo]
  - {id: i, kind: ordering, rule: places, text: "Ascending?", items: [{id: a, text: "1"}, {id: b, text: "2"},
              {id: c, text: "3"}, {id: d, text: "4"}]}
  - {id: j, kind: essay, weight: 5, text: "Why?", template: "Because", max_words: 100, notes: Three reasons.}
"""
DOCUMENT = read_document(TEXT)


def frozen(text: str = TEXT, *, reverse: bool = False) -> Paper:
    """The paper of a document."""
    exam = read_exam(text, lambda _: pytest.fail("no images here")).exam
    return freeze(exam, lambda size: range(size)[::-1] if reverse else range(size), plain_text)[0]


PAPER = frozen()
SHOWN = json.loads(PAPER.body)
MATCHED = match_paper(DOCUMENT, SHOWN)
MAXIMUM = Fraction("14.1")


def scored(matched: MatchedPaper, answers: dict[int, dict[str, Any]], *rule: str, **options: Any) -> Score:
    """Score what students sent."""
    contents = {number: parse_content(body, matched.questions[number].kind) for number, body in answers.items()}
    return score(matched, contents, *rule, **options)


@pytest.mark.parametrize(
    ("answers", "total"),
    [
        ({}, "0"),
        ({0: {"choices": [0]}}, "2"),
        ({0: {"choices": [1]}}, "0"),
        ({0: {"choices": [2]}}, "0.67"),
        ({1: {"choices": [0, 1, 3]}}, "1"),
        ({1: {"choices": [0, 1]}}, "0"),
        ({2: {"value": "3.145"}}, "0.1"),
        ({2: {"value": "3.1451"}}, "0"),
        ({2: {"value": "3,14"}}, "0.1"),
        ({3: {"choices": [0]}}, "1"),
        ({4: {"choices": [0]}}, "0.5"),
        ({4: {"choices": [0, 1]}}, "0.75"),
        ({4: {"choices": [0, 1, 2]}}, "0.25"),
        ({5: {"value": "\u0665\u0660"}}, "1"),
        ({5: {"value": "45"}}, "0.5"),
        ({5: {"value": "60"}}, "0"),
        ({5: {"value": "60.1"}}, "0.25"),
        ({5: {"value": "70.01"}}, "0"),
        ({6: {"value": " paris "}}, "1"),
        ({6: {"value": "Parts"}}, "0.5"),
        ({6: {"value": "*"}}, "0.25"),
        ({6: {"value": "Par"}}, "0"),
        ({7: {"pairs": {"0": 2, "1": 0, "2": 2}}}, "1"),
        ({7: {"pairs": {"0": 2, "1": None, "2": 1}}}, "0.33"),
        ({8: {"order": [0, 1, 2, 3]}}, "1"),
        ({8: {"order": [0, 1, 3, 2]}}, "0.5"),
        ({9: {"value": "Because I say so."}}, "0"),
        ({0: {"choices": [0]}, 1: {"choices": [0, 1, 3]}, 2: {"value": "3.14"}}, "3.1"),
        ({0: {"choices": [0]}, 3: {"choices": [1]}}, "1"),
    ],
)
def test_an_answer_earns_what_its_rule_says(answers: dict[int, dict[str, Any]], total: str) -> None:
    """If a teacher scores my answers by hand, I get the same points."""
    result = scored(MATCHED, answers)
    assert (result.total, result.maximum) == (Fraction(total), MAXIMUM)


def test_a_total_is_negative_only_if_the_policy_allows_it() -> None:
    """If wrong answers cost me more than I earned, my total is 0, or negative where the exam says so."""
    answers = {0: {"choices": [3]}, 3: {"choices": [1]}}
    assert scored(MATCHED, answers).total == 0
    assert scored(MATCHED, answers, negative_total=True).total == -2
    assert scored(MATCHED, answers).points[:4] == (Fraction(-1), None, None, Fraction(-1))


def test_a_withdrawn_answer_is_not_answered() -> None:
    """If I withdraw an answer, it earns no points and does not count as answered."""
    blank: dict[int, dict[str, Any]] = {
        0: {"choices": []},
        2: {"value": None},
        6: {"value": " \t"},
        7: {"pairs": {"1": None}},
        8: {"order": []},
        9: {"value": "\n"},
    }
    result = scored(MATCHED, blank | {1: {"choices": [2]}})
    assert result.points == (None, 0, *[None] * 8)
    assert result.answered == 1


def test_an_essay_is_answered_and_has_no_points() -> None:
    """If I write an essay, it counts as answered and has no points until it is marked."""
    result = scored(MATCHED, {9: {"value": "Because"}})
    assert (result.points[9], result.answered) == (None, 1)


def test_proportional_scoring_gives_each_correct_choice_its_share() -> None:
    """If two of three correct and one wrong choice earn a third of the weight, it is rounded half up once."""
    assert score(MATCHED, {1: frozenset({0, 1, 2})}, PROPORTIONAL).total == Fraction("0.33")
    assert score(MATCHED, {1: frozenset({0, 1})}, PROPORTIONAL).total == Fraction("0.67")
    assert score(MATCHED, {1: frozenset({2})}, PROPORTIONAL).total == 0


def test_halves_of_a_cent_round_up() -> None:
    """If points end in half a cent, they are rounded up, also negative ones."""
    rounded = [round_to_cents(Fraction(text)) for text in ("0.005", "0.00499", "1.125", "-0.005", "-0.0051")]
    assert rounded == [Fraction(text) for text in ("0.01", "0", "1.13", "0", "-0.01")]


def test_an_answer_of_another_kind_is_an_error() -> None:
    """If a stored answer has the form of another kind, the oracle does not guess."""
    with pytest.raises(ValueError, match="takes choices"):
        score(MATCHED, {0: "3"})


def test_what_is_shown_is_matched_in_any_frozen_order() -> None:
    """If I pick a choice, a target or an item, it is the one whose text I saw, however the paper numbers it."""
    paper = frozen(reverse=True)
    matched = match_paper(DOCUMENT, json.loads(paper.body))
    shown = {number: question["kind"] for number, question in enumerate(json.loads(paper.body)["questions"])}
    assert tuple(shown.values()) == tuple(question.kind for question in matched.questions)
    answers: dict[int, dict[str, Any]] = {
        0: {"choices": [3]},
        1: {"choices": [0, 2, 3]},
        7: {"pairs": {"2": 0, "1": 2, "0": 0}},
        8: {"order": [3, 2, 1, 0]},
    }
    assert scored(matched, answers).total == 5


@pytest.mark.parametrize(
    ("question", "part"),
    [
        (0, {"correct": True}),
        (4, {"floor": "-1/4"}),
        (5, {"accepted": []}),
        (6, {"case": True}),
        (8, {"rule": "places"}),
        (9, {"notes": "Three reasons."}),
    ],
)
def test_a_paper_that_reveals_its_key_is_rejected(question: int, part: dict[str, Any]) -> None:
    """If a paper shows a part of the key, the oracle reports it."""
    paper = json.loads(PAPER.body)
    paper["questions"][question] |= part
    with pytest.raises(PaperMismatchError, match="not for students"):
        match_paper(DOCUMENT, paper)


@pytest.mark.parametrize("place", [(0, "choices"), (7, "stems"), (8, "items")])
def test_an_item_that_reveals_its_key_is_rejected(place: tuple[int, str]) -> None:
    """If a choice, a stem or an item shows more than its text and image, the oracle reports it."""
    paper = json.loads(PAPER.body)
    question, name = place
    paper["questions"][question][name][0]["id"] = "a"
    with pytest.raises(PaperMismatchError, match="not for students"):
        match_paper(DOCUMENT, paper)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ((1, "choices", 2, "text"), "6", "authored choices"),
        ((7, "stems", 0, "text"), "Norway", "authored choices, stems"),
        ((7, "targets", 0), "Bergen", "authored targets"),
        ((8, "items", 0, "text"), "5", "authored choices, stems or items"),
        ((5, "unit"), "km", "shows"),
        ((9, "max_words"), 99, "shows"),
        ((0, "weight"), "3", "weight 3"),
        ((0, "text"), "Two?", "matches 0 authored questions"),
    ],
)
def test_a_paper_that_differs_from_the_authored_exam_is_rejected(place: Any, value: object, reason: str) -> None:
    """If a paper shows something else than was written, its answers cannot be scored."""
    paper = json.loads(PAPER.body)
    node = paper["questions"]
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    with pytest.raises(PaperMismatchError, match=reason):
        match_paper(DOCUMENT, paper)


def test_a_paper_of_format_1_is_matched() -> None:
    """If a paper was frozen before there were more kinds, its answers are scored as before."""
    head = {"format": 1, "exam": "hand-made", "title": "", "instructions": ""}
    paper = head | {"questions": SHOWN["questions"][1:3]}
    matched = match_paper(replace(DOCUMENT, questions=DOCUMENT.questions[1:3]), paper)
    result = scored(matched, {0: {"choices": [0, 1, 3]}, 1: {"value": "3.14"}})
    assert result.points == (Fraction(1), Fraction("0.1"))


def test_a_paper_without_a_question_is_rejected() -> None:
    """If a question is not shown, the oracle reports it."""
    paper = json.loads(PAPER.body)
    paper["questions"].pop()
    with pytest.raises(PaperMismatchError, match="not shown"):
        match_paper(DOCUMENT, paper)


@pytest.mark.parametrize(
    ("text", "form", "seen"),
    [
        ("  a **bold**\n claim", "markdown", "a bold claim"),
        (r"\(x < 3\)", "markdown", "x < 3"),
        ("<p>x &lt; <b>3</b></p>", "html", "x < 3"),
        ("x < 3 and x > 1", "plain", "x < 3 and x > 1"),
    ],
)
def test_markup_is_not_seen(text: str, form: str, seen: str) -> None:
    """If a text has markup, what a reader sees of it is the same with and without."""
    assert shown_text(text, form) == shown_text(seen) == seen
