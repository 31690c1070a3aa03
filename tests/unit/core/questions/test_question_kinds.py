"""What holds for every kind of question: halves, answers and outcomes, and the keys of format 1."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core import format_1, scoring
from exam_core.answer_value import AnswerValue
from exam_core.answers import parse_answer
from exam_core.canonical import canonical
from exam_core.images import ImageRef
from exam_core.numbers import decimal_text
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, KeyEntry, Question, QuestionKind, freeze
from exam_core.problems import Problem
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, KeyHalf, KindName, StudentHalf, Unscored, outcome
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.registry import key_half, student_half
from exam_core.questions.text import AcceptedText, ShortText
from exam_core.scoring import MultipleRule, Policy

CREDITS = st.fractions(-1, 1, max_denominator=12)
IMAGES = st.none() | st.builds(
    ImageRef,
    sha256=st.sampled_from(["a" * 64, "b" * 64]),
    type=st.just("image/png"),
    width=st.just(1),
    height=st.just(2),
)
TEXTS = st.text(st.sampled_from("abcABC *\u00e9\u0301\u00df"), min_size=1, max_size=6).filter(
    lambda text: bool(text.strip())
)
DECIMALS = st.decimals(-1000, 1000, places=3).map(Fraction)


@st.composite
def contents(draw: st.DrawFn, least: int = 2, most: int = 6) -> list[tuple[str, ImageRef | None]]:
    """Texts and images that can be distinguished."""
    texts = draw(st.lists(TEXTS, min_size=least, max_size=most, unique_by=str.strip))
    return [(text, draw(IMAGES)) for text in texts]


@st.composite
def choices(draw: st.DrawFn) -> tuple[Choice, ...]:
    """Choices of which one earns something."""
    shown = draw(contents())
    best = draw(st.integers(0, len(shown) - 1))
    return tuple(
        Choice(id=f"c{n}", text=text, image=image, credit=Fraction(1) if n == best else draw(CREDITS))
        for n, (text, image) in enumerate(shown)
    )


@st.composite
def multiples(draw: st.DrawFn) -> MultipleChoice:
    """Multiple-choice questions."""
    rule = draw(st.sampled_from(ChoiceRule))
    listed = draw(choices())
    if rule is ChoiceRule.ALL_OR_NOTHING:
        return MultipleChoice(choices=listed, rule=rule)
    return MultipleChoice(
        choices=listed,
        rule=rule,
        max_choices=draw(st.none() | st.integers(1, len(listed))),
        floor=draw(st.fractions(-1, 0, max_denominator=4)),
        cap=draw(st.fractions("1/4", 1, max_denominator=4)),
    )


@st.composite
def orderings(draw: st.DrawFn) -> Ordering:
    """Ordering questions."""
    items = tuple(Item(id=f"i{n}", text=text, image=image) for n, (text, image) in enumerate(draw(contents())))
    return Ordering(items=items, rule=draw(st.sampled_from(OrderingRule)))


@st.composite
def matchings(draw: st.DrawFn) -> Matching:
    """Matching questions, with stems that share a target and targets without a stem."""
    stems = draw(contents())
    targets = draw(st.lists(TEXTS, min_size=2, max_size=5, unique_by=str.strip))
    return Matching(
        stems=tuple(
            Stem(id=f"s{n}", text=text, image=image, target=draw(st.sampled_from(targets)))
            for n, (text, image) in enumerate(stems)
        ),
        distractors=tuple(targets),
    )


ACCEPTED_NUMBERS = st.builds(
    Near,
    value=DECIMALS,
    tolerance=st.sampled_from([Fraction(0), Fraction(1, 10)]),
    by=st.sampled_from(Tolerance),
    credit=CREDITS,
) | st.builds(
    lambda ends, credit: Between(low=min(ends), high=max(ends), credit=credit), st.tuples(DECIMALS, DECIMALS), CREDITS
)
NUMERICS = st.builds(
    lambda accepted, unit: Numeric(accepted=(*accepted, Near(value=Fraction(1))), unit=unit),
    st.lists(ACCEPTED_NUMBERS, max_size=4),
    st.sampled_from(["", "m/s"]),
)
ACCEPTED_TEXTS = st.lists(st.builds(AcceptedText, text=TEXTS, credit=CREDITS), max_size=4)
SHORT_TEXTS = st.builds(
    lambda accepted, case, wildcards: ShortText(
        accepted=(*accepted, AcceptedText(text="a")), case=case, wildcards=wildcards
    ),
    ACCEPTED_TEXTS,
    st.booleans(),
    st.booleans(),
)
ESSAYS = st.builds(
    Essay,
    max_characters=st.integers(20, 50),
    min_words=st.none() | st.integers(1, 5),
    max_words=st.none() | st.integers(5, 9),
    template=st.sampled_from(["", "Dear …"]),
    notes=st.sampled_from(["", "Look for an argument."]),
)
KINDS: dict[KindName, st.SearchStrategy[Authored]] = {
    KindName.SINGLE: st.builds(SingleChoice, choices=choices()),
    KindName.TRUE_FALSE: st.builds(
        TrueFalse, answer=st.booleans(), other_credit=st.fractions(-1, "11/12", max_denominator=12)
    ),
    KindName.MULTIPLE: multiples(),
    KindName.NUMERIC: NUMERICS,
    KindName.TEXT: SHORT_TEXTS,
    KindName.MATCHING: matchings(),
    KindName.ORDERING: orderings(),
    KindName.ESSAY: ESSAYS,
}
AUTHORED = st.one_of(*KINDS.values())
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


def permute_by(seed: int) -> Callable[[int], Sequence[int]]:
    """A permutation for every length, the same for the same seed."""
    return lambda n: sorted(range(n), key=lambda place: (place * 7919 + seed) * 104729 % 1009)


def halves(authored: Authored, seed: int = 0) -> tuple[StudentHalf, KeyHalf]:
    """Freeze a question without faults."""
    assert list(authored.faults()) == []
    return split(authored, permute_by(seed))


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


# Format 1


@st.composite
def questions_of_format_1(draw: st.DrawFn) -> tuple[Question, KeyEntry, AnswerValue]:
    """A question of format 1, its key, and an answer that is not blank."""
    kind = draw(st.sampled_from(QuestionKind))
    if kind is QuestionKind.NUMERIC:
        entry = KeyEntry(
            value=draw(st.none() | st.decimals(-100, 100, places=3)), tolerance=draw(st.decimals(0, 3, places=3))
        )
        center, hair = entry.value or Decimal(0), Decimal("0.001")
        number = center + draw(st.sampled_from([1, -1])) * (
            entry.tolerance + draw(st.sampled_from([-hair, Decimal(0), hair]))
        )
        answer = AnswerValue(value=decimal_text(number))
        return Question(kind=kind, choices=0, max_choices=0, weight=Decimal(1)), entry, answer
    size = draw(st.integers(2, 26))
    masks = st.integers(0, 2**size - 1)
    key = draw(masks if kind is QuestionKind.MULTIPLE else st.just(0) | st.integers(0, size - 1).map(lambda n: 1 << n))
    chosen = draw(
        st.just(key) | masks if kind is QuestionKind.MULTIPLE else st.integers(0, size - 1).map(lambda n: 1 << n)
    )
    question = Question(kind=kind, choices=size, max_choices=size, weight=Decimal(1))
    return question, KeyEntry(choices=key), AnswerValue(choice=chosen)


@given(questions_of_format_1(), st.sampled_from(MultipleRule))
def test_a_key_of_format_1_scores_as_before(asked: tuple[Question, KeyEntry, AnswerValue], rule: MultipleRule) -> None:
    """A paper that was frozen by an earlier release earns the same points under both policies."""
    question, entry, answer = asked
    if answer.blank:
        return
    converted = format_1.key_half(question, entry, rule)
    assert converted.share(answer) == scoring._share(question, entry, Policy(multiple=rule), answer)
    assert key_half(json.loads(canonical(converted.to_json()))) == converted


EXAM = AuthoredExam(
    slug="old",
    title="Old",
    instructions="",
    questions=(
        AuthoredQuestion(
            id="s",
            kind=QuestionKind.SINGLE,
            text="?",
            weight=Decimal(1),
            choices=tuple(AuthoredChoice(id=name, text=name, correct=name == "a") for name in "abc"),
        ),
        AuthoredQuestion(
            id="m",
            kind=QuestionKind.MULTIPLE,
            text="?",
            weight=Decimal(2),
            max_choices=2,
            choices=tuple(AuthoredChoice(id=name, text=name, correct=name in "ab") for name in "abc"),
        ),
        AuthoredQuestion(id="n", kind=QuestionKind.NUMERIC, text="?", weight=Decimal(1), value=Decimal("3.14")),
    ),
)


@pytest.mark.parametrize(
    "bodies",
    [
        [{"choices": [2]}, {"choices": [1, 0]}, {"value": "3,14"}],
        [{"choices": []}, {"choices": [2]}, {"value": None}],
    ],
)
def test_a_paper_of_format_1_is_read_and_parses_the_same_answers(bodies: list[dict[str, Any]]) -> None:
    """The questions of a stored paper are read by the kinds of today; their answers are the same, byte for byte."""
    paper, _ = freeze(EXAM, range)
    for number, body in enumerate(bodies):
        half = student_half(paper.content["questions"][number])
        assert half.parse(number, body) == parse_answer(paper, number, body)
        common = {"text", "weight", "image"}
        assert half.to_json() == {k: v for k, v in paper.content["questions"][number].items() if k not in common}
