"""Hypothesis strategies for the adjustments of a revision that a paper and its key allow, and for answers."""

from fractions import Fraction

from hypothesis import strategies as st

from exam_core.adjustments.faults import adjustment_faults
from exam_core.adjustments.listing import Adjustments
from exam_core.adjustments.model import (
    AcceptChoices,
    AcceptNumber,
    AcceptOrder,
    AcceptTarget,
    AcceptText,
    Adjustment,
    CreditedStudents,
    GiveFullCredit,
    LeaveOut,
    QuestionAdjustment,
    SetAcceptedCredit,
    SetChoiceCredit,
    SetPolicy,
    SetWeight,
)
from exam_core.answer_value import AnswerValue, mask_of
from exam_core.paper import Key, Paper
from exam_core.questions.choices import ChoiceRule, ChoicesHalf, ChoicesKey, MultipleRule
from exam_core.questions.matching import MatchingHalf
from exam_core.questions.model import KeyHalf, KindName, StudentHalf
from exam_core.questions.numeric import NumericKey
from exam_core.questions.text import ShortTextKey
from exam_harness.strategies.questions import CREDITS, TEXTS

REASONS = st.sampled_from(["two readings", "the figure was wrong", "décision du jury"])
POSITIVE = st.fractions(Fraction(1, 12), 1, max_denominator=12)
NUMBERS = st.sampled_from(["0", "1", "3±0.5", "50±10%", "7*/2", "1..5", "(1..5]", "1..", "..5", "*"])
WEIGHTS = st.decimals(min_value=0, max_value=1000, places=2)
POLICIES = st.builds(
    SetPolicy,
    reason=REASONS,
    multiple=st.sampled_from(MultipleRule),
    negative_total=st.none() | st.booleans(),
)


@st.composite
def adjustments(draw: st.DrawFn, paper: Paper, key: Key) -> Adjustments:
    """Adjustments without faults, in any order."""
    entries: list[Adjustment] = []
    for number, (question, entry) in enumerate(zip(paper.questions, key.entries(paper), strict=True)):
        entries += draw(_of_question(number, question.half, entry.half))
    entries += draw(st.lists(POLICIES, max_size=1))
    listed = Adjustments(tuple(draw(st.permutations(entries))), salt=draw(st.sampled_from(["", "9f2c"])))
    return listed if not adjustment_faults(listed, paper, key) else Adjustments()


@st.composite
def _of_question(draw: st.DrawFn, number: int, half: StudentHalf, key: KeyHalf) -> list[QuestionAdjustment]:
    reason = draw(REASONS)
    head = draw(st.sampled_from(["nothing", "left out", "full credit", "key", "key"]))
    if head == "left out":
        return [LeaveOut(question=number, reason=reason)]
    weights = draw(st.lists(st.builds(SetWeight, question=st.just(number), reason=REASONS, weight=WEIGHTS), max_size=1))
    if head == "full credit":
        return [*weights, GiveFullCredit(question=number, reason=reason, to=draw(st.sampled_from(CreditedStudents)))]
    if head == "nothing" or half.kind is KindName.ESSAY:
        return [*weights]
    changes = st.one_of(*_key_changes(number, half, key))
    return [*weights, *draw(st.lists(changes, min_size=1, max_size=4, unique_by=lambda each: each.place))]


def _key_changes(number: int, half: StudentHalf, key: KeyHalf) -> list[st.SearchStrategy[QuestionAdjustment]]:
    """What may change of a question's key."""
    of: dict[str, st.SearchStrategy[object]] = {"question": st.just(number), "reason": REASONS}
    size = len(half.contents)
    match key:
        case ChoicesKey():
            counted = key.rule is not ChoiceRule.SUM_OF_CREDITS
            each = st.integers(0, len(key.credits) - 1)
            credit = st.sampled_from([Fraction(0), Fraction(1)]) if counted else CREDITS
            most = half.max_choices if isinstance(half, ChoicesHalf) else 1
            together = st.lists(each, unique=True, min_size=1, max_size=most).map(tuple)
            return [
                st.builds(SetChoiceCredit, choice=each, credit=credit, **of),
                st.builds(AcceptChoices, choices=together, credit=POSITIVE, **of),
            ]
        case NumericKey():
            return [
                st.builds(AcceptNumber, answer=NUMBERS, credit=POSITIVE, **of),
                st.builds(SetAcceptedCredit, entry=st.integers(0, len(key.accepted) - 1), credit=CREDITS, **of),
            ]
        case ShortTextKey():
            return [
                st.builds(AcceptText, answer=TEXTS, credit=POSITIVE, **of),
                st.builds(SetAcceptedCredit, entry=st.integers(0, len(key.accepted) - 1), credit=CREDITS, **of),
            ]
    if isinstance(half, MatchingHalf):
        targets = st.integers(0, len(half.targets) - 1)
        return [st.builds(AcceptTarget, stem=st.integers(0, size - 1), target=targets, **of)]
    return [st.builds(AcceptOrder, order=st.permutations(range(size)).map(tuple), credit=POSITIVE, **of)]


def answers(half: StudentHalf) -> st.SearchStrategy[AnswerValue]:
    """Stored answers to a question, blank ones included."""
    size = len(half.contents)
    match half.kind:
        case KindName.NUMERIC:
            return _values(st.sampled_from(["", "0", "1", "2.75", "3.5", "5", "45", "14", "-7"]))
        case KindName.TEXT:
            return _values(st.just("") | TEXTS.map(str.strip))
        case KindName.ESSAY:
            return _values(st.sampled_from(["", "Because."]))
        case KindName.ORDERING:
            orders = st.permutations(range(size)).map(lambda order: " ".join(map(str, order)))
            return _values(st.just("") | orders)
    if isinstance(half, MatchingHalf):
        targets = st.integers(0, len(half.targets) - 1)
        pairs = st.dictionaries(st.integers(0, size - 1), targets)
        return _values(pairs.map(lambda chosen: " ".join(f"{stem}:{chosen[stem]}" for stem in sorted(chosen))))
    choices, most = (size, half.max_choices) if isinstance(half, ChoicesHalf) else (2, 1)
    numbers = st.lists(st.integers(0, choices - 1), unique=True, max_size=most)
    return numbers.map(lambda chosen: AnswerValue(choice=mask_of(chosen)))


def _values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[AnswerValue]:
    return texts.map(lambda text: AnswerValue(value=text))
