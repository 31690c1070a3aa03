"""The stored form of adjustments, and what a paper and its key do not allow of them."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exam_core.adjustments.faults import MAX_REASON, adjustment_faults
from exam_core.adjustments.listing import MAX_ADJUSTMENTS, Adjustments, AdjustmentsError
from exam_core.adjustments.model import (
    AcceptChoices,
    AcceptNumber,
    AcceptOrder,
    AcceptTarget,
    AcceptText,
    Adjustment,
    Change,
    CreditedStudents,
    GiveFullCredit,
    LeaveOut,
    SetAcceptedCredit,
    SetChoiceCredit,
    SetPolicy,
    SetWeight,
)
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.canonical import Json, canonical
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, MultipleRule, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText
from exam_core.scoring import Policy
from exam_harness.strategies.adjustments import adjustments
from exam_harness.strategies.questions import EXAMS, permute_by


def _choices(*credits_: int) -> tuple[Choice, ...]:
    return tuple(Choice(id=f"c{n}", text=f"{n}", credit=Fraction(credit)) for n, credit in enumerate(credits_))


SINGLE, COUNTED, TRUE_FALSE, NUMERIC, TEXT, MATCHING, ORDERING, ESSAY = range(8)
INTERACTIONS: tuple[Authored, ...] = (
    SingleChoice(choices=_choices(1, 0, 0)),
    MultipleChoice(choices=_choices(1, 1, 0), max_choices=2),
    TrueFalse(answer=True),
    Numeric(accepted=(Near(value=Fraction(7)),)),
    ShortText(accepted=(AcceptedText(text="Rome"),), max_length=5),
    Matching(stems=tuple(Stem(id=f"s{n}", text=f"{n}", target=f"t{n}") for n in range(2))),
    Ordering(items=tuple(Item(id=f"i{n}", text=f"{n}") for n in range(3)), rule=OrderingRule.PLACES),
    Essay(),
)
EXAM = AuthoredExam(
    slug="e",
    title="E",
    instructions="",
    questions=tuple(AuthoredQuestion(id=f"q{n}", text="?", interaction=each) for n, each in enumerate(INTERACTIONS)),
)
PAPER, KEY = freeze(EXAM, range, plain_text)
WHY = "two readings"
LISTED = st.builds(freeze, EXAMS, st.integers(0, 1000).map(permute_by), st.just(plain_text)).flatmap(
    lambda frozen: adjustments(*frozen)
)
HALF = Fraction(1, 2)


def _faults(*entries: Adjustment) -> list[str]:
    return adjustment_faults(Adjustments(entries), PAPER, KEY)


@given(LISTED, LISTED)
def test_adjustments_have_one_stored_form(listed: Adjustments, other: Adjustments) -> None:
    """If a revision's policy is stored, it is read as it was, and another one has another digest."""
    stored = json.loads(canonical(listed.to_json()))
    assert Adjustments.from_json(stored) == listed
    policies = [Policy(adjustments=each) for each in (listed, other)]
    assert Policy.from_json(json.loads(canonical(policies[0].to_json()))).digest == policies[0].digest
    assert (policies[0].digest == policies[1].digest) is (policies[0].to_json() == policies[1].to_json())
    assert (hash(listed) == hash(other)) is (listed.digest == other.digest)


@given(st.sampled_from(MultipleRule), st.booleans(), st.text(max_size=3))
def test_a_policy_without_adjustments_is_as_before(multiple: MultipleRule, negative: bool, salt: str) -> None:  # noqa: FBT001 - drawn
    """If a revision adjusts nothing, its policy has the stored form and the digest that it always had."""
    plain = Policy(multiple=multiple, negative_total=negative)
    policy = replace(plain, adjustments=Adjustments((), salt=salt))
    expected = {"format": 1, "multiple": multiple.value} | ({"negative_total": True} if negative else {})
    assert policy.to_json() == plain.to_json() == expected
    assert policy.digest == plain.digest
    assert Policy.from_json(expected) == plain


