"""What scores a question of a frozen paper, with its adjustments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from exam_core.adjustments.model import (
    AcceptChoices,
    AcceptNumber,
    AcceptOrder,
    AcceptTarget,
    AcceptText,
    CreditedStudents,
    GiveFullCredit,
    LeaveOut,
    QuestionAdjustment,
    SetAcceptedCredit,
    SetChoiceCredit,
    SetWeight,
)
from exam_core.answer_value import AnswerValue
from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.paper import Question
from exam_core.questions.choices import ChoiceRule, ChoicesKey, MultipleRule
from exam_core.questions.matching import MatchingKey, pairs_of
from exam_core.questions.model import KeyHalf, Scoring, Unscored, outcome
from exam_core.questions.notation import parse_accepted
from exam_core.questions.numeric import NumericKey
from exam_core.questions.ordering import OrderingKey
from exam_core.questions.text import AcceptedText, ShortTextKey


@dataclass(frozen=True, slots=True)
class MatchingTargets:
    """The numbers of each stem's right targets."""

    targets: tuple[frozenset[int], ...]

    def share(self, answer: AnswerValue) -> Fraction | None:
        """Return the correct stems of all stems."""
        pairs = pairs_of(answer)
        return Fraction(sum(pairs.get(n) in right for n, right in enumerate(self.targets)), len(self.targets))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedQuestion:
    """What scores a question: its key, and what a revision changed of it.

    `further` are the answers that are accepted beside those of the key, each with its credit.
    """

    scoring: Scoring
    weight: Decimal
    further: tuple[tuple[Scoring, Fraction], ...] = ()
    full_credit: CreditedStudents | None = None
    left_out: bool = False

    def outcome(self, answer: AnswerValue | None) -> Fraction | Unscored:
        """Return the share of the weight that an answer earns, or why it has none."""
        found = outcome(self.scoring, answer)
        if self.full_credit is CreditedStudents.ALL:
            return FULL_CREDIT
        if found is Unscored.NOT_ATTEMPTED or answer is None:
            return found
        if self.full_credit is CreditedStudents.ANSWERED:
            return FULL_CREDIT
        return max((found, *self._further(answer))) if isinstance(found, Fraction) else found

    def _further(self, answer: AnswerValue) -> Iterator[Fraction]:
        # An answer that is not accepted has share 0 there, which must not raise a negative one.
        for scoring, credit in self.further:
            if share := scoring.share(answer):
                yield share * credit


def adjusted_question(
    question: Question, half: KeyHalf, adjustments: Iterable[QuestionAdjustment], multiple: MultipleRule
) -> AdjustedQuestion:
    """Return what scores a question with its adjustments, which have no faults."""
    listed = tuple(adjustments)
    key = adjusted_key(half, listed)
    credited = next((each.to for each in listed if isinstance(each, GiveFullCredit)), None)
    return AdjustedQuestion(
        scoring=_with_targets(under(key, multiple), listed),
        weight=next((each.weight for each in listed if isinstance(each, SetWeight)), question.weight),
        further=tuple(_further(key, listed)),
        full_credit=credited,
        left_out=any(isinstance(each, LeaveOut) for each in listed),
    )


def adjusted_key(half: KeyHalf, adjustments: Iterable[QuestionAdjustment]) -> KeyHalf:
    """Return a key half with the credits that adjustments set."""
    for each in adjustments:
        if isinstance(each, SetChoiceCredit) and isinstance(half, ChoicesKey):
            credits_ = (each.credit if n == each.choice else credit for n, credit in enumerate(half.credits))
            half = replace(half, credits=tuple(credits_))
        elif isinstance(each, SetAcceptedCredit) and isinstance(half, NumericKey):
            numbers = list(half.accepted)
            numbers[each.entry] = (numbers[each.entry][0], each.credit)
            half = replace(half, accepted=tuple(numbers))
        elif isinstance(each, SetAcceptedCredit) and isinstance(half, ShortTextKey):
            texts = list(half.accepted)
            texts[each.entry] = replace(texts[each.entry], credit=each.credit)
            half = replace(half, accepted=tuple(texts))
    return half


def under(half: KeyHalf, multiple: MultipleRule) -> KeyHalf:
    """Return a key half with the rule that it leaves to a policy.

    All-or-nothing gives the weight for exactly the correct choices. Proportional gives 1/k for each of k correct
    choices and -1/k for each other one, at least 0. Without a correct choice nothing is accepted.
    """
    if not isinstance(half, ChoicesKey) or half.rule is not None:
        return half
    correct = sum(credit > 0 for credit in half.credits)
    if multiple is MultipleRule.ALL_OR_NOTHING or correct == 0:
        return replace(half, rule=ChoiceRule.ALL_OR_NOTHING)
    part = Fraction(1, correct)
    credits_ = tuple(part if credit > 0 else -part for credit in half.credits)
    return replace(half, rule=ChoiceRule.SUM_OF_CREDITS, credits=credits_, floor=NO_CREDIT)


def _with_targets(half: KeyHalf, adjustments: Iterable[QuestionAdjustment]) -> Scoring:
    added = [each for each in adjustments if isinstance(each, AcceptTarget)]
    if not isinstance(half, MatchingKey) or not added:
        return half
    right = [{target} for target in half.targets]
    for each in added:
        right[each.stem].add(each.target)
    return MatchingTargets(tuple(map(frozenset, right)))


def _further(half: KeyHalf, adjustments: Iterable[QuestionAdjustment]) -> Iterator[tuple[Scoring, Fraction]]:
    for each in adjustments:
        match each, half:
            case AcceptNumber(), NumericKey():
                yield NumericKey(accepted=((parse_accepted(each.answer).interval, FULL_CREDIT),)), each.credit
            case AcceptText(), ShortTextKey():
                yield replace(half, accepted=(AcceptedText(text=each.answer),)), each.credit
            case AcceptChoices(), ChoicesKey():
                chosen = tuple(Fraction(n in each.choices) for n in range(len(half.credits)))
                yield ChoicesKey(kind=half.kind, credits=chosen, rule=ChoiceRule.ALL_OR_NOTHING), each.credit
            case AcceptOrder(), OrderingKey():
                yield replace(half, order=each.order), each.credit
            case _:
                pass
