"""Scores with the adjustments of a revision, against a plain reference."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exam_core.adjustments.apply import under
from exam_core.adjustments.listing import Adjustments, AdjustmentsError
from exam_core.adjustments.model import (
    AcceptChoices,
    AcceptNumber,
    AcceptOrder,
    AcceptTarget,
    AcceptText,
    CreditedStudents,
    GiveFullCredit,
    LeaveOut,
    SetAcceptedCredit,
    SetChoiceCredit,
    SetPolicy,
    SetWeight,
)
from exam_core.answer_value import AnswerValue, mask_of
from exam_core.authored import AuthoredExam, Section
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import ChoicesKey, MultipleRule
from exam_core.questions.matching import MatchingKey, pairs_of
from exam_core.questions.model import KeyHalf
from exam_core.questions.notation import parse_accepted
from exam_core.questions.numeric import NumericKey
from exam_core.questions.ordering import OrderingKey, order_of
from exam_core.questions.ordering_rules import share_of
from exam_core.questions.patterns import Pattern, folded
from exam_core.questions.text import ShortTextKey
from exam_core.scoring import Policy, Score, score
from exam_core.shuffle import order_of as shown_order
from exam_harness.strategies.adjustments import adjustments, answers
from exam_harness.strategies.questions import EXAMS, permute_by

POLICIES = st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans())
Sitting = tuple[Paper, Key, Policy, dict[int, AnswerValue]]


@st.composite
def pools(draw: st.DrawFn) -> AuthoredExam:
    """Exams of which every student gets some questions, but not all."""
    exam = draw(EXAMS.filter(lambda exam: len(exam.questions) > 1))
    size = len(exam.questions)
    questions = tuple(replace(question, weight=exam.questions[0].weight) for question in exam.questions)
    return replace(
        exam, questions=questions, sections=(Section(id="s", size=size, draw=draw(st.integers(1, size - 1))),)
    )


@st.composite
def sittings(draw: st.DrawFn, exams: st.SearchStrategy[AuthoredExam] = EXAMS) -> Sitting:
    """A frozen exam, a policy with adjustments, and one student's answers."""
    paper, key = freeze(draw(exams), permute_by(draw(st.integers(0, 1000))), plain_text)
    policy = draw(POLICIES)
    adjusted = Policy(
        multiple=policy.multiple, negative_total=policy.negative_total, adjustments=draw(adjustments(paper, key))
    )
    given_ = {n: draw(answers(each.half)) for n, each in enumerate(paper.questions) if draw(st.booleans())}
    return paper, key, adjusted, given_


def reference(
    paper: Paper, key: Key, policy: Policy, given_: Mapping[int, AnswerValue], got: Collection[int] | None = None
) -> Score:
    """Score an attempt question by question, as the rules say it, in fractions; `got` are the drawn questions."""
    got = range(len(paper.questions)) if got is None else got
    rules = [each for each in policy.adjustments.entries if isinstance(each, SetPolicy)]
    multiple, negative_total = policy.multiple, policy.negative_total
    for rule in rules:
        multiple = rule.multiple or multiple
        negative_total = negative_total if rule.negative_total is None else rule.negative_total
    exact: list[Fraction | None] = []
    maximum = Decimal(0)
    for number, (question, entry) in enumerate(zip(paper.questions, key.entries(paper), strict=True)):
        changes = [e for e in policy.adjustments.entries if not isinstance(e, SetPolicy) and e.question == number]
        if number not in got or any(isinstance(each, LeaveOut) for each in changes):
            exact.append(None)
            continue
        weight = question.weight
        for each in changes:
            weight = each.weight if isinstance(each, SetWeight) else weight
        maximum += weight
        part = reference_share(changes, entry.half, multiple, given_.get(number))
        exact.append(None if part is None else Fraction(weight) * part)
    total = sum((points for points in exact if points is not None), Fraction(0))
    return Score(
        points=tuple(None if points is None else cents(points) for points in exact),
        answered=sum(not answer.blank for number, answer in given_.items() if number in got),
        total=cents(total if negative_total else max(Fraction(0), total)),
        maximum=maximum,
    )


def reference_share(
    changes: Sequence[object], half: KeyHalf, multiple: MultipleRule, answer: AnswerValue | None
) -> Fraction | None:
    """The share of an answer; None without one, and for one that is marked by hand."""
    for each in changes:
        if isinstance(each, GiveFullCredit) and (
            each.to is CreditedStudents.ALL or (answer is not None and not answer.blank)
        ):
            return Fraction(1)
    if answer is None or answer.blank:
        return None
    part = key_share(changes, half, multiple, answer)
    if part is None:
        return None
    others = [further(change, half, answer) for change in changes]
    return max([part, *(each for each in others if each)])