def test_the_stored_form_of_each_adjustment() -> None:
    """If an adjustment is stored, anyone can read what changed and why."""
    entries = (
        AcceptNumber(question=NUMERIC, answer="50 +- 10 %", credit=HALF, reason=WHY),
        AcceptText(question=TEXT, answer=" Roma ", reason=WHY),
        AcceptChoices(question=COUNTED, choices=(2, 0), reason=WHY),
        AcceptTarget(question=MATCHING, stem=0, target=1, reason=WHY),
        AcceptOrder(question=ORDERING, order=(1, 0, 2), reason=WHY),
        SetChoiceCredit(question=SINGLE, choice=1, credit=HALF, reason=WHY),
        SetAcceptedCredit(question=NUMERIC, entry=0, credit=HALF, reason=WHY),
        GiveFullCredit(question=ESSAY, to=CreditedStudents.ANSWERED, reason=WHY),
        LeaveOut(question=TRUE_FALSE, reason=WHY),
        SetWeight(question=SINGLE, weight=Decimal("2.50"), reason=WHY),
        SetPolicy(multiple=MultipleRule.PROPORTIONAL, negative_total=True, reason=WHY),
    )
    assert {each.change for each in entries} == set(Change)
    assert _faults(*entries) == []
    own = [{k: v for k, v in each.to_json().items() if k not in {"question", "reason"}} for each in entries]
    assert own == [
        {"change": "accept-number", "answer": "50±10%", "credit": "1/2"},
        {"change": "accept-text", "answer": "Roma", "credit": "1"},
        {"change": "accept-choices", "choices": [0, 2], "credit": "1"},
        {"change": "accept-target", "stem": 0, "target": 1},
        {"change": "accept-order", "order": [1, 0, 2], "credit": "1"},
        {"change": "choice-credit", "choice": 1, "credit": "1/2"},
        {"change": "accepted-credit", "entry": 0, "credit": "1/2"},
        {"change": "full-credit", "to": "answered"},
        {"change": "leave-out"},
        {"change": "weight", "weight": "2.5"},
        {"change": "policy", "multiple": "proportional", "negative_total": True},
    ]
    assert Policy(adjustments=Adjustments(entries)).effective.multiple is MultipleRule.PROPORTIONAL
    assert Adjustments(entries).left_out == {TRUE_FALSE}


