"""What holds for every kind of question: halves, answers and outcomes."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.adjustments.apply import under
from exam_core.answer_value import AnswerValue
from exam_core.canonical import canonical
from exam_core.problems import Problem
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, MultipleRule, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, KeyHalf, KindName, StudentHalf, Unscored, outcome, split
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.registry import key_half, student_half
from exam_core.questions.text import AcceptedText, ShortText
from exam_harness.strategies.questions import AUTHORED, KINDS, NUMERICS, SHORT_TEXTS, orderings, permute_by

HUGE = 10**5_000
"""More digits than Python converts to text."""
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 30)
    | st.integers(10**50, 10**60)
    | st.floats()
    | st.text(max_size=60)
    | st.sampled_from(["1,234", "3,14", "a", "\ud800", "\x00", "a\nb", "\u2028a\u2028b"])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text("0123", max_size=2), inner, max_size=4)
)
MEMBERS = {
    "choices": ANYTHING | st.lists(st.integers(-1, 6), max_size=4, unique=True),
    "value": ANYTHING,
    "pairs": ANYTHING | st.dictionaries(st.sampled_from(["0", "1", "2"]), st.none() | st.integers(0, 3)),
    "order": ANYTHING | st.integers(2, 6).flatmap(lambda n: st.permutations(range(n))),
}
BODIES = (
    ANYTHING
    | st.fixed_dictionaries({}, optional=MEMBERS)
    | st.sampled_from(sorted(MEMBERS)).flatmap(lambda name: st.fixed_dictionaries({name: MEMBERS[name]}))
)


def halves(authored: Authored, seed: int = 0) -> tuple[StudentHalf, KeyHalf]:
    """Freeze a question without faults; what it leaves to a policy has the usual one."""
    assert list(authored.faults()) == []
    half, key = split(authored, permute_by(seed))
    return half, under(key, MultipleRule.ALL_OR_NOTHING)


@pytest.mark.parametrize("kind", KindName)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_both_halves_are_read_back(kind: KindName, data: st.DataObject, seed: int) -> None:
    """A stored paper and key are the same questions again, in one canonical form each."""
    half, key = halves(data.draw(KINDS[kind]), seed)
    assert half.kind is kind
    read_half = student_half(json.loads(canonical(half.to_json())))
    read_key = key_half(json.loads(canonical(key.to_json())))
    assert (read_half, read_key) == (half, key)
    assert read_half.to_json() == half.to_json()
    assert read_key.to_json() == key.to_json()
    assert half.to_json()["kind"] == key.to_json()["kind"] == kind.value


@given(AUTHORED, st.integers(0, 1000))
def test_a_wrong_permutation_is_rejected(authored: Authored, seed: int) -> None:
    """No choice, stem or item can get lost or be there twice."""
    half, _ = halves(authored, seed)
    if half.shuffled:
        with pytest.raises(ValueError, match="not a permutation"):
            split(authored, lambda n: [0] * n)


@given(AUTHORED, st.integers(0, 1000), st.data())
def test_the_students_half_tells_nothing_of_the_key(authored: Authored, seed: int, data: st.DataObject) -> None:
    """If only the key were another one, students would see the same, under any numbering."""
    half, _ = halves(authored, seed)
    other: Authored
    match authored:
        case SingleChoice():
            other = SingleChoice(choices=other_credits(authored.choices, data))
        case MultipleChoice():
            other = MultipleChoice(
                choices=other_credits(authored.choices, data),
                max_choices=authored.max_choices,
                rule=ChoiceRule.SUM_OF_CREDITS,
            )
        case TrueFalse():
            other = TrueFalse(answer=not authored.answer)
        case Numeric():
            other = Numeric(accepted=data.draw(NUMERICS).accepted, unit=authored.unit)
        case ShortText():
            other = replace(data.draw(SHORT_TEXTS), max_length=authored.max_length)
        case Matching():
            targets = data.draw(st.permutations([stem.target for stem in authored.stems]))
            stems = tuple(replace(stem, target=target) for stem, target in zip(authored.stems, targets, strict=True))
            other = Matching(stems=stems, distractors=authored.distractors)
        case Ordering():
            other = Ordering(items=tuple(data.draw(st.permutations(authored.items))))
        case Essay():
            other = replace(authored, notes="Other notes.")
        case _:
            raise AssertionError(authored)
    assert halves(other, seed)[0].to_json() == half.to_json()


def other_credits(listed: tuple[Choice, ...], data: st.DataObject) -> tuple[Choice, ...]:
    """The same choices, of which another one may be right."""
    best = data.draw(st.integers(0, len(listed) - 1))
    return tuple(replace(choice, credit=Fraction(n == best)) for n, choice in enumerate(listed))


def parsed(half: StudentHalf, body: Any) -> AnswerValue | Problem:
    """The answer or the Problem; any other exception fails the test."""
    try:
        return half.parse(7, body)
    except Problem as problem:
        return problem


@given(AUTHORED, BODIES, st.integers(0, 1000))
def test_any_body_gives_an_answer_or_a_problem(authored: Authored, body: Any, seed: int) -> None:
    """Whatever my browser sends, I get an answer or a specific error, and what is shown to me is what I would send."""
    half, key = halves(authored, seed)
    answer = parsed(half, body)
    if isinstance(answer, Problem):
        assert answer.kind.status in {400, 422}
        assert 10 < len(answer.detail) < 300
        assert "question 7" in answer.detail or answer.kind.status == 400
        return
    shown = half.shown(answer)
    assert half.parse(7, shown) == answer
    assert json.loads(canonical(shown)) == shown
    assert answer.canonical
    share = outcome(key, answer)
    if answer.blank:
        assert share is Unscored.NOT_ATTEMPTED
    elif half.kind is KindName.ESSAY:
        assert share is Unscored.BY_HAND
    else:
        assert isinstance(share, Fraction)
        assert -1 <= share <= 1


GOOD: dict[KindName, tuple[dict[str, Any], dict[str, Any]]] = {
    KindName.SINGLE: ({"choices": [1]}, {"choices": []}),
    KindName.TRUE_FALSE: ({"choices": [1]}, {"choices": []}),
    KindName.MULTIPLE: ({"choices": [0]}, {"choices": []}),
    KindName.NUMERIC: ({"value": "3,14"}, {"value": None}),
    KindName.TEXT: ({"value": " a "}, {"value": "  "}),
    KindName.MATCHING: ({"pairs": {"1": 0, "0": 1}}, {"pairs": {}}),
    KindName.ORDERING: ({"order": [1, 0]}, {"order": []}),
    KindName.ESSAY: ({"value": "one\r\ntwo"}, {"value": None}),
}


@pytest.mark.parametrize("kind", KindName)
@given(data=st.data())
def test_each_kind_takes_its_own_member_alone(kind: KindName, data: st.DataObject) -> None:
    """An answer in the form of another kind is an error that names the member to send."""
    strategy = KINDS[kind] if kind is not KindName.ORDERING else orderings().filter(lambda each: len(each.items) == 2)
    half, _ = halves(data.draw(strategy))
    answered, withdrawn = GOOD[kind]
    assert not half.parse(0, answered).blank
    assert half.parse(0, withdrawn).blank
    (mine,) = answered
    for other in {"choices", "value", "pairs", "order"} - {mine}:
        for body in ({other: None}, answered | {other: None}):
            with pytest.raises(Problem, match=f"question 0 is {kind}: send {mine!r} and not {other!r}"):
                half.parse(0, body)
    with pytest.raises(Problem, match=f"question 0 is {kind}: send {mine!r}$"):
        half.parse(0, {})


LETTERS = tuple(Item(id=name, text=name) for name in "abc")
MATCHED = Matching(stems=tuple(Stem(id=name, text=name, target=name.upper()) for name in "abc"), distractors=("D",))


@pytest.mark.parametrize(
    ("authored", "body", "stored"),
    [
        (Ordering(items=LETTERS), {"order": [2, 0, 1]}, "2 0 1"),
        (MATCHED, {"pairs": {"2": 1, "0": 3}}, "0:3 2:1"),
        (MATCHED, {"pairs": {"2": None, "0": 3}}, "0:3"),
        (ShortText(accepted=(AcceptedText(text="x"),)), {"value": " cafe\u0301 "}, "caf\u00e9"),
        (ShortText(accepted=(AcceptedText(text="x"),)), {"value": "0"}, "0"),
        (Essay(), {"value": " a\r\nb\rc\t"}, " a\nb\nc\t"),
        (Numeric(accepted=(Near(value=Fraction(1)),)), {"value": "\u22120,50"}, "-0.5"),
    ],
)
def test_the_stored_form_of_an_answer(authored: Authored, body: dict[str, Any], stored: str) -> None:
    """One answer has one stored form, so that a retry is the same answer."""
    assert halves(authored, 0)[0].parse(0, body) == AnswerValue(value=stored)


REFUSED: list[tuple[Authored, dict[str, Any], str]] = [
    (Ordering(items=LETTERS), {"order": [0, 1]}, "order must have each of the items 0 to 2 once"),
    (Ordering(items=LETTERS), {"order": [0, 1, 1]}, "order must have each of the items 0 to 2 once"),
    (Ordering(items=LETTERS), {"order": "012"}, "order must be a list of item numbers"),
    (MATCHED, {"pairs": [0]}, "pairs must be an object"),
    (MATCHED, {"pairs": {"3": 0}}, 'has stems "0" to "2", not \'3\''),
    (MATCHED, {"pairs": {"00": 0}}, 'has stems "0" to "2", not \'00\''),
    (MATCHED, {"pairs": {"0": 4}}, "has targets 0 to 3, not 4"),
    (MATCHED, {"pairs": {"0": HUGE}}, "has targets 0 to 3, not a very large number"),
    (Ordering(items=LETTERS), {"order": [HUGE, 0, 1]}, "order must have each of the items 0 to 2 once"),
    (MATCHED, {"pairs": {"0": "1"}}, "a target must be a number, not '1'"),
    (ShortText(accepted=(AcceptedText(text="x"),), max_length=3), {"value": "abcd"}, "has 4 characters; at most 3"),
    (ShortText(accepted=(AcceptedText(text="x"),)), {"value": "a\nb"}, "send one line"),
    (ShortText(accepted=(AcceptedText(text="x"),)), {"value": 3}, "value must be a text, not 3"),
    (ShortText(accepted=(AcceptedText(text="x"),)), {"value": "a\x00"}, "the character U\\+0000"),
    (Essay(max_characters=3), {"value": "abcd"}, "has 4 characters; at most 3"),
    (Essay(), {"value": "\ud800"}, "the character U\\+D800"),
    (TrueFalse(answer=True), {"choices": [2]}, "has choices 0 to 1, not 2"),
    (TrueFalse(answer=True), {"choices": [0, 1]}, "takes at most 1 choice"),
    (Numeric(accepted=(Near(value=Fraction(1)),)), {"value": "1,234"}, "write '1234' or '1.234'"),
]


@pytest.mark.parametrize(("authored", "body", "message"), REFUSED)
def test_a_refused_answer_says_what_to_send(authored: Authored, body: dict[str, Any], message: str) -> None:
    """Each mistake is named with the question and what is accepted."""
    half, _ = halves(authored)
    with pytest.raises(Problem, match=message) as refusal:
        half.parse(4, body)
    assert refusal.value.detail.startswith("question 4")


@pytest.mark.parametrize("kind", KindName)
@given(data=st.data())
def test_an_answer_of_another_form_earns_nothing(kind: KindName, data: st.DataObject) -> None:
    """An answer of another form than the key's earns nothing, and does not stop the grading of all others."""
    _, key = halves(data.draw(KINDS[kind]))
    foreign = AnswerValue(value="a") if kind in {KindName.SINGLE, KindName.TRUE_FALSE, KindName.MULTIPLE} else None
    share = outcome(key, foreign or AnswerValue(choice=1))
    assert share == (Unscored.BY_HAND if kind is KindName.ESSAY else 0)
