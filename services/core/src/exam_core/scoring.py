"""Scoring: compare counted answers with a key under a policy. Exact: fractions internally, decimals in results."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple, Self

from exam_core.adjustments.apply import AdjustedQuestion, adjusted_question
from exam_core.adjustments.faults import adjustment_faults
from exam_core.adjustments.listing import NO_ADJUSTMENTS, Adjustments, AdjustmentsError
from exam_core.answer_value import AnswerValue
from exam_core.canonical import Json, JsonObject, digest_of
from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper
from exam_core.questions.choices import MultipleRule
from exam_core.questions.model import Unscored

__all__ = ["MultipleRule", "Policy", "Score", "Scorer", "score", "scorer"]

REMEMBERED_ANSWERS: Final = 2**16
"""How many different answers are scored once for all students, of all questions of a paper together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of scoring that a revision freezes with the key."""

    multiple: MultipleRule = MultipleRule.ALL_OR_NOTHING
    """The rule of the multiple-choice questions that name none."""
    negative_total: bool = False
    """Whether a total may be below 0; else it is at least 0, however many points wrong answers cost."""
    adjustments: Adjustments = NO_ADJUSTMENTS
    """What the revision changes of paper, key and these rules, and why."""

    def to_json(self) -> dict[str, Json]:
        """Return the form that is stored and hashed; what most policies do not have is left out."""
        body: dict[str, Json] = {"format": 1, "multiple": self.multiple.value}
        if self.negative_total:
            body["negative_total"] = True
        if self.adjustments:
            body["adjustments"] = self.adjustments.to_json()
        return body

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`.

        Raises:
            AdjustmentsError: with every adjustment that cannot be read.
        """
        return cls(
            multiple=MultipleRule(body["multiple"]),
            negative_total=body.get("negative_total", False),
            adjustments=Adjustments.from_json(body["adjustments"]) if "adjustments" in body else NO_ADJUSTMENTS,
        )

    def with_rules(self, *, multiple: MultipleRule | None = None, negative_total: bool | None = None) -> Self:
        """Return it with other rules; None keeps one."""
        return replace(
            self,
            multiple=self.multiple if multiple is None else multiple,
            negative_total=self.negative_total if negative_total is None else negative_total,
        )

    @property
    def digest(self) -> str:
        """The digest of the stored form, which names the policy."""
        return digest_of(self.to_json())

    @property
    def effective(self) -> Self:
        """The policy with the rules that its adjustments set; all other adjustments stay."""
        changed = self.adjustments.policy
        if changed is None:
            return self
        return replace(
            self,
            multiple=self.multiple if changed.multiple is None else changed.multiple,
            negative_total=self.negative_total if changed.negative_total is None else changed.negative_total,
        )


@dataclass(frozen=True, kw_only=True)
class Score:
    """One student's result.

    `points` has one entry per question, None for one that was not drawn, not answered, is marked by hand or left out.
    """

    points: tuple[Decimal | None, ...]
    answered: int
    """The number of questions with an answer that was not withdrawn, those that are left out included."""
    total: Decimal
    maximum: Decimal

    def to_json(self) -> list[str | None]:
        """Return the points by question, as decimal text."""
        return [None if points is None else decimal_text(points) for points in self.points]


class _Earned(NamedTuple):
    """What an answer earns: rounded, None for nothing, and exactly, as a numerator and a denominator."""

    attempted: bool
    points: Decimal | None
    numerator: int
    denominator: int


_NOTHING: Final = _Earned(attempted=False, points=None, numerator=0, denominator=1)
"""What a student earns for a question that was not drawn."""


class Scorer:
    """Scores the students of a sitting, who share a paper, a key and a policy.

    Frequent answers are scored once. Exact points are added as numerators of equal denominators, because adding
    fractions takes most of the time.

    Raises:
        AdjustmentsError: the policy's adjustments are not of this paper and key.
    """

    def __init__(self, paper: Paper, key: Key, policy: Policy) -> None:
        adjustments = policy.adjustments
        if faults := adjustment_faults(adjustments, paper, key):
            raise AdjustmentsError(faults)
        rules = policy.effective
        questions = [
            adjusted_question(question, entry.half, adjustments.of_question(number), rules.multiple)
            for number, (question, entry) in enumerate(zip(paper.questions, key.entries(paper), strict=True))
        ]
        self._negative_total = rules.negative_total
        room = REMEMBERED_ANSWERS // max(1, len(questions))
        self._earned = [_remembering(question, room) for question in questions]
        self._unanswered = [_earned(question, None) for question in questions]
        self._weights = [Decimal(0) if each.left_out else each.weight for each in questions]
        self._draws = paper.draws

    def score(self, answers: Iterable[tuple[int, AnswerValue]], drawn: Collection[int] | None = None) -> Score:
        """Score the counted answers of one student.

        The total is rounded once, half up to the cent, and so are the points of each question: -0.005 is 0.00.

        Args:
            answers: (question number, answer), one for a question.
            drawn: the questions that the student got, None for all. Answers to others do not count, and an adjustment
                of another one gives nothing.

        Raises:
            ValueError: the paper draws questions, and it is not known which ones.
        """
        if drawn is None and self._draws:
            raise ValueError("the paper draws questions, and the attempt does not state which ones the student got")
        got = range(len(self._weights)) if drawn is None else drawn
        earned = [_NOTHING] * len(self._weights)
        for number in got:
            earned[number] = self._unanswered[number]
        for number, answer in answers:
            if number in got:
                earned[number] = self._earned[number](answer.choice, answer.value)
        attempted, points, numerators, denominators = zip(*earned, strict=True) if earned else ((), (), (), ())
        sums: dict[int, int] = {}
        for numerator, denominator in zip(numerators, denominators, strict=True):
            sums[denominator] = sums.get(denominator, 0) + numerator
        total, unit = 0, 1
        for denominator, numerator in sums.items():
            total, unit = total * denominator + numerator * unit, unit * denominator
        return Score(
            points=points,
            answered=sum(attempted),
            total=_rounded(total if self._negative_total else max(0, total), unit),
            maximum=sum((self._weights[number] for number in got), Decimal(0)),
        )


scorer = lru_cache(maxsize=4)(Scorer)
"""Returns the scorer of a paper, a key and a policy; all students of a sitting have the same."""


def score(
    paper: Paper,
    key: Key,
    policy: Policy,
    answers: Iterable[tuple[int, AnswerValue]],
    drawn: Collection[int] | None = None,
) -> Score:
    """Score the counted answers of one student, as `Scorer.score`."""
    return scorer(paper, key, policy).score(answers, drawn)


def _remembering(question: AdjustedQuestion, room: int) -> Callable[[int | None, str | None], _Earned]:
    @lru_cache(maxsize=room)
    def earned(choice: int | None, value: str | None) -> _Earned:
        return _earned(question, AnswerValue(choice=choice, value=value))

    return earned


def _earned(question: AdjustedQuestion, answer: AnswerValue | None) -> _Earned:
    attempted = answer is not None and not answer.blank
    share = question.outcome(answer)
    if question.left_out or isinstance(share, Unscored):
        return _Earned(attempted, None, 0, 1)
    points = Fraction(question.weight) * share
    return _Earned(attempted, _rounded(points.numerator, points.denominator), points.numerator, points.denominator)


def _rounded(numerator: int, denominator: int) -> Decimal:
    # The floor of 100 n/d + 1/2, in whole numbers: dividing decimals would round twice.
    return Decimal((200 * numerator + denominator) // (2 * denominator)).scaleb(-2)