WEIGHT = {"change": "weight", "question": 0, "weight": "2", "reason": WHY}
CREDIT = {"change": "choice-credit", "question": 0, "choice": 0, "credit": "1/2", "reason": WHY}
NUMBER = {"change": "accept-number", "question": 3, "answer": "1..5", "credit": "1", "reason": WHY}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ([], "must be a JSON object"),
        ({}, "has no 'change'"),
        (WEIGHT | {"change": "delete"}, "is none of: accept-number"),
        (WEIGHT | {"more": 1}, "has 'more', which is not a member of it"),
        ({"change": "leave-out", "question": 0}, "has no 'reason'"),
        (WEIGHT | {"question": True}, "has 'question' True"),
        (WEIGHT | {"question": -1}, "not a number from 0"),
        (WEIGHT | {"question": 10**30}, "not a number from 0"),
        (WEIGHT | {"reason": 1}, "has 'reason' 1, which is not a text"),
        (WEIGHT | {"reason": "a\x00b"}, "U\\+0000"),
        (WEIGHT | {"reason": "\ud800"}, "U\\+D800"),
        (WEIGHT | {"weight": 2}, "not a decimal"),
        (WEIGHT | {"weight": "2.0"}, "not a decimal in plain notation"),
        (WEIGHT | {"weight": "two"}, "not a decimal"),
        (WEIGHT | {"weight": "NaN"}, "not a decimal"),
        (WEIGHT | {"weight": "1" * 30}, "not a decimal"),
        (CREDIT | {"credit": "2/4"}, "not a fraction in lowest terms"),
        (CREDIT | {"credit": None}, "not a fraction in lowest terms"),
        (NUMBER | {"answer": "1 .. 5"}, "'answer' in another spelling"),
        (
            {"change": "accept-choices", "question": 1, "choices": [2, 0], "credit": "1", "reason": WHY},
            "'choices' in another spelling",
        ),
        ({"change": "accept-order", "question": 6, "order": "012", "credit": "1", "reason": WHY}, "list of numbers"),
        ({"change": "policy", "negative_total": "yes", "reason": WHY}, "neither true nor false"),
    ],
)
def test_what_is_not_an_adjustment_is_refused_with_a_reason(entry: Any, reason: str) -> None:
    """If an adjustment is not as it would have been stored, I am given the reason and the place."""
    with pytest.raises(AdjustmentsError, match=f"^adjustment 2 .*{reason}"):
        Adjustments.from_json({"entries": [WEIGHT, entry]})


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"entries": {}}, {"entries": [], "salt": 1}, {"entries": [], "x": 1}, {"entries": [0] * 1001}],
)
def test_what_is_not_a_list_of_adjustments_is_refused(body: Any) -> None:
    """If the list itself cannot be read, I am given a reason."""
    with pytest.raises(AdjustmentsError, match="adjustments"):
        Adjustments.from_json(body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10) | st.text(max_size=3) | st.sampled_from(["1/2", "3", "all"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("answer", "credit", "choices", "stem", "target", "order", "choice", "entry", "to", "weight", "multiple")


@given(
    st.sampled_from(Change),
    st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=4),
    st.fixed_dictionaries({"question": ANYTHING, "reason": ANYTHING}) | st.just({}),
)
def test_any_json_is_read_as_it_is_or_refused(change: Change, body: dict[str, Any], head: dict[str, Any]) -> None:
    """If anything is sent as an adjustment, it is stored as it was sent, or refused; and so are its faults."""
    entry = {"change": change.value, **head, **body}
    try:
        listed = Adjustments.from_json({"entries": [entry]})
    except AdjustmentsError:
        return
    assert listed.to_json() == {"entries": [entry]}
    assert all(isinstance(each, str) for each in adjustment_faults(listed, PAPER, KEY))


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (LeaveOut(question=8, reason=WHY), "is of question 8: the paper has questions 0 to 7"),
        (LeaveOut(question=-1, reason=WHY), "is of question -1"),
        (LeaveOut(question=0, reason=" "), "has no reason"),
        (LeaveOut(question=0, reason="x" * (MAX_REASON + 1)), "has a reason of more than 1000 characters"),
        (LeaveOut(question=0, reason="\ud800"), "cannot be stored"),
        (SetPolicy(reason=WHY), "sets no rule"),
        (AcceptNumber(question=TEXT, answer="1", reason=WHY), "is for questions of kind numeric; question 4 is text"),
        (AcceptText(question=ESSAY, answer="a", reason=WHY), "is for questions of kind text; question 7 is essay"),
        (SetChoiceCredit(question=NUMERIC, choice=0, credit=HALF, reason=WHY), "single, true-false, multiple"),
        (SetAcceptedCredit(question=SINGLE, entry=0, credit=HALF, reason=WHY), "numeric, text"),
        (AcceptNumber(question=NUMERIC, answer="1,234", reason=WHY), "accepts a number that can be read in two ways"),
        (AcceptNumber(question=NUMERIC, answer="5..1", reason=WHY), "accepts a number range that contains no number"),
        (AcceptNumber(question=NUMERIC, answer="1", credit=Fraction(0), reason=WHY), "with credit 0 or less"),
        (AcceptNumber(question=NUMERIC, answer="1", credit=Fraction(2), reason=WHY), "must be from -1 to 1"),
        (AcceptText(question=TEXT, answer=" ", reason=WHY), "accepts a text which is empty"),
        (AcceptText(question=TEXT, answer="Romulus", reason=WHY), "accepts a text which is longer"),
        (AcceptText(question=TEXT, answer="a\nb", reason=WHY), "accepts a text with a line end"),
        (AcceptChoices(question=COUNTED, choices=(3,), reason=WHY), "unknown choice: the question has 0 to 2"),
        (AcceptChoices(question=COUNTED, choices=(1, 1), reason=WHY), "names a choice twice"),
        (AcceptChoices(question=COUNTED, choices=(0, 1, 2), reason=WHY), "accepts 3 choices together: answers have 1"),
        (AcceptChoices(question=TRUE_FALSE, choices=(), reason=WHY), "accepts 0 choices together"),
        (AcceptTarget(question=MATCHING, stem=2, target=0, reason=WHY), "unknown stem"),
        (AcceptTarget(question=MATCHING, stem=0, target=2, reason=WHY), "unknown target"),
        (AcceptOrder(question=ORDERING, order=(0, 1), reason=WHY), "each of the items 0 to 2 once"),
        (SetChoiceCredit(question=SINGLE, choice=3, credit=HALF, reason=WHY), "unknown choice"),
        (SetChoiceCredit(question=SINGLE, choice=0, credit=Fraction(-2), reason=WHY), "must be from -1 to 1"),
        (SetChoiceCredit(question=COUNTED, choice=0, credit=HALF, reason=WHY), "correct or wrong: 1 or 0"),
        (SetAcceptedCredit(question=NUMERIC, entry=1, credit=HALF, reason=WHY), "unknown accepted answer"),
        (SetWeight(question=0, weight=Decimal("0.005"), reason=WHY), "has a weight that is not from 0 to 1000"),
        (SetWeight(question=0, weight=Decimal(1001), reason=WHY), "has a weight"),
        (SetWeight(question=0, weight=Decimal("NaN"), reason=WHY), "has a weight"),
    ],
)
def test_an_adjustment_that_the_paper_does_not_allow_has_a_reason(entry: Adjustment, fault: str) -> None:
    """If an adjustment is not of this paper, I am given the reason before anything is graded."""
    (found,) = _faults(entry)
    assert found.startswith("adjustment 1 ")
    assert fault in found


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([LeaveOut(question=0, reason=WHY)] * 2, "adjustments 1 and 2 (leave-out) are about the same"),
        (
            [GiveFullCredit(question=0, to=each, reason=WHY) for each in CreditedStudents],
            "adjustments 1 and 2 (full-credit) are about the same",
        ),
        (
            [AcceptNumber(question=NUMERIC, answer=each, reason=WHY) for each in ("1±2", "1 +- 2")],
            "are about the same",
        ),
        (
            [SetWeight(question=0, weight=Decimal(2), reason=WHY), LeaveOut(question=0, reason=WHY)],
            "adjustment 1 (weight) is of question 0, which 2 leaves out",
        ),
        (
            [
                GiveFullCredit(question=0, to=CreditedStudents.ALL, reason=WHY),
                SetChoiceCredit(question=0, choice=1, credit=HALF, reason=WHY),
            ],
            "adjustment 2 (choice-credit) has no effect: 1 gives full credit",
        ),
        ([SetPolicy(negative_total=True, reason=WHY)] * 2, "(policy) are about the same"),
        (
            [SetChoiceCredit(question=SINGLE, choice=0, credit=Fraction(0), reason=WHY)],
            "question 0 has no answer that earns points",
        ),
        (
            [SetAcceptedCredit(question=each, entry=0, credit=Fraction(0), reason=WHY) for each in (TEXT,)],
            "question 4 has no answer that earns points",
        ),
        (
            [SetChoiceCredit(question=COUNTED, choice=2, credit=Fraction(1), reason=WHY)],
            "question 1 has 3 correct choices, of which students could select 2",
        ),
        ([LeaveOut(question=n, reason=WHY) for n in range(8)], "every question is left out"),
    ],
)
def test_adjustments_that_contradict_each_other_have_a_reason(entries: list[Adjustment], fault: str) -> None:
    """If adjustments contradict each other, or leave no right answer, I am given the reason."""
    (found,) = _faults(*entries)
    assert fault in found