def key_share(changes: Sequence[object], half: KeyHalf, multiple: MultipleRule, answer: AnswerValue) -> Fraction | None:
    """The share by the key, with the credits and targets that changed."""
    if isinstance(half, ChoicesKey):
        new = {each.choice: each.credit for each in changes if isinstance(each, SetChoiceCredit)}
        credits_ = tuple(new.get(n, credit) for n, credit in enumerate(half.credits))
        changed = ChoicesKey(kind=half.kind, credits=credits_, rule=half.rule, floor=half.floor, cap=half.cap)
        return under(changed, multiple).share(answer)
    if isinstance(half, NumericKey | ShortTextKey):
        new = {each.entry: each.credit for each in changes if isinstance(each, SetAcceptedCredit)}
        found = next((n for n in range(len(half.accepted)) if entry_matches(half, n, answer)), None)
        return Fraction(0) if found is None else new.get(found, entry_credit(half, found))
    if isinstance(half, MatchingKey):
        right = {(n, target) for n, target in enumerate(half.targets)}
        right |= {(each.stem, each.target) for each in changes if isinstance(each, AcceptTarget)}
        return Fraction(sum(pair in right for pair in pairs_of(answer).items()), len(half.targets))
    return half.share(answer)


def entry_matches(half: NumericKey | ShortTextKey, entry: int, answer: AnswerValue) -> bool:
    """Whether an entry of a key accepts an answer."""
    if isinstance(half, NumericKey):
        return Fraction(answer.value or 0) in half.accepted[entry][0]
    return matches(half, half.accepted[entry].text, answer)


def entry_credit(half: NumericKey | ShortTextKey, entry: int) -> Fraction:
    """The credit that the key gives for an entry."""
    return half.accepted[entry][1] if isinstance(half, NumericKey) else half.accepted[entry].credit


def further(change: object, half: KeyHalf, answer: AnswerValue) -> Fraction:
    """The share by an answer that a change accepts, 0 for any other answer."""
    match change, half:
        case AcceptNumber(), NumericKey():
            accepted = Fraction(answer.value or 0) in parse_accepted(change.answer).interval
        case AcceptText(), ShortTextKey():
            accepted = matches(half, change.answer, answer)
        case AcceptChoices(), ChoicesKey():
            accepted = answer.choice == mask_of(change.choices)
        case AcceptOrder(), OrderingKey():
            places = [change.order.index(item) for item in order_of(answer)]
            return change.credit * share_of(half.rule, places)
        case _:
            return Fraction(0)
    return change.credit if accepted else Fraction(0)


def matches(half: ShortTextKey, text: str, answer: AnswerValue) -> bool:
    """Whether an answer is an accepted text of a question."""
    typed = (answer.value or "") if half.case else folded(answer.value or "")
    return Pattern.of(text, case=half.case, wildcards=half.wildcards).matches(typed)


def cents(points: Fraction) -> Decimal:
    """Round half up to the cent."""
    return Decimal(floor(points * 100 + Fraction(1, 2))) / 100


@given(sittings())
def test_a_score_with_adjustments_equals_the_reference(sitting: Sitting) -> None:
    """If a revision adjusts questions, my score is the one that its adjustments say, question by question."""
    paper, key, policy, given_ = sitting
    assert score(paper, key, policy, given_.items()) == reference(paper, key, policy, given_)


@given(sittings(pools()), st.integers(0, 2**63 - 1))
def test_adjustments_of_questions_that_were_not_drawn_change_nothing(sitting: Sitting, seed: int) -> None:
    """If questions are drawn, my adjusted score is that of those that I was shown, whatever becomes of the others."""
    paper, key, policy, given_ = sitting
    shown = shown_order(paper, seed).questions
    assert score(paper, key, policy, given_.items(), shown) == reference(paper, key, policy, given_, shown)


@given(sittings(), st.randoms(use_true_random=False))
def test_the_order_of_adjustments_changes_no_score(sitting: Sitting, rng: object) -> None:
    """If the same adjustments are listed in another order, my score is the same."""
    paper, key, policy, given_ = sitting
    entries = list(policy.adjustments.entries)
    rng.shuffle(entries)  # type: ignore[attr-defined]
    other = Policy(
        multiple=policy.multiple, negative_total=policy.negative_total, adjustments=Adjustments(tuple(entries))
    )
    assert score(paper, key, other, given_.items()) == score(paper, key, policy, given_.items())


@given(sittings())
def test_further_accepted_answers_cost_no_points(sitting: Sitting) -> None:
    """If further answers are accepted and nothing else changes, no question earns me less than before."""
    paper, key, policy, given_ = sitting
    accepts = AcceptNumber | AcceptText | AcceptChoices | AcceptTarget | AcceptOrder
    only = tuple(each for each in policy.adjustments.entries if isinstance(each, accepts))
    assume(only)
    plain = Policy(multiple=policy.multiple, negative_total=policy.negative_total)
    after = Policy(multiple=policy.multiple, negative_total=policy.negative_total, adjustments=Adjustments(only))
    now, before = (score(paper, key, each, given_.items()) for each in (after, plain))
    assert all(new == old or (new or 0) >= (old or 0) for new, old in zip(now.points, before.points, strict=True))
    assert (now.answered, now.maximum) == (before.answered, before.maximum)
    assert now.total >= before.total


@given(sittings())
def test_adjustments_that_are_not_of_a_paper_score_nothing(sitting: Sitting) -> None:
    """If adjustments name a question that the paper does not have, no score is computed from them."""
    paper, key, _, given_ = sitting
    policy = Policy(adjustments=Adjustments((LeaveOut(question=len(paper.questions), reason="typo"),)))
    with pytest.raises(AdjustmentsError, match="the paper has questions 0 to"):
        score(paper, key, policy, given_.items())
