"""Engine and oracle, which share no code, agree on the adjustments of a revision."""

import json
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import parse_answer
from exam_core.scoring import MultipleRule, Policy
from exam_core.scoring import score as core_score
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.paper import match_paper
from exam_harness.oracle.regrading import Rules, adjusted_score
from exam_harness.strategies.adjustments import adjustments
from exam_harness.strategies.documents import DOCUMENTS, frozen_document, random_body
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.plan import Intent

POLICIES = st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans())


@given(DOCUMENTS, POLICIES, st.randoms(use_true_random=False), st.data())
def test_both_scorers_agree_on_a_revision(
    document: dict[str, Any], policy: Policy, rng: Random, data: st.DataObject
) -> None:
    """If a revision adjusts my exam, engine and oracle give me the same degree, question by question."""
    text, paper, key = frozen_document(document, rng)
    shown = json.loads(paper.body)
    matched = match_paper(read_document(text), shown)
    builder = AnswerBuilder(matched)
    listed = data.draw(adjustments(paper, key))
    answers: dict[int, dict[str, Any]] = {}
    for number, question in enumerate(shown["questions"]):
        if data.draw(st.booleans()):
            answers[number] = random_body(question, data)
        elif data.draw(st.booleans()):
            answers[number] = builder.build(number, data.draw(st.sampled_from(Intent)), rng)
    saved = {number: parse_answer(paper, number, body) for number, body in answers.items()}
    platform = core_score(paper, key, replace(policy, adjustments=listed), saved.items())
    contents = {number: parse_content(body, matched.questions[number].kind) for number, body in answers.items()}
    rules = Rules(multiple=policy.multiple.value, negative_total=policy.negative_total)
    stored = json.loads(json.dumps(listed.to_json()))["entries"]
    oracle = adjusted_score(matched, contents, rules, stored)
    assert oracle.points == tuple(None if points is None else Fraction(points) for points in platform.points)
    assert (oracle.total, oracle.maximum) == (Fraction(platform.total), Fraction(platform.maximum))
    assert oracle.answered == platform.answered
