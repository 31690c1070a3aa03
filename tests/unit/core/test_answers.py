"""Parsing of answers: any input gives an answer or a Problem."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue
from exam_core.answers import MAX_SEQ, answer_id_of, parse_answer, parse_seq
from exam_core.canonical import canonical, digest_of
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind

T = TypeVar("T")
HUGE = 10**5_000
"""More digits than Python converts to text."""
SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SINGLE, MULTIPLE, NUMERIC = 0, 1, 2
NUMBER_LIKE = st.text(st.sampled_from("0123456789.,+-eE_ ٣Infa"), max_size=70)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | NUMBER_LIKE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BODIES = ANYTHING | st.fixed_dictionaries(
    {}, optional={"seq": ANYTHING, "choices": ANYTHING | st.lists(st.integers(-1, 4)), "value": ANYTHING | NUMBER_LIKE}
)


def _result_of(call: Callable[[], T]) -> T | Problem:
    """Return a call's result or Problem; any other exception fails the test."""
    try:
        return call()
    except Problem as problem:
        return problem


@given(question=st.integers(), body=BODIES)
def test_any_body_gives_an_answer_or_a_problem(paper: Paper, question: int, body: Any) -> None:
    """Whatever my browser sends, I get a specific error; nothing crashes."""
    for number in (question, SINGLE, MULTIPLE, NUMERIC):
        outcome = _result_of(partial(parse_answer, paper, number, body))
        if isinstance(outcome, Problem):
            assert outcome.kind.status in {400, 422}
            assert len(outcome.detail) < 300
        else:
            assert parse_answer(paper, number, outcome.to_json()) == outcome


@given(BODIES)
def test_any_seq_is_a_number_from_1_or_a_problem(body: Any) -> None:
    """A seq is an integer that every JSON reader keeps exactly."""
    outcome = _result_of(partial(parse_seq, body))
    if isinstance(outcome, Problem):
        assert outcome.kind in {ProblemKind.INVALID, ProblemKind.MALFORMED}
    else:
        assert type(outcome) is int
        assert 1 <= outcome <= MAX_SEQ


@pytest.mark.parametrize("seq", [0, -1, MAX_SEQ + 1, True, 1.0, "1", None, [1], {}])
def test_an_invalid_seq_is_rejected(seq: Any) -> None:
    """A value that resembles a seq is not accepted as one."""
    with pytest.raises(Problem, match="seq must be a whole number"):
        parse_seq({"seq": seq})


@pytest.mark.parametrize(
    ("question", "body", "expected"),
    [
        (SINGLE, {"choices": [1]}, AnswerValue(choice=0b10)),
        (SINGLE, {"choices": []}, AnswerValue(choice=0)),
        (MULTIPLE, {"choices": [3, 0]}, AnswerValue(choice=0b1001)),
        (NUMERIC, {"value": "3.140"}, AnswerValue(value="3.14")),
        (NUMERIC, {"value": " -0,50 "}, AnswerValue(value="-0.5")),
        (NUMERIC, {"value": "1e3"}, AnswerValue(value="1000")),
        (NUMERIC, {"value": "\u2212٣\u066b٢٤"}, AnswerValue(value="-3.24")),
        (NUMERIC, {"value": "-0"}, AnswerValue(value="0")),
        (NUMERIC, {"value": None}, AnswerValue(value="")),
    ],
)
def test_equal_answers_have_one_form(paper: Paper, question: int, body: dict[str, Any], expected: AnswerValue) -> None:
    """3.140 and 3,14 are the same answer, and choices have no order."""
    assert parse_answer(paper, question, body) == expected
    assert expected.digest == digest_of(expected.to_json())


