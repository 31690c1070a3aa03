"""Keys of format 1 as the key halves of `exam_core.questions`, which score the same."""

from fractions import Fraction
from typing import Final

from exam_core.canonical import JsonObject
from exam_core.questions.choices import ChoiceRule, ChoicesHalf, ChoicesKey
from exam_core.questions.model import KeyHalf, KindName, StudentHalf
from exam_core.questions.numeric import Near, NumericKey

FORMAT: Final = 1


def key_half(question: StudentHalf, entry: JsonObject) -> KeyHalf:
    """Return what scores a question of format 1; an entry without a correct choice accepts nothing.

    A correct choice has credit 1. The rule of multiple choice is the policy's.
    """
    if "value" in entry:
        near = Near(value=Fraction(entry["value"]), tolerance=Fraction(entry["tolerance"]))
        return NumericKey(accepted=((near.interval, near.credit),))
    size = len(question.choices) if isinstance(question, ChoicesHalf) else 0
    correct = set(entry["choices"])
    return ChoicesKey(
        kind=question.kind,
        credits=tuple(Fraction(number in correct) for number in range(size)),
        rule=None if question.kind is KindName.MULTIPLE else ChoiceRule.ALL_OR_NOTHING,
        floor=Fraction(0),
    )
