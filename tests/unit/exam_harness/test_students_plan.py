"""Simulated students: profiles and plans depend on the seed and the index only."""

import json
from collections import Counter
from fractions import Fraction

import pytest

from exam_core.authoring.exam import read_exam
from exam_core.paper import freeze
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import parse_content
from exam_harness.oracle.scoring import score
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.plan import (
    Intent,
    SendAnswers,
    SendInvalidRequests,
    Submit,
    SwitchDevice,
    plan_actions,
    plan_late_answers,
)
from exam_harness.students.profile import InvalidRequests, draw_profile, random_stream

TEXT = """
exam: planned
title: Planned
level: year-1
questions:
  - {id: a, kind: single, text: "One?", choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]}
  - id: b
    kind: multiple
    max_choices: 2
    text: Primes?
    choices: [{id: a, text: "2", correct: true}, {id: b, text: "3", correct: true}, {id: c, text: "4"}]
  - {id: c, kind: numeric, text: "Pi?", answer: {value: "3.14", tolerance: "0.005"}}
  - {id: d, kind: numeric, text: "Whole?", answer: {value: "-7"}}
"""


def _plans(seed: int) -> list[object]:
    return [
        (draw_profile(seed, index), plan_actions(seed, index, draw_profile(seed, index), 20)) for index in range(60)
    ]


def test_a_seed_determines_profiles_and_plans() -> None:
    """A run can be repeated: the same seed gives every student the same profile and actions."""
    assert _plans(7) == _plans(7)
    assert _plans(7) != _plans(8)


def test_a_small_cohort_has_every_kind_of_student() -> None:
    """Among twenty students some send forged tokens, foreign answers, late answers or batches, or switch devices."""
    profiles = [draw_profile(1, index) for index in range(20)]
    assert {profile.invalid_requests for profile in profiles} == {None, InvalidRequests.FORGED, InvalidRequests.FOREIGN}
    assert any(profile.late for profile in profiles)
    assert any(profile.second_device for profile in profiles)
    assert any(profile.batch > 1 for profile in profiles)
    assert any(profile.batch == 1 for profile in profiles)


def test_most_students_start_within_the_first_second() -> None:
    """Nearly all start within a second of the opening, on networks that differ."""
    profiles = [draw_profile(1, index) for index in range(300)]
    assert sum(profile.start_delay < 1 for profile in profiles) > 270
    assert max(profile.latency for profile in profiles) > 10 * min(profile.latency for profile in profiles)


def test_actions_are_ordered_and_end_before_the_deadline() -> None:
    """The planned actions are in order of time and within the attempt."""
    for index in range(300):
        times = [action.at for action in plan_actions(3, index, draw_profile(3, index), 20)]
        assert times == sorted(times)
        assert times[0] > 0
        assert times[-1] < 0.97


def test_plans_contain_every_kind_of_action() -> None:
    """A cohort sends one to two and a half answers per question, with every kind of action and intent."""
    actions = [action for index in range(100) for action in plan_actions(5, index, draw_profile(5, index), 20)]
    requests = [action for action in actions if isinstance(action, SendAnswers)]
    answers = sum(len(request.answers) for request in requests)
    assert 100 * 20 < answers < 100 * 20 * 2.5
    assert len(requests) < answers
    assert {type(action) for action in actions} == {SendAnswers, SwitchDevice, SendInvalidRequests, Submit}
    intents = Counter(intent for request in requests for _, intent in request.answers)
    assert set(intents) == set(Intent)


def test_late_answers_are_for_different_questions() -> None:
    """Late answers are for questions of the paper, each at most once."""
    questions = [question for question, _ in plan_late_answers(1, 2, 20)]
    assert len(set(questions)) == len(questions) == 3
    assert set(questions) <= set(range(20))


@pytest.mark.parametrize(("intent", "total"), [(Intent.CORRECT, Fraction(4)), (Intent.WRONG, Fraction(0))])
def test_an_intent_becomes_an_answer_that_earns_accordingly(intent: Intent, total: Fraction) -> None:
    """A correct intent finds the correct choices whatever their numbers; a wrong one earns nothing."""
    document = read_document(TEXT)
    paper, _ = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, lambda size: range(size)[::-1])
    builder = AnswerBuilder.for_paper(document, json.loads(paper.body))
    for index in range(50):
        rng = random_stream(1, index, "pen")
        answers = {number: parse_content(builder.build(number, intent, rng)) for number in range(4)}
        assert score(builder.paper, answers).total == total


def test_a_blank_intent_withdraws_the_answer() -> None:
    """A blank is an empty list of choices or a null number."""
    document = read_document(TEXT)
    paper, _ = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, range)
    builder = AnswerBuilder.for_paper(document, json.loads(paper.body))
    rng = random_stream(1, 1, "pen")
    assert builder.build(0, Intent.BLANK, rng) == {"choices": []}
    assert builder.build(2, Intent.BLANK, rng) == {"value": None}
