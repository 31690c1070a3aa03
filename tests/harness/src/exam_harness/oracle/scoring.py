"""Plain scoring in exact fractions, rounded once at the end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from exam_harness.oracle.content import Content, order_of, pairs_of
from exam_harness.oracle.document import SUM_OF_CREDITS, Question
from exam_harness.oracle.ordering import order_share
from exam_harness.oracle.paper import MatchedPaper

ALL_OR_NOTHING: Final = "all-or-nothing"
PROPORTIONAL: Final = "proportional"


@dataclass(frozen=True, slots=True)
class Score:
    """One student's expected degree, rounded to cents.

    `points` is None for a question without an answer, for one that is marked by hand, and for one that was not drawn.
    """

    total: Fraction
    maximum: Fraction
    points: tuple[Fraction | None, ...]
    answered: int
    """The number of questions with an answer that was not withdrawn."""


def score(
    paper: MatchedPaper,
    answers: Mapping[int, Content],
    multiple: str = ALL_OR_NOTHING,
    *,
    negative_total: bool = False,
    drawn: Collection[int] | None = None,
) -> Score:
    """Score one student's answers by question number; of a paper with pools, those to the drawn questions."""
    got = range(len(paper.questions)) if drawn is None else drawn
    given = {number: content for number, content in answers.items() if content and number in got}
    shares = {number: share(paper, number, content, multiple) for number, content in given.items()}
    earned = {n: paper.questions[n].weight * part for n, part in shares.items() if part is not None}
    total = sum(earned.values(), Fraction(0))
    if total < 0 and not negative_total:
        total = Fraction(0)
    return Score(
        total=round_to_cents(total),
        maximum=sum((paper.questions[number].weight for number in got), Fraction(0)),
        points=tuple(round_to_cents(earned[n]) if n in earned else None for n in range(len(paper.questions))),
        answered=len(given),
    )


def share(paper: MatchedPaper, number: int, content: Content, multiple: str = ALL_OR_NOTHING) -> Fraction | None:
    """The part of the weight that an answer earns which is not blank; None if it is marked by hand.

    Raises:
        ValueError: the content is that of another kind of question.
    """
    question = paper.questions[number]
    if isinstance(content, frozenset):
        return _choices_share(question, paper.authored_choices(number, content), multiple)
    if content is None:
        raise ValueError("a blank answer has no share")
    match question.kind:
        case "numeric":
            value = Fraction(content)
            return next((each.credit for each in question.numbers if each.matches(value)), Fraction(0))
        case "text":
            return next((each.credit for each in question.texts if each.matches(content)), Fraction(0))
        case "matching":
            return _matching_share(paper, number, pairs_of(content))
        case "ordering":
            return order_share(question.rule, [paper.items[number][item] for item in order_of(content)])
        case "essay":
            return None
    raise ValueError(f"{question.text!r} takes choices, not {content!r}")


def round_to_cents(exact: Fraction) -> Fraction:
    """Round half up to the hundredth: -0.005 is 0."""
    return Fraction(floor(exact * 100 + Fraction(1, 2)), 100)


def _choices_share(question: Question, chosen: frozenset[int], multiple: str) -> Fraction:
    credit = sum((question.items[index].credit for index in chosen), Fraction(0))
    if question.kind != "multiple":
        return credit
    if question.rule == SUM_OF_CREDITS:
        return min(question.cap, max(question.floor, credit))
    correct = question.correct
    if question.rule or multiple == ALL_OR_NOTHING:
        return Fraction(chosen == correct)
    if not correct:
        # A revision may make every choice wrong and accept an answer by itself.
        return Fraction(0)
    return max(Fraction(0), Fraction(len(chosen & correct) - len(chosen - correct), len(correct)))


def _matching_share(paper: MatchedPaper, number: int, pairs: Mapping[int, int]) -> Fraction:
    stems = paper.questions[number].items
    right = sum(
        stems[paper.items[number][stem]].target == paper.targets[number][target] for stem, target in pairs.items()
    )
    return Fraction(right, len(stems))
