"""Scoring is exact and within its bounds; most papers here are of format 1, which earlier releases froze."""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue, numbers_of
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.canonical import Json, canonical
from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, SingleChoice
from exam_core.questions.essay import Essay
from exam_core.questions.model import KindName
from exam_core.scoring import MultipleRule, Policy, score

POLICIES = st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans())
NUMBERS = st.decimals(min_value=-100, max_value=100, places=3)
KINDS = (KindName.SINGLE, KindName.MULTIPLE, KindName.NUMERIC)


@dataclass(frozen=True, kw_only=True)
class KeyEntry:
    """An entry of a key of format 1."""

    choices: int = 0
    value: Decimal | None = None
    tolerance: Decimal = Decimal(0)

    def to_json(self) -> dict[str, Json]:
        """The entry as it is stored."""
        if self.value is None:
            return {"choices": list(numbers_of(self.choices))}
        return {"value": decimal_text(self.value), "tolerance": decimal_text(self.tolerance)}


ScoredQuestion = tuple[KindName, Decimal, int, KeyEntry]


@st.composite
def scored_questions(draw: st.DrawFn) -> ScoredQuestion:
    """A question: its kind, weight, number of choices and key."""
    kind = draw(st.sampled_from(KINDS))
    weight = draw(st.decimals(min_value=0, max_value=1000, places=2))
    if kind is KindName.NUMERIC:
        tolerance = draw(st.decimals(min_value=0, max_value=3, places=3))
        return kind, weight, 0, KeyEntry(value=draw(NUMBERS), tolerance=tolerance)
    size = draw(st.integers(2, 26))
    one = st.integers(0, size - 1).map(lambda place: 1 << place)
    right = draw(one if kind is KindName.SINGLE else st.integers(1, (1 << size) - 1))
    return kind, weight, size, KeyEntry(choices=right)


def _paper_and_key(questions: list[ScoredQuestion]) -> tuple[Paper, Key]:
    body: list[dict[str, object]] = []
    for kind, weight, size, _ in questions:
        member: dict[str, object] = {"kind": kind.value, "text": "?", "weight": decimal_text(weight)}
        if size:
            member |= {"choices": [{"text": str(n)} for n in range(size)], "max_choices": size}
        body.append(member)
    paper = Paper(canonical({"format": 1, "questions": body}))  # type: ignore[dict-item]
    entries: list[Json] = [entry.to_json() for *_, entry in questions]
    return paper, Key(canonical({"format": 1, "paper": paper.digest, "answers": entries}))


@st.composite
def answers_to(draw: st.DrawFn, question: ScoredQuestion) -> AnswerValue:
    """An answer to a question: blank, correct, nearly correct or arbitrary."""
    kind, _, size, entry = question
    if kind is KindName.NUMERIC:
        difference = draw(
            st.sampled_from((Decimal(0), entry.tolerance, entry.tolerance + Decimal("0.001"), Decimal(50)))
        )
        return AnswerValue(value=draw(st.sampled_from(("", decimal_text((entry.value or Decimal(0)) + difference)))))
    one = st.integers(0, size - 1).map(lambda place: 1 << place)
    some = one if kind is KindName.SINGLE else st.integers(0, (1 << size) - 1)
    return AnswerValue(choice=draw(st.just(entry.choices) | st.just(0) | some))


def modelled(question: ScoredQuestion, rule: MultipleRule, answer: AnswerValue) -> Fraction | None:
    """The points of an answer, computed with sets and fractions."""
    kind, weight, size, entry = question
    if kind is KindName.NUMERIC:
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
    if kind is KindName.MULTIPLE and rule is MultipleRule.PROPORTIONAL:
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
    blank = [AnswerValue(value="") if kind is KindName.NUMERIC else AnswerValue(choice=0) for kind, *_ in questions]
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
    paper, key = _paper_and_key([(KindName.MULTIPLE, Decimal(weight), 4, KeyEntry(choices=0b111))])
    policy = Policy(multiple=MultipleRule.PROPORTIONAL)
    assert score(paper, key, policy, [(0, AnswerValue(choice=chosen))]).total == Decimal(points)


def test_half_a_cent_is_rounded_up() -> None:
    """0.125 is 0.13, and 0.005 is 0.01."""
    entry = KeyEntry(choices=0b11)
    policy = Policy(multiple=MultipleRule.PROPORTIONAL)
    for weight, points in (("0.25", "0.13"), ("0.01", "0.01")):
        paper, key = _paper_and_key([(KindName.MULTIPLE, Decimal(weight), 2, entry)])
        assert score(paper, key, policy, [(0, AnswerValue(choice=0b01))]).total == Decimal(points)


