"""Answers to every kind of question, over HTTP."""

from fractions import Fraction
from typing import Any

import pytest

from exam_core import limits
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.paper import Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import AcceptedText, ShortText
from exam_solver.testing.world import Process, World, slug_of

CHOICES = tuple(Choice(id=text, text=text, credit=Fraction(text == "a")) for text in "abc")
KINDS: tuple[Authored, ...] = (
    SingleChoice(choices=CHOICES),
    TrueFalse(answer=True),
    MultipleChoice(choices=CHOICES),
    Numeric(accepted=(Near(value=Fraction("3.14")),)),
    ShortText(accepted=(AcceptedText(text="Paris"),)),
    Matching(stems=tuple(Stem(id=text, text=text, target=text.upper()) for text in "abc"), distractors=("D",)),
    Ordering(items=tuple(Item(id=text, text=text) for text in "abc")),
    Essay(),
)
SENT: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"choices": [2]}, {"choices": [2]}),
    ({"choices": [1]}, {"choices": [1]}),
    ({"choices": [2, 0]}, {"choices": [0, 2]}),
    ({"value": "\u22123,50"}, {"value": "-3.5"}),
    ({"value": " cafe\u0301 "}, {"value": "caf\u00e9"}),
    ({"pairs": {"2": 1, "0": 3, "1": None}}, {"pairs": {"0": 3, "2": 1}}),
    ({"order": [2, 0, 1]}, {"order": [2, 0, 1]}),
    ({"value": "One.\r\n\r\nTwo."}, {"value": "One.\n\nTwo."}),
)
"""What a browser sends for each question, and what the student is shown of it afterwards."""
BLANK: tuple[dict[str, Any], ...] = (
    {"choices": []},
    {"choices": []},
    {"choices": []},
    {"value": None},
    {"value": None},
    {"pairs": {}},
    {"order": []},
    {"value": None},
)
TEXT, ESSAY = 4, 7


def _paper() -> Paper:
    questions = tuple(
        AuthoredQuestion(id=f"q{number}", text=f"Question {number}", interaction=each)
        for number, each in enumerate(KINDS)
    )
    return freeze(AuthoredExam(slug="all", title="All", instructions="", questions=questions), range, plain_text)[0]


@pytest.fixture
async def world() -> Any:
    """A platform whose paper has a question of each kind."""
    world = await World.create(paper=_paper())
    yield world
    await world.close()


async def test_every_kind_is_answered_and_shown_again(world: World, solver: Process, attempt: str) -> None:
    """Whatever the question, my answer is saved with a receipt, and I see it again on another device."""
    for number, (sent, _) in enumerate(SENT):
        response = await world.put_answer(solver, attempt, number, number + 1, **sent)
        assert response.status_code == 200, response.text
        assert response.json()["receipt"]
    other = await world.start_process()
    body = (await other.request("POST", world.path("attempt"), world.access_token())).json()
    assert body["answers"] == [
        {"question": number, "seq": number + 1, **shown} for number, (_, shown) in enumerate(SENT)
    ]
    sizes = [
        (len(choices), len(targets))
        for choices, targets in zip(body["order"]["choices"], body["order"]["targets"], strict=True)
    ]
    assert sizes == [(3, 0), (0, 0), (3, 0), (0, 0), (0, 0), (3, 4), (3, 0), (0, 0)]


async def test_what_i_am_shown_can_be_sent_again(world: World, solver: Process, attempt: str) -> None:
    """A page that saves what it received changes nothing: it is the same answer."""
    for number, (sent, shown) in enumerate(SENT):
        first = await world.put_answer(solver, attempt, number, number + 1, **sent)
        again = await world.put_answer(solver, attempt, number, number + 1, **shown)
        assert (again.status_code, again.json()["receipt"]) == (200, first.json()["receipt"])


async def test_every_kind_can_be_withdrawn(world: World, solver: Process, attempt: str) -> None:
    """I can withdraw any answer; the question is then not attempted."""
    for number, ((sent, _), blank) in enumerate(zip(SENT, BLANK, strict=True)):
        await world.put_answer(solver, attempt, number, 1, **sent)
        response = await world.put_answer(solver, attempt, number, 2 + number, **blank)
        assert response.status_code == 200, response.text
    other = await world.start_process()
    body = (await other.request("POST", world.path("attempt"), world.access_token())).json()
    assert [answer | {"seq": 0} for answer in body["answers"]] == [
        {"question": number, "seq": 0, **blank} for number, blank in enumerate(BLANK)
    ]


async def test_an_answer_in_the_form_of_another_kind_is_refused(world: World, solver: Process, attempt: str) -> None:
    """A page with a fault gets an error that says what to send, and nothing is saved."""
    response = await world.put_answer(solver, attempt, TEXT, 1, choices=[0])
    assert (response.status_code, slug_of(response)) == (422, "wrong-answer-kind")
    assert response.json()["detail"] == "question 4 is text: send 'value' and not 'choices'"
    assert not world.log.tables["answers"]


@pytest.mark.parametrize("character", ["a", "\u00e9", "\U0001f600"])
async def test_the_longest_essay_is_saved(world: World, solver: Process, attempt: str, character: str) -> None:
    """An essay of the longest length is saved in every script; one character more is refused, and says so."""
    essay = character * limits.MAX_ESSAY
    assert (await world.put_answer(solver, attempt, ESSAY, 1, value=essay)).status_code == 200
    response = await world.put_answer(solver, attempt, ESSAY, 2, value=essay + character)
    assert (response.status_code, slug_of(response)) == (422, "invalid")
    assert "has 20001 characters; at most 20000 are accepted" in response.json()["detail"]
