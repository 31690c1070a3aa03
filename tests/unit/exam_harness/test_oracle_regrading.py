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
from exam_core.shuffle import drawn
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.paper import match_paper
from exam_harness.oracle.regrading import Rules, adjusted_score
from exam_harness.strategies.adjustments import adjustments
from exam_harness.strategies.documents import DOCUMENTS, frozen_document, random_body
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.plan import Intent

POLICIES = st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans())


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    """Documents of which every student gets some questions, but not all."""
    document: dict[str, Any] = dict(draw(DOCUMENTS.filter(lambda document: len(document["questions"]) > 1)))
    questions = [{**each, "weight": "2.5"} for each in document.pop("questions")]
    drawn_ = str(draw(st.integers(1, len(questions) - 1)))
    return {**document, "sections": [{"id": "s", "draw": drawn_, "questions": questions}]}


@given(DOCUMENTS | pools(), POLICIES, st.randoms(use_true_random=False), st.data())
def test_both_scorers_agree_on_a_revision(
    document: dict[str, Any], policy: Policy, rng: Random, data: st.DataObject
) -> None:
    """If a revision adjusts my exam, engine and oracle give me the same degree, question by question, drawn or not."""
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
    got = drawn(paper, data.draw(st.integers(0, 2**63 - 1)))
    platform = core_score(paper, key, replace(policy, adjustments=listed), saved.items(), got)
    contents = {number: parse_content(body, matched.questions[number].kind) for number, body in answers.items()}
    rules = Rules(multiple=policy.multiple.value, negative_total=policy.negative_total)
    stored = json.loads(json.dumps(listed.to_json()))["entries"]
    oracle = adjusted_score(matched, contents, rules, stored, drawn=got)
    assert oracle.points == tuple(None if points is None else Fraction(points) for points in platform.points)
    assert (oracle.total, oracle.maximum) == (Fraction(platform.total), Fraction(platform.maximum))
    assert oracle.answered == platform.answered