def test_points_are_added_before_they_are_rounded() -> None:
    """Three thirds of a point are one point, not 0.99."""
    paper, key = _paper_and_key([(KindName.MULTIPLE, Decimal(1), 4, KeyEntry(choices=0b111))] * 3)
    policy = Policy(multiple=MultipleRule.PROPORTIONAL)
    result = score(paper, key, policy, [(n, AnswerValue(choice=0b001)) for n in range(3)])
    assert (result.total, result.points) == (Decimal(1), (Decimal("0.33"),) * 3)


@pytest.mark.parametrize("rule", list(MultipleRule))
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (KindName.SINGLE, AnswerValue(choice=1)),
        (KindName.MULTIPLE, AnswerValue(choice=3)),
        (KindName.NUMERIC, AnswerValue(value="0")),
        (KindName.NUMERIC, AnswerValue(choice=1)),
    ],
)
def test_an_empty_key_entry_earns_nothing(rule: MultipleRule, kind: KindName, answer: AnswerValue) -> None:
    """A missing key entry does not stop grading, and 0 does not match it."""
    paper, key = _paper_and_key([(kind, Decimal(1), 0 if kind is KindName.NUMERIC else 2, KeyEntry())])
    assert score(paper, key, Policy(multiple=rule), [(0, answer)]).points == (Decimal(0),)


@given(POLICIES)
def test_policies_have_distinct_digests(policy: Policy) -> None:
    """A frozen policy can be read again, and different ones have different digests."""
    assert Policy.from_json(policy.to_json()) == policy
    assert (policy.digest == Policy().digest) is (policy == Policy())


def _negative(*credits_: str) -> AuthoredQuestion:
    choices = tuple(Choice(id=str(n), text=str(n), credit=Fraction(credit)) for n, credit in enumerate(credits_))
    return AuthoredQuestion(id=f"q{len(credits_)}", text="?", interaction=SingleChoice(choices=choices))


@pytest.mark.parametrize(
    ("chosen", "negative_total", "points", "total"),
    [
        ([1, 1], False, ["-0.25", "-0.33"], "0"),
        ([1, 1], True, ["-0.25", "-0.33"], "-0.58"),
        ([0, 1], False, ["1.00", "-0.33"], "0.67"),
        ([None, 1], True, [None, "-0.33"], "-0.33"),
    ],
)
def test_wrong_answers_cost_points(
    chosen: list[int | None], *, negative_total: bool, points: list[str | None], total: str
) -> None:
    """A wrong answer may cost points; the exam says whether the total may be below zero. A blank one costs nothing."""
    exam = AuthoredExam(
        slug="e", title="E", instructions="", questions=(_negative("1", "-1/4"), _negative("1", "-1/3", "0"))
    )
    paper, key = freeze(exam, range, plain_text)
    answers = [(number, AnswerValue(choice=1 << n)) for number, n in enumerate(chosen) if n is not None]
    result = score(paper, key, Policy(negative_total=negative_total), answers)
    assert list(result.points) == [None if each is None else Decimal(each) for each in points]
    assert result.total == Decimal(total)


@pytest.mark.parametrize(("weight", "points"), [("0.02", "0.00"), ("0.06", "-0.01"), ("0.03", "-0.01")])
def test_half_a_cent_below_zero_is_rounded_up(weight: str, points: str) -> None:
    """-0.005 is 0.00 and -0.015 is -0.01, as halves above zero are rounded up too."""
    question = replace(_negative("1", "-1/4"), weight=Decimal(weight))
    paper, key = freeze(AuthoredExam(slug="e", title="E", instructions="", questions=(question,)), range, plain_text)
    assert score(paper, key, Policy(), [(0, AnswerValue(choice=0b10))]).points == (Decimal(points),)


def test_an_essay_counts_as_answered_and_has_no_points_yet() -> None:
    """My essay is not wrong: it has no points until a marker has read it, and counts as answered."""
    essay = AuthoredQuestion(id="e", text="Why?", weight=Decimal(5), interaction=Essay())
    paper, key = freeze(AuthoredExam(slug="e", title="E", instructions="", questions=(essay,)), range, plain_text)
    result = score(paper, key, Policy(), [(0, AnswerValue(value="Because."))])
    assert (result.points, result.answered, result.total, result.maximum) == ((None,), 1, Decimal(0), Decimal(5))
    assert score(paper, key, Policy(), [(0, AnswerValue(value=""))]).answered == 0
