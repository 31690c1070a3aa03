"""Keys of format 1 as the key halves of `exam_core.questions`, which score the same."""

from fractions import Fraction
from typing import Final

from exam_core.canonical import JsonObject
from exam_core.credits import NO_CREDIT
from exam_core.questions.choices import ChoicesHalf, ChoicesKey
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
    credits_ = tuple(Fraction(number in correct) for number in range(size))
    if question.kind is KindName.SINGLE:
        return ChoicesKey(kind=question.kind, credits=credits_)
    return ChoicesKey(kind=question.kind, credits=credits_, rule=None, floor=NO_CREDIT)
