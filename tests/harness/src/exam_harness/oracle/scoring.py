"""Plain scoring in exact fractions, rounded once at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from exam_harness.oracle.document import Question
from exam_harness.oracle.paper import MatchedPaper

Content = frozenset[int] | Fraction | None
"""An answer's content: the numbers of the chosen choices, a number, or None for a withdrawn number."""

ALL_OR_NOTHING = "all-or-nothing"
PROPORTIONAL = "proportional"


@dataclass(frozen=True, slots=True)
class Score:
    """One student's expected degree, rounded to cents; `points` is None for a question without an answer."""

    total: Fraction
    maximum: Fraction
    points: tuple[Fraction | None, ...]

    @property
    def answered(self) -> int:
        """The number of questions with an answer that was not withdrawn."""
        return sum(points is not None for points in self.points)


def score(paper: MatchedPaper, answers: Mapping[int, Content], multiple: str = ALL_OR_NOTHING) -> Score:
    """Score one student's answers by question number."""
    earned = [_points(paper, number, answers.get(number), multiple) for number in range(len(paper.questions))]
    return Score(
        total=round_to_cents(sum((points for points in earned if points is not None), Fraction(0))),
        maximum=sum((question.weight for question in paper.questions), Fraction(0)),
        points=tuple(None if points is None else round_to_cents(points) for points in earned),
    )


def round_to_cents(exact: Fraction) -> Fraction:
    """Round half up to the hundredth; degrees are never negative."""
    return Fraction(int(exact * 100 + Fraction(1, 2)), 100)


def _points(paper: MatchedPaper, number: int, content: Content, multiple: str) -> Fraction | None:
    question = paper.questions[number]
    if isinstance(content, Fraction):
        return question.weight if _within_tolerance(question, content) else Fraction(0)
    if not content:
        return None
    chosen = paper.authored_choices(number, content)
    if question.kind == "multiple" and multiple == PROPORTIONAL:
        correct = question.correct
        share = Fraction(len(chosen & correct) - len(chosen - correct), len(correct))
        return question.weight * max(share, Fraction(0))
    return question.weight if chosen == question.correct else Fraction(0)


def _within_tolerance(question: Question, value: Fraction) -> bool:
    if question.value is None:
        raise ValueError(f"{question.text!r} takes choices, not the number {value}")
    return abs(value - question.value) <= question.tolerance
