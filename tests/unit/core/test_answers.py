"""What a student sends is an answer or a reason why it is none, whatever it is."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import MAX_SEQ, AnswerValue, answer_id_of, parse_answer, parse_decimal, parse_seq, shown
from exam_core.canonical import canonical, digest_of
from exam_core.paper import Paper, decimal_text
from exam_core.problems import Problem, ProblemKind

T = TypeVar("T")
HUGE = 10**5_000
"""More digits than Python writes out."""
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
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**40), max_value=10**40)


def _tried(call: Callable[[], T]) -> T | Problem:
    """What a call gives, a refusal included; anything else that it raises fails the test."""
    try:
        return call()
    except Problem as problem:
        return problem


@given(question=st.integers(), body=BODIES)
def test_anything_at_all_is_an_answer_or_a_problem(paper: Paper, question: int, body: Any) -> None:
    """However odd what my browser sends, I am told what is wrong with it; nothing crashes."""
    for number in (question, SINGLE, MULTIPLE, NUMERIC):
        outcome = _tried(partial(parse_answer, paper, number, body))
        if isinstance(outcome, Problem):
            assert outcome.kind.status in {400, 422}
            assert len(outcome.detail) < 300
        else:
            assert parse_answer(paper, number, outcome.to_json()) == outcome


@given(BODIES)
def test_a_seq_is_a_whole_number_from_1_or_a_problem(body: Any) -> None:
    """Only what every JSON reader keeps exactly can order my changes of mind."""
    outcome = _tried(partial(parse_seq, body))
    if isinstance(outcome, Problem):
        assert outcome.kind in {ProblemKind.INVALID, ProblemKind.MALFORMED}
    else:
        assert type(outcome) is int
        assert 1 <= outcome <= MAX_SEQ


@pytest.mark.parametrize("seq", [0, -1, MAX_SEQ + 1, True, 1.0, "1", None, [1], {}])
def test_what_is_no_seq_is_refused(seq: Any) -> None:
    """A seq that looks nearly right is not taken for one."""
    with pytest.raises(Problem, match="seq must be a whole number"):
        parse_seq({"seq": seq})


@pytest.mark.parametrize(
    ("question", "body", "said"),
    [
        (SINGLE, {"choices": [1]}, AnswerValue(choice=0b10)),
        (SINGLE, {"choices": []}, AnswerValue(choice=0)),
        (MULTIPLE, {"choices": [3, 0]}, AnswerValue(choice=0b1001)),
        (NUMERIC, {"value": "3.140"}, AnswerValue(value="3.14")),
        (NUMERIC, {"value": " -0,50 "}, AnswerValue(value="-0.5")),
        (NUMERIC, {"value": "1e3"}, AnswerValue(value="1000")),
        (NUMERIC, {"value": "-0"}, AnswerValue(value="0")),
        (NUMERIC, {"value": None}, AnswerValue(value="")),
    ],
)
def test_what_a_student_means_is_kept_in_one_form(
    paper: Paper, question: int, body: dict[str, Any], said: AnswerValue
) -> None:
    """3.140 and 3,14 are the same answer, and choices have no order."""
    assert parse_answer(paper, question, body) == said
    assert said.digest == digest_of(said.to_json())


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
        (NUMERIC, {"value": "٣"}, ProblemKind.BAD_NUMBER),
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
def test_what_is_no_answer_is_refused_by_its_reason(paper: Paper, question: int, body: Any, kind: ProblemKind) -> None:
    """Each mistake has a name that my page can act on."""
    with pytest.raises(Problem) as refusal:
        parse_answer(paper, question, body)
    assert refusal.value.kind is kind


@given(DECIMALS, st.integers(0, 6))
def test_a_number_has_one_text(number: Decimal, zeros: int) -> None:
    """However many zeros I type, my answer is saved once; two different numbers never read the same."""
    text = decimal_text(number)
    assert Decimal(text) == number
    assert "E" not in text
    assert text not in {"-0", ""}
    padded = Decimal(text + "0" * zeros) if "." in text else Decimal(f"{text}.{'0' * zeros}")
    assert decimal_text(padded) == text
    assert decimal_text(number.normalize()) == text or number != number.normalize()


@given(NUMBER_LIKE)
def test_a_number_is_read_as_decimal_reads_it_or_not_at_all(text: str) -> None:
    """No number means something else here than it does on paper."""
    try:
        number = parse_decimal(text)
    except ValueError:
        return
    assert number == Decimal(text.strip().replace(",", "."))
    assert number.is_finite()


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (AnswerValue(choice=0b101), "3d279338-0786-8a65-aa7f-da26df5c8397"),
        (AnswerValue(value="3.14"), "6e9096d0-ffab-8891-8120-bee78e5ade2c"),
    ],
)
def test_a_retry_has_the_same_name_in_every_release(answer: AnswerValue, name: str) -> None:
    """My answer sent again, to another server of another release, is the same answer."""
    answer_id = answer_id_of(sitting=SITTING, student=17, question=3, seq=2, answer=answer)
    assert str(answer_id) == name
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
def test_another_answer_has_another_name(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A change of mind is never taken for a repetition."""
    assert (answer_id_of(**one) == answer_id_of(**other)) is (one == other)


def test_an_answer_is_choices_or_a_number() -> None:
    """Programs cannot make an answer that is both or neither."""
    for choice, value in ((None, None), (1, "1")):
        with pytest.raises(ValueError, match="either choices or a number"):
            AnswerValue(choice=choice, value=value)


@given(ANYTHING | st.integers(min_value=10**100))
def test_what_is_shown_of_a_value_is_short(value: Any) -> None:
    """An error message stays a sentence whatever was sent."""
    assert len(shown(value)) <= 500


def test_what_is_shown_is_quoted() -> None:
    """I recognise what I sent."""
    assert [shown("a"), shown("b" * 50)] == ["'a'", f"'{'b' * 37}...'"]
    assert [shown(None), shown(3), shown(HUGE)] == ["None", "3", "a very large number"]
    assert [shown([1]), shown({})] == ["a list", "an object"]
