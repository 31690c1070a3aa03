"""Scoring is exact and within its bounds."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue
from exam_core.canonical import canonical
from exam_core.numbers import decimal_text
from exam_core.paper import Key, KeyEntry, Paper, QuestionKind
from exam_core.scoring import MultipleRule, Policy, score

POLICIES = st.builds(Policy, multiple=st.sampled_from(MultipleRule))
NUMBERS = st.decimals(min_value=-100, max_value=100, places=3)
ScoredQuestion = tuple[QuestionKind, Decimal, int, KeyEntry]


@st.composite
def scored_questions(draw: st.DrawFn) -> ScoredQuestion:
    """A question: its kind, weight, number of choices and key."""
    kind = draw(st.sampled_from(QuestionKind))
    weight = draw(st.decimals(min_value=0, max_value=1000, places=2))
    if kind is QuestionKind.NUMERIC:
        tolerance = draw(st.decimals(min_value=0, max_value=3, places=3))
        return kind, weight, 0, KeyEntry(value=draw(NUMBERS), tolerance=tolerance)
    size = draw(st.integers(2, 26))
    one = st.integers(0, size - 1).map(lambda place: 1 << place)
    right = draw(one if kind is QuestionKind.SINGLE else st.integers(1, (1 << size) - 1))
    return kind, weight, size, KeyEntry(choices=right)


def _paper_and_key(questions: list[ScoredQuestion]) -> tuple[Paper, Key]:
    body: list[dict[str, object]] = []
    for kind, weight, size, _ in questions:
        member: dict[str, object] = {"kind": kind.value, "text": "?", "weight": decimal_text(weight)}
        if size:
            member |= {"choices": [{"text": str(n)} for n in range(size)], "max_choices": size}
        body.append(member)
    paper = Paper(canonical({"format": 1, "questions": body}))  # type: ignore[dict-item]
    return paper, Key.of(paper=paper.digest, entries=[entry for *_, entry in questions])


@st.composite
def answers_to(draw: st.DrawFn, question: ScoredQuestion) -> AnswerValue:
    """An answer to a question: blank, correct, nearly correct or arbitrary."""
    kind, _, size, entry = question
    if kind is QuestionKind.NUMERIC:
        difference = draw(
            st.sampled_from((Decimal(0), entry.tolerance, entry.tolerance + Decimal("0.001"), Decimal(50)))
        )
        return AnswerValue(value=draw(st.sampled_from(("", decimal_text((entry.value or Decimal(0)) + difference)))))
    return AnswerValue(choice=draw(st.just(entry.choices) | st.integers(0, (1 << size) - 1)))


def modelled(question: ScoredQuestion, rule: MultipleRule, answer: AnswerValue) -> Fraction | None:
    """The points of an answer, computed with sets and fractions."""
    kind, weight, size, entry = question
    if kind is QuestionKind.NUMERIC:
        if not answer.value:
            return None
        low, high = (
            Fraction(entry.value or 0) - Fraction(entry.tolerance),
            Fraction(entry.value or 0) + Fraction(entry.tolerance),
        )
        return Fraction(weight) if low <= Fraction(answer.value) <= high else Fraction(0)
    chosen = {n for n in range(size) if (answer.choice or 0) >> n & 1}
    right = {n for n in range(size) if entry.choices >> n & 1}
    if not chosen:
        return None
    if kind is QuestionKind.MULTIPLE and rule is MultipleRule.PROPORTIONAL:
        return Fraction(weight) * max(Fraction(0), Fraction(len(chosen & right) - len(chosen - right), len(right)))
    return Fraction(weight) if chosen == right else Fraction(0)


def _cents(points: Fraction) -> Decimal:
    """Round half up to the cent, for non-negative values."""
    whole, rest = divmod(points * 100, 1)
    return Decimal(int(whole) + (rest >= Fraction(1, 2))) / 100


@given(st.data(), st.lists(scored_questions(), min_size=1, max_size=5), POLICIES)
def test_a_score_equals_the_model(data: st.DataObject, questions: list[ScoredQuestion], policy: Policy) -> None:
    """My score is exact: rounded once, half up, between zero and the maximum."""
    paper, key = _paper_and_key(questions)
    answers = [data.draw(answers_to(question)) for question in questions]
    result = score(paper, key, policy, enumerate(answers))
    earned = [modelled(q, policy.multiple, answer) for q, answer in zip(questions, answers, strict=True)]
    assert list(result.points) == [None if points is None else _cents(points) for points in earned]
    assert result.total == _cents(sum((points for points in earned if points is not None), Fraction(0)))
    assert result.maximum == sum(weight for _, weight, *_ in questions)
    assert 0 <= result.total <= result.maximum
    assert result.answered == sum(points is not None for points in earned)
    assert result.to_json() == [None if p is None else decimal_text(p) for p in result.points]


@given(st.lists(scored_questions(), min_size=1, max_size=5), POLICIES)
def test_correct_answers_earn_the_maximum(questions: list[ScoredQuestion], policy: Policy) -> None:
    """A student who answers everything correctly gets the maximum."""
    paper, key = _paper_and_key(questions)
    answers = [
        AnswerValue(choice=entry.choices) if entry.value is None else AnswerValue(value=decimal_text(entry.value))
        for *_, entry in questions
    ]
    assert score(paper, key, policy, enumerate(answers)).total == score(paper, key, policy, []).maximum


@given(st.lists(scored_questions(), min_size=1, max_size=5), POLICIES)
def test_a_blank_paper_earns_nothing(questions: list[ScoredQuestion], policy: Policy) -> None:
    """A blank paper has zero points and no answered questions."""
    paper, key = _paper_and_key(questions)
    blank = [AnswerValue(value="") if kind is QuestionKind.NUMERIC else AnswerValue(choice=0) for kind, *_ in questions]
    for answers in ([], blank):
        result = score(paper, key, policy, enumerate(answers))
        assert (result.total, result.answered) == (Decimal(0), 0)
        assert set(result.points) == {None}


@pytest.mark.parametrize(
    ("weight", "chosen", "points"),
    [("1", 0b001, "0.33"), ("2", 0b011, "1.33"), ("0.05", 0b001, "0.02"), ("0.09", 0b001, "0.03"), ("1", 0b1001, "0")],
)
def test_shares_by_hand(weight: str, chosen: int, points: str) -> None:
    """With three correct choices each earns a third; a wrong one deducts a third."""
    paper, key = _paper_and_key([(QuestionKind.MULTIPLE, Decimal(weight), 4, KeyEntry(choices=0b111))])
    policy = Policy(multiple=MultipleRule.PROPORTIONAL)
    assert score(paper, key, policy, [(0, AnswerValue(choice=chosen))]).total == Decimal(points)


def test_half_a_cent_is_rounded_up() -> None:
    """0.125 is 0.13, and 0.005 is 0.01."""
    entry = KeyEntry(choices=0b11)
    policy = Policy(multiple=MultipleRule.PROPORTIONAL)
    for weight, points in (("0.25", "0.13"), ("0.01", "0.01")):
        paper, key = _paper_and_key([(QuestionKind.MULTIPLE, Decimal(weight), 2, entry)])
        assert score(paper, key, policy, [(0, AnswerValue(choice=0b01))]).total == Decimal(points)


def test_points_are_added_before_they_are_rounded() -> None:
    """Three thirds of a point are one point, not 0.99."""
    paper, key = _paper_and_key([(QuestionKind.MULTIPLE, Decimal(1), 4, KeyEntry(choices=0b111))] * 3)
    policy = Policy(multiple=MultipleRule.PROPORTIONAL)
    result = score(paper, key, policy, [(n, AnswerValue(choice=0b001)) for n in range(3)])
    assert (result.total, result.points) == (Decimal(1), (Decimal("0.33"),) * 3)


@pytest.mark.parametrize("rule", list(MultipleRule))
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (QuestionKind.SINGLE, AnswerValue(choice=1)),
        (QuestionKind.MULTIPLE, AnswerValue(choice=3)),
        (QuestionKind.NUMERIC, AnswerValue(value="0")),
        (QuestionKind.NUMERIC, AnswerValue(choice=1)),
    ],
)
def test_an_empty_key_entry_earns_nothing(rule: MultipleRule, kind: QuestionKind, answer: AnswerValue) -> None:
    """A missing key entry does not stop grading, and 0 does not match it."""
    paper, key = _paper_and_key([(kind, Decimal(1), 0 if kind is QuestionKind.NUMERIC else 2, KeyEntry())])
    assert score(paper, key, Policy(multiple=rule), [(0, answer)]).points == (Decimal(0),)


@given(POLICIES)
def test_policies_have_distinct_digests(policy: Policy) -> None:
    """A frozen policy can be read again, and different ones have different digests."""
    assert Policy.from_json(policy.to_json()) == policy
    assert (policy.digest == Policy().digest) is (policy == Policy())
