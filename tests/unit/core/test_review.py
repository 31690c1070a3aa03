"""Review policies: what each of them shows, and the right answers."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.authored import AuthoredExam
from exam_core.paper import freeze, plain_text
from exam_core.questions.essay import Essay
from exam_core.review import Review, right_answers
from exam_core.scoring import Policy
from exam_harness.strategies.questions import EXAMS, permute_by


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
    assert [each["kind"] for each in shown] == [question.interaction.kind.value for question in questions]
    assert "secret" not in json.dumps(shown)
    assert all(each.keys() > {"kind"} for each in shown if each["kind"] != "essay")


@given(EXAMS, st.integers(0, 1000))
def test_right_answers_do_not_depend_on_the_numbering(exam: AuthoredExam, seed: int) -> None:
    """If a paper numbers its choices in another order, the right answers follow it."""
    paper, key = freeze(exam, permute_by(seed), plain_text)
    other_paper, other_key = freeze(exam, range, plain_text)
    pairs = (right_answers(paper, key, Policy()), right_answers(other_paper, other_key, Policy()))
    for here, there in zip(*pairs, strict=True):
        assert sorted(map(str, here.get("credits", []))) == sorted(map(str, there.get("credits", [])))
