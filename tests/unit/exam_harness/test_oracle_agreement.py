"""Engine and oracle, which share no code, agree on random documents, answers and policies."""

import json
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import parse_answer
from exam_core.questions.ordering_rules import OrderingRule, share_of
from exam_core.scoring import MultipleRule, Policy
from exam_core.scoring import score as core_score
from exam_core.shuffle import drawn
from exam_harness.oracle.checker import draw_fault
from exam_harness.oracle.content import parse_content, stored_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import SentAnswer
from exam_harness.oracle.ordering import order_share
from exam_harness.oracle.paper import drawn_of, match_paper
from exam_harness.oracle.scoring import score
from exam_harness.strategies.documents import DOCUMENTS, SECTIONED_DOCUMENTS, frozen_document, random_body
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.plan import Intent

POLICIES = st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans())


@given(DOCUMENTS | SECTIONED_DOCUMENTS, POLICIES, st.randoms(use_true_random=False), st.data())
def test_both_scorers_agree(document: dict[str, Any], policy: Policy, rng: Random, data: st.DataObject) -> None:
    """If engine and oracle score my answers under the same policy, they give the same degree, question by question."""
    text, paper, key = frozen_document(document, rng)
    shown = json.loads(paper.body)
    got = drawn(paper, rng.getrandbits(63)) if paper.draws else None
    shown["questions"] = [each if got is None or n in got else None for n, each in enumerate(shown["questions"])]
    authored = read_document(text)
    assert draw_fault(authored, got, drawn_of(shown)) == ""
    matched = match_paper(authored, shown)
    builder = AnswerBuilder(matched)
    answers: dict[int, dict[str, Any]] = {}
    for number in drawn_of(shown):
        question = shown["questions"][number]
        if data.draw(st.booleans()):
            answers[number] = random_body(question, data)
        else:
            answers[number] = builder.build(number, data.draw(st.sampled_from(Intent)), rng)
    saved = {number: parse_answer(paper, number, body) for number, body in answers.items()}
    platform = core_score(paper, key, policy, saved.items(), got)
    contents = {number: parse_content(body, matched.questions[number].kind) for number, body in answers.items()}
    oracle = score(matched, contents, policy.multiple.value, negative_total=policy.negative_total, drawn=got)
    assert oracle.maximum == authored.maximum
    assert oracle.points == tuple(None if points is None else Fraction(points) for points in platform.points)
    assert (oracle.total, oracle.maximum) == (Fraction(platform.total), Fraction(platform.maximum))
    assert oracle.answered == platform.answered
    for number, value in saved.items():
        # What is sent, stored, and shown on another device is one content, whose digest is in the receipt.
        kind = matched.questions[number].kind
        resumed = paper.questions[number].half.shown(value)
        assert contents[number] == stored_content(value.choice, value.value) == parse_content(resumed, kind)
        assert SentAnswer("", 1, number, 1, contents[number]).digest == value.digest


@given(st.sampled_from(OrderingRule), st.integers(2, 9).flatmap(lambda n: st.permutations(range(n))))
def test_both_score_an_order_alike(rule: OrderingRule, places: list[int]) -> None:
    """If I put items in any order, engine and oracle find the same part of it right."""
    assert order_share(rule.value, places) == share_of(rule, places)


def test_an_unknown_rule_is_an_error() -> None:
    """If the oracle does not know a rule, it does not guess."""
    with pytest.raises(ValueError, match="unknown rule"):
        order_share("nearly", [0, 1])