@pytest.mark.parametrize(
    ("question", "body", "kind"),
    [
        (3, {"choices": [0]}, ProblemKind.UNKNOWN_QUESTION),
        (-1, {"choices": [0]}, ProblemKind.UNKNOWN_QUESTION),
        pytest.param(HUGE, {"choices": [0]}, ProblemKind.UNKNOWN_QUESTION, id="huge-question"),
        (SINGLE, {}, ProblemKind.WRONG_ANSWER_KIND),
        (SINGLE, {"value": "1"}, ProblemKind.WRONG_ANSWER_KIND),
        (SINGLE, {"choices": [0], "value": None}, ProblemKind.WRONG_ANSWER_KIND),
        (NUMERIC, {"choices": [0]}, ProblemKind.WRONG_ANSWER_KIND),
        (SINGLE, {"choices": [0, 1]}, ProblemKind.TOO_MANY_CHOICES),
        (MULTIPLE, {"choices": [0, 1, 2, 3]}, ProblemKind.TOO_MANY_CHOICES),
        (SINGLE, {"choices": [2]}, ProblemKind.UNKNOWN_CHOICE),
        (SINGLE, {"choices": [-1]}, ProblemKind.UNKNOWN_CHOICE),
        (SINGLE, {"choices": [HUGE]}, ProblemKind.UNKNOWN_CHOICE),
        (MULTIPLE, {"choices": [1, 1]}, ProblemKind.INVALID),
        (MULTIPLE, {"choices": [True]}, ProblemKind.INVALID),
        (MULTIPLE, {"choices": "01"}, ProblemKind.INVALID),
        (MULTIPLE, {"choices": None}, ProblemKind.INVALID),
        (NUMERIC, {"value": 3.14}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": ""}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "NaN"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "Infinity"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1,234"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "٣3"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1_000"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1e101"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1e-101"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1e99999999999999999999"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "0e999"}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1" * 35}, ProblemKind.BAD_NUMBER),
        (NUMERIC, {"value": "1" * 65}, ProblemKind.BAD_NUMBER),
        (NUMERIC, [], ProblemKind.MALFORMED),
    ],
)
def test_an_invalid_answer_is_rejected_with_its_kind(paper: Paper, question: int, body: Any, kind: ProblemKind) -> None:
    """Each mistake has its own problem type, which my page can handle."""
    with pytest.raises(Problem) as refusal:
        parse_answer(paper, question, body)
    assert refusal.value.kind is kind


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (AnswerValue(choice=0b101), "3d279338-0786-8a65-aa7f-da26df5c8397"),
        (AnswerValue(value="3.14"), "6e9096d0-ffab-8891-8120-bee78e5ade2c"),
    ],
)
def test_a_retry_has_the_same_id_in_every_release(answer: AnswerValue, expected: str) -> None:
    """My answer, sent again to a server of another release, is the same answer."""
    answer_id = answer_id_of(sitting=SITTING, student=17, question=3, seq=2, answer=answer)
    assert str(answer_id) == expected
    assert (answer_id.version, answer_id.variant) == (8, "specified in RFC 4122")


CONTENTS = st.fixed_dictionaries(
    {
        "sitting": st.uuids(),
        "student": st.integers(1, 2**53 - 1),
        "question": st.integers(0, 3),
        "seq": st.integers(1, 3),
        "answer": st.builds(AnswerValue, choice=st.integers(0, 7)) | st.builds(AnswerValue, value=st.just("1")),
    }
)


@given(CONTENTS)
def test_the_id_is_derived_from_one_canonical_form(content: dict[str, Any]) -> None:
    """Anyone with a JSON library can compute my answer's id: of [sitting, student, question, seq, answer]."""
    fields = [str(content["sitting"]), content["student"], content["question"], content["seq"]]
    hashed = hashlib.sha256(b"exam-request\0" + canonical([*fields, content["answer"].to_json()])).digest()
    assert (answer_id_of(**content).int ^ int.from_bytes(hashed[:16])) & ~(0xF << 76 | 0x3 << 62) == 0


@given(CONTENTS, CONTENTS)
def test_another_answer_has_another_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A changed answer is never mistaken for a retry."""
    assert (answer_id_of(**one) == answer_id_of(**other)) is (one == other)


def test_an_ambiguous_number_is_refused_with_both_ways_to_write_it(paper: Paper) -> None:
    """1,234 is 1234 in one country and 1.234 in another: I am asked which one I mean."""
    with pytest.raises(Problem) as refusal:
        parse_answer(paper, NUMERIC, {"value": "1,234"})
    assert refusal.value.kind is ProblemKind.BAD_NUMBER
    assert refusal.value.detail == "question 2: '1,234' can be read in two ways: write '1234' or '1.234'"


def test_an_answer_is_choices_or_a_value() -> None:
    """An AnswerValue has exactly one of the two."""
    for choice, value in ((None, None), (1, "1")):
        with pytest.raises(ValueError, match="either choices or a value"):
            AnswerValue(choice=choice, value=value)
