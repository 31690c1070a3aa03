"""Simulated students: what they are and mean to do depends on the seed and their place alone."""

import json
from collections import Counter
from fractions import Fraction

import pytest

from exam_core.authoring import read_exam
from exam_core.paper import freeze
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import content_of
from exam_harness.oracle.scoring import score
from exam_harness.students.answer_builder import Pen
from exam_harness.students.plan import ChangesDevice, Misbehaves, Submits, Wish, Writes, late_wishes, plan_of
from exam_harness.students.profile import Mischief, chance_of, traits_of

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
    return [(traits_of(seed, index), plan_of(seed, index, traits_of(seed, index), 20)) for index in range(60)]


def test_the_same_seed_plans_the_same_sitting() -> None:
    """A run can be repeated: the same seed gives every student the same character and timeline."""
    assert _plans(7) == _plans(7)
    assert _plans(7) != _plans(8)


def test_even_a_small_crowd_has_everyone_the_demo_must_see() -> None:
    """Among twenty students are a forger, one with another exam's answers, late ones, batches, second devices."""
    traits = [traits_of(1, index) for index in range(20)]
    assert {one.mischief for one in traits} == {None, Mischief.FORGED, Mischief.FOREIGN}
    assert any(one.late for one in traits)
    assert any(one.second_device for one in traits)
    assert any(one.batch > 1 for one in traits)
    assert any(one.batch == 1 for one in traits)


def test_most_students_start_in_the_same_second() -> None:
    """Nearly everyone begins within a second of the opening, on networks that differ."""
    traits = [traits_of(1, index) for index in range(300)]
    assert sum(one.starts_after < 1 for one in traits) > 270
    assert max(one.latency for one in traits) > 10 * min(one.latency for one in traits)


def test_plans_are_in_order_and_end_before_the_deadline() -> None:
    """What a student means to do is in order of time and within the time they have."""
    for index in range(300):
        times = [act.at for act in plan_of(3, index, traits_of(3, index), 20)]
        assert times == sorted(times)
        assert times[0] > 0
        assert times[-1] < 0.97


def test_students_answer_nearly_everything_and_change_their_minds() -> None:
    """A crowd gives about one and a half answers a question, each kind of act occurs, some in one request."""
    acts = [act for index in range(100) for act in plan_of(5, index, traits_of(5, index), 20)]
    writes = [act for act in acts if isinstance(act, Writes)]
    answers = sum(len(act.answers) for act in writes)
    assert 100 * 20 < answers < 100 * 20 * 2.5
    assert len(writes) < answers
    assert {type(act) for act in acts} == {Writes, ChangesDevice, Misbehaves, Submits}
    wishes = Counter(wish for act in writes for _, wish in act.answers)
    assert set(wishes) == set(Wish)


def test_late_answers_name_questions_of_the_paper_once() -> None:
    """What is answered late are real questions, each once."""
    asked = [question for question, _ in late_wishes(1, 2, 20)]
    assert len(set(asked)) == len(asked) == 3
    assert set(asked) <= set(range(20))


@pytest.mark.parametrize(("wish", "total"), [(Wish.RIGHT, Fraction(4)), (Wish.WRONG, Fraction(0))])
def test_a_wish_becomes_an_answer_that_earns_what_was_wished(wish: Wish, total: Fraction) -> None:
    """Who knows an exam finds the right choices whatever their numbers; who does not, misses."""
    document = read_document(TEXT)
    paper, _ = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, lambda size: range(size)[::-1])
    pen = Pen.of(document, json.loads(paper.body))
    for index in range(50):
        chance = chance_of(1, index, "pen")
        answers = {number: content_of(pen.write(number, wish, chance)) for number in range(4)}
        assert score(pen.shown, answers).total == total


def test_a_blank_takes_an_answer_back() -> None:
    """Blank is an empty list of choices or no number."""
    document = read_document(TEXT)
    paper, _ = freeze(read_exam(TEXT, lambda _: pytest.fail("no images here")).exam, range)
    pen = Pen.of(document, json.loads(paper.body))
    chance = chance_of(1, 1, "pen")
    assert pen.write(0, Wish.BLANK, chance) == {"choices": []}
    assert pen.write(2, Wish.BLANK, chance) == {"value": None}