def test_adjustments_go_together() -> None:
    """If a question has another weight and full credit, or a wrong key and an accepted answer, nothing contradicts."""
    assert not _faults(
        GiveFullCredit(question=0, to=CreditedStudents.ALL, reason=WHY),
        SetWeight(question=0, weight=Decimal(2), reason=WHY),
        SetAcceptedCredit(question=NUMERIC, entry=0, credit=Fraction(0), reason=WHY),
        AcceptNumber(question=NUMERIC, answer="8", reason=WHY),
    )
    many = Adjustments((LeaveOut(question=0, reason=WHY),) * (MAX_ADJUSTMENTS + 1))
    assert adjustment_faults(many, PAPER, KEY) == ["there are 1001 adjustments; at most 1000 are allowed"]


@given(EXAMS, st.integers(0, 1000), LISTED)
def test_adjustments_of_another_paper_have_reasons_or_none(exam: AuthoredExam, seed: int, listed: Adjustments) -> None:
    """If adjustments of one paper are given for another one, every fault is a sentence, and none is a traceback."""
    paper, key = freeze(exam, permute_by(seed), plain_text)
    assume(listed)
    found = adjustment_faults(listed, paper, key)
    assert all(found)


def test_adjustments_of_papers_of_format_1() -> None:
    """If a paper was frozen by an earlier release, its questions are adjusted too."""
    question: dict[str, Json] = {
        "kind": "multiple",
        "text": "?",
        "weight": "1",
        "choices": [{"text": "a"}, {"text": "b"}],
    }
    paper = Paper(canonical({"format": 1, "questions": [question | {"max_choices": 2}]}))
    key = Key(canonical({"format": 1, "paper": paper.digest, "answers": [{"choices": [0]}]}))
    half = SetChoiceCredit(question=0, choice=1, credit=HALF, reason=WHY)
    assert len(adjustment_faults(Adjustments((half,)), paper, key)) == 1
    assert not adjustment_faults(Adjustments((replace(half, credit=Fraction(1)),)), paper, key)
