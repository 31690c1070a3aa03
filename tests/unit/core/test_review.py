"""Review policies: what each of them shows, and the right answers."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.adjustments.listing import Adjustments
from exam_core.adjustments.model import SetChoiceCredit
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.paper import freeze, plain_text
from exam_core.questions.choices import Choice, SingleChoice
from exam_core.questions.essay import Essay
from exam_core.review import Review, paper_of, right_answers
from exam_core.scoring import Policy
from exam_core.shuffle import drawn
from exam_harness.strategies.questions import EXAMS, SECTIONED, permute_by


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ("nothing", []),
        ("degree", ["degree"]),
        ("points", ["degree", "points"]),
        ("paper", ["degree", "points", "paper"]),
        ("key", ["degree", "points", "paper", "key"]),
    ],
)
def test_each_policy_shows_what_those_before_it_show(policy: str, shown: list[str]) -> None:
    """If an author selects a policy, students see what it names and all that is less."""
    parts = [part for part in Review if part is not Review.NOTHING]
    assert [part.value for part in parts if Review(policy).shows(part)] == shown


@given(EXAMS, st.integers(0, 1000))
def test_right_answers_name_nothing_of_the_author(exam: AuthoredExam, seed: int) -> None:
    """If students see the right answers of any exam, they see numbers of the paper: no ids, and no marker's notes."""
    questions = [
        replace(
            question,
            id=f"secret-{question.id}",
            interaction=replace(question.interaction, notes="secret")
            if isinstance(question.interaction, Essay)
            else question.interaction,
        )
        for question in exam.questions
    ]
    paper, key = freeze(replace(exam, questions=tuple(questions)), permute_by(seed), plain_text)
    shown = right_answers(paper, key, Policy())
    assert [each and each["kind"] for each in shown] == [question.interaction.kind.value for question in questions]
    assert "secret" not in json.dumps(shown)
    assert all(each and (each.keys() > {"kind"} or each["kind"] == "essay") for each in shown)


@given(EXAMS, st.integers(0, 1000))
def test_right_answers_do_not_depend_on_the_numbering(exam: AuthoredExam, seed: int) -> None:
    """If a paper numbers its choices in another order, the right answers follow it."""
    paper, key = freeze(exam, permute_by(seed), plain_text)
    other_paper, other_key = freeze(exam, range, plain_text)
    pairs: tuple[Any, Any] = (right_answers(paper, key, Policy()), right_answers(other_paper, other_key, Policy()))
    for here, there in zip(*pairs, strict=True):
        assert sorted(map(str, here.get("credits", []))) == sorted(map(str, there.get("credits", [])))


@given(SECTIONED, st.integers(0, 2**63 - 1))
def test_a_review_shows_drawn_questions_alone(exam: AuthoredExam, seed: int) -> None:
    """If questions were drawn for me, I see neither text nor right answer of any other one."""
    marked = (replace(question, text=f"text-{n}.") for n, question in enumerate(exam.questions))
    paper, key = freeze(replace(exam, questions=tuple(marked)), range, plain_text)
    got = drawn(paper, seed) if paper.draws else None
    given = set(range(len(exam.questions)) if got is None else got)
    shown = paper_of(paper, got)
    assert {n for n, question in enumerate(shown["questions"]) if question} == given
    assert {n for n in range(len(exam.questions)) if f"text-{n}." in json.dumps(shown)} == given
    assert {n for n, answer in enumerate(right_answers(paper, key, Policy(), got)) if answer} == given


def test_right_answers_are_those_of_the_revision() -> None:
    """If a revision changed a credit, I see the new one and the reason, on its question alone."""
    choices = tuple(Choice(id=name, text=name, credit=Fraction(name == "a")) for name in "ab")
    question = AuthoredQuestion(id="q", text="q", interaction=SingleChoice(choices=choices), weight=Decimal(1))
    exam = AuthoredExam(slug="e", title="E", instructions="", questions=(question, replace(question, id="p", text="p")))
    paper, key = freeze(exam, range, plain_text)
    change = SetChoiceCredit(question=1, choice=1, credit=Fraction(1, 2), reason="b is nearly right")
    shown = right_answers(paper, key, Policy(adjustments=Adjustments(entries=(change,), salt="secret")))
    assert [each and each["credits"] for each in shown] == [["1", "0"], ["1", "1/2"]]
    assert [each and each.get("adjustments") for each in shown] == [None, [change.to_json()]]
    assert "secret" not in json.dumps(shown)
