"""Keys of format 1 as the key halves of `exam_core.questions`, which score the same."""

from fractions import Fraction

from exam_core.paper import KeyEntry, Question, QuestionKind
from exam_core.questions.choices import ChoiceRule, ChoicesKey
from exam_core.questions.model import KeyHalf, KindName
from exam_core.questions.numeric import Near, NumericKey
from exam_core.scoring import MultipleRule


def key_half(question: Question, entry: KeyEntry, rule: MultipleRule) -> KeyHalf:
    """Return what scores a question of format 1 under a policy.

    All-or-nothing is credit 1 for each correct choice. Proportional is 1/k for each of k correct choices and -1/k for
    each other one, at least 0. An empty key accepts nothing.
    """
    if question.kind is QuestionKind.NUMERIC:
        if entry.value is None:
            return NumericKey(accepted=())
        near = Near(value=Fraction(entry.value), tolerance=Fraction(entry.tolerance))
        return NumericKey(accepted=((near.interval, near.credit),))
    kind = KindName(question.kind)
    correct = entry.choices.bit_count()
    proportional = question.kind is QuestionKind.MULTIPLE and rule is MultipleRule.PROPORTIONAL and correct > 0
    right, wrong = (Fraction(1, correct), Fraction(-1, correct)) if proportional else (Fraction(1), Fraction(0))
    return ChoicesKey(
        kind=kind,
        credits=tuple(right if entry.choices >> number & 1 else wrong for number in range(question.choices)),
        rule=ChoiceRule.SUM_OF_CREDITS if proportional else ChoiceRule.ALL_OR_NOTHING,
        floor=Fraction(0),
    )
