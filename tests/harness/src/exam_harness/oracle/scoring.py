"""Plain scoring: what an answer earns, in exact fractions, rounded once at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from exam_harness.oracle.document import Question
from exam_harness.oracle.paper import Shown

Content = frozenset[int] | Fraction | None
"""What was answered: the numbers of the chosen choices, a number, or None where a number was taken back."""

ALL_OR_NOTHING = "all-or-nothing"
PROPORTIONAL = "proportional"


@dataclass(frozen=True, slots=True)
class Result:
    """One student's degree as it ought to be; texts have two decimals, `points` is None where nothing was answered."""

    total: Fraction
    maximum: Fraction
    points: tuple[Fraction | None, ...]

    @property
    def answered(self) -> int:
        """How many questions have an answer that was not taken back."""
        return sum(points is not None for points in self.points)


def score(shown: Shown, answers: Mapping[int, Content], multiple: str = ALL_OR_NOTHING) -> Result:
    """Score one student's answers, given by question number."""
    earned = [_points(shown, number, answers.get(number), multiple) for number in range(len(shown.questions))]
    return Result(
        total=cents(sum((points for points in earned if points is not None), Fraction(0))),
        maximum=sum((question.weight for question in shown.questions), Fraction(0)),
        points=tuple(None if points is None else cents(points) for points in earned),
    )


def cents(exact: Fraction) -> Fraction:
    """Rounded half up to the hundredth; degrees are never negative."""
    return Fraction(int(exact * 100 + Fraction(1, 2)), 100)


def _points(shown: Shown, number: int, content: Content, multiple: str) -> Fraction | None:
    question = shown.questions[number]
    if isinstance(content, Fraction):
        return question.weight if _near(question, content) else Fraction(0)
    if not content:
        return None
    chosen = shown.authored(number, content)
    if question.kind == "multiple" and multiple == PROPORTIONAL:
        share = Fraction(len(chosen & question.right) - len(chosen - question.right), len(question.right))
        return question.weight * max(share, Fraction(0))
    return question.weight if chosen == question.right else Fraction(0)


def _near(question: Question, given: Fraction) -> bool:
    if question.value is None:
        raise ValueError(f"{question.text!r} takes choices, not the number {given}")
    return abs(given - question.value) <= question.tolerance
