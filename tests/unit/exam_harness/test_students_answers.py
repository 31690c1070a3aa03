"""Answers of simulated students: an intent becomes what people type, and invalid answers are refused."""

import json
import unicodedata
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from exam_core.answers import parse_answer
from exam_core.authoring.exam import read_exam
from exam_core.paper import Paper, freeze, plain_text
from exam_core.problems import Problem
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import History
from exam_harness.oracle.scoring import share
from exam_harness.students import invalid_requests
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.http import Request, Response
from exam_harness.students.invalid_answers import invalid_answers
from exam_harness.students.invalid_requests import send_invalid_answers
from exam_harness.students.network import Gateway, StudentNetwork
from exam_harness.students.plan import Intent
from exam_harness.students.profile import draw_profile, random_stream
from exam_harness.students.spellings import spell_number

TEXT = r"""
exam: planned
title: Planned
level: year-1
questions:
  - {id: a, kind: single, text: "One?", choices: [{id: a, text: "1", correct: true}, {id: b, text: "2", credit: 1/2},
              {id: c, text: "3"}]}
  - id: b
    kind: multiple
    max_choices: 2
    text: Primes?
    choices: [{id: a, text: "2", correct: true}, {id: b, text: "3", correct: true}, {id: c, text: "4"}]
  - id: c
    kind: multiple
    text: Squares?
    choices: [{id: a, text: "4", credit: 1/2}, {id: b, text: "9", credit: 1/2}, {id: c, text: "10", credit: -1/2}]
  - {id: d, kind: true-false, text: "Two is prime.", answer: true}
  - {id: e, kind: numeric, text: "Pi?", accepted: [3.14±0.005, {answer: "(3..4)", credit: 1/2}]}
  - {id: f, kind: numeric, text: "Whole?", answer: {value: "-7"}}
  - {id: g, kind: numeric, text: "A third of 7?", accepted: ["7*/3"]}
  - {id: h, kind: text, text: "A café?", wildcards: true, accepted: [Café au lait, {answer: "Caf*", credit: 1/3}]}
  - id: i
    kind: matching
    text: Match.
    stems: [{id: a, text: Italy, target: Rome}, {id: b, text: Spain, target: Madrid}]
    distractors: [Oslo]
  - {id: j, kind: ordering, rule: places, text: "Ascending?", items: [{id: a, text: "1"}, {id: b, text: "2"},
              {id: c, text: "3"}, {id: d, text: "4"}]}
  - {id: k, kind: essay, text: "Why?", template: "Because ", max_characters: 60}
"""
ESSAY = 10
SCORED = range(ESSAY)
HAVE_PARTS = {0, 2, 4, 7, 8, 9}
"""The questions of which an answer can be partly right."""


def _frozen(*, reverse: bool = True) -> Paper:
    exam = read_exam(TEXT, lambda _: pytest.fail("no images here")).exam
    return freeze(exam, lambda size: range(size)[::-1] if reverse else range(size), plain_text)[0]


PAPER = _frozen()
SHOWN: dict[str, Any] = json.loads(PAPER.body)
BUILDER = AnswerBuilder.for_paper(read_document(TEXT), SHOWN)


def _shares(number: int, intent: Intent) -> set[Fraction]:
    """The shares of many answers with an intent, each of which the platform accepts."""
    found = set()
    for index in range(60):
        body = BUILDER.build(number, intent, random_stream(1, index, "pen"))
        parse_answer(PAPER, number, body)
        found.add(share(BUILDER.paper, number, parse_content(body, BUILDER.kind(number))) or Fraction(0))
    return found


@pytest.mark.parametrize("number", SCORED)
def test_an_intent_becomes_an_answer_that_earns_accordingly(number: int) -> None:
    """If I know the answer, I earn all of its weight whatever the numbers in the paper; if I do not, nothing."""
    assert _shares(number, Intent.CORRECT) == {1}
    assert max(_shares(number, Intent.WRONG)) <= 0


@pytest.mark.parametrize("number", SCORED)
def test_a_half_known_answer_earns_a_part_where_there_is_one(number: int) -> None:
    """If I half know the answer, I earn a part of it; where an answer is right or wrong, it is wrong."""
    parts = _shares(number, Intent.PARTLY)
    assert all(0 < part < 1 for part in parts) if number in HAVE_PARTS else max(parts) <= 0


def test_a_blank_intent_withdraws_the_answer() -> None:
    """If I withdraw an answer of any kind, the platform stores a blank one."""
    for index in range(20):
        for number in range(len(SHOWN["questions"])):
            body = BUILDER.build(number, Intent.BLANK, random_stream(1, index, "pen"))
            assert parse_answer(PAPER, number, body).blank
            assert not parse_content(body, BUILDER.kind(number))
    assert BUILDER.build(0, Intent.BLANK, Random(1)) == {"choices": []}
    assert BUILDER.build(5, Intent.BLANK, Random(1)) == {"value": None}


def test_an_answer_that_is_meant_is_never_blank() -> None:
    """If every text is accepted, also an empty one, I still write something."""
    text = (
        "{exam: any, title: Any, level: year-1, questions: "
        "[{id: a, kind: text, text: Say, wildcards: true, accepted: ['*']}]}"
    )
    exam = read_exam(text, lambda _: pytest.fail("no images here")).exam
    paper = freeze(exam, range, plain_text)[0]
    builder = AnswerBuilder.for_paper(read_document(text), paper.content)
    for seed in range(30):
        assert not parse_answer(paper, 0, builder.build(0, Intent.CORRECT, Random(seed))).blank


def test_the_oracle_knows_what_the_platform_stores() -> None:
    """If I type a number or a text in any way, the platform stores the one form that the oracle expects."""
    for index in range(60):
        for number in range(len(SHOWN["questions"])):
            for intent in Intent:
                body = BUILDER.build(number, intent, random_stream(2, index, "pen"))
                saved, content = parse_answer(PAPER, number, body), parse_content(body, BUILDER.kind(number))
                assert content == (saved.value or None) if saved.choice is None else content is not None, (body, saved)


def test_essays_have_several_lines_and_keep_the_limit() -> None:
    """If I write an essay, it begins with the template, and has line ends, accents and no more than the limit."""
    essays = [BUILDER.build(ESSAY, Intent.CORRECT, Random(seed))["value"] for seed in range(50)]
    assert all(essay.startswith("Because ") and len(essay) <= 60 for essay in essays)
    assert any("\r\n" in essay for essay in essays)
    assert any(unicodedata.normalize("NFC", essay) != essay for essay in essays)


def test_numbers_are_typed_in_many_ways() -> None:
    """If I type -1.234, it is with other digits, signs and spaces, and never with an ambiguous comma."""
    typed = {spell_number("-1.234", Random(seed)) for seed in range(200)}
    assert "-1,2340" in typed
    assert "-1,234" not in typed
    assert any("\u2212" in each for each in typed)
    assert any("\u0661" in each for each in typed)
    assert any("\u0967" in each for each in typed)
    assert len(typed) >= 7


INVALID = [
    pytest.param(number, body, slug, id=f"{shown['kind']}: {reason}")
    for number, shown in enumerate(SHOWN["questions"])
    for reason, body, slug in invalid_answers(shown)
]


@pytest.mark.parametrize(("number", "body", "slug"), INVALID)
def test_an_invalid_answer_is_refused_for_what_is_wrong(number: int, body: dict[str, Any], slug: str) -> None:
    """If I send an answer that the question does not accept, the platform's own rules say what is wrong with it."""
    with pytest.raises(Problem) as caught:
        parse_answer(PAPER, number, body)
    assert caught.value.kind.slug == slug


class _Platform:
    """Checks answers by the platform's own rules, or accepts every one of them."""

    def __init__(self, *, accepts: bool = False) -> None:
        self.accepts = accepts
        self.requests = 0

    async def __call__(self, request: Request, *, abort_after: float | None = None) -> Response:
        """Respond to one answer; the first one is refused because the sitting is paused."""
        del abort_after
        self.requests += 1
        if self.requests == 1:
            return _response(409, {"type": "https://examplatform.dev/problems/sitting-paused"})
        try:
            parse_answer(PAPER, int(request.target.rpartition("/")[2]), json.loads(request.body))
        except Problem as problem:
            return _response(200, {}) if self.accepts else _response(problem.kind.status, problem.body())
        return _response(200, {})


def _response(status: int, body: object) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


async def _send_invalid_answers(platform: _Platform, paper: dict[str, Any]) -> History:
    history = History()
    profile = replace(draw_profile(1, 11), latency=0.0, response_loss=0.0)
    network = StudentNetwork(Gateway(platform), profile, Random(1))
    await send_invalid_answers(network, history, sitting="s", student=1, token="attempt", paper=paper, rng=Random(1))
    return history


async def test_invalid_answers_are_sent_until_they_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """If I send invalid answers, each of them is refused, in a pause too once it is over."""
    monkeypatch.setattr(invalid_requests, "_RETRY_DELAY", 0.0)
    platform = _Platform()
    history = await _send_invalid_answers(platform, SHOWN)
    assert (history.counts["invalid_refused"], history.violations) == (10, [])
    assert platform.requests == 11


async def test_an_invalid_answer_that_is_accepted_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the platform accepts invalid answers, the history records each of them (negative control)."""
    monkeypatch.setattr(invalid_requests, "_RETRY_DELAY", 0.0)
    history = await _send_invalid_answers(_Platform(accepts=True), SHOWN)
    assert len(history.violations) == 10
    assert history.counts["invalid_refused"] == 0


async def test_a_refusal_for_another_reason_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the platform takes an invalid answer for one of another kind, the history records it (negative control)."""
    monkeypatch.setattr(invalid_requests, "_RETRY_DELAY", 0.0)
    # The student believes that the first four questions, which take choices, take a number.
    paper = {"questions": [SHOWN["questions"][4]] * 4}
    history = await _send_invalid_answers(_Platform(), paper)
    assert history.violations
