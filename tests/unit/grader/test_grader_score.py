"""Scoring a sealed bucket agrees with an independent, naive scorer."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue, mask_of
from exam_core.answers import Answer, Start, Submission, answer_id_of
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.fold import SealedBucket, seal_bucket
from exam_core.instants import from_micros
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice
from exam_core.questions.model import Numbering
from exam_core.questions.numeric import Near, Numeric
from exam_core.scoring import MultipleRule, Policy
from exam_grader.grading.score import score_bucket

SITTING = UUID(int=7)
SOLVER = UUID(int=9)
NOON = 1_790_000_000_000_000


def choices(*correct: bool) -> tuple[Choice, ...]:
    """Choices, each correct or not."""
    return tuple(Choice(id=str(n), text=str(n), credit=Fraction(right)) for n, right in enumerate(correct))


EXAM = AuthoredExam(
    slug="algebra",
    title="Algebra",
    instructions="",
    questions=(
        AuthoredQuestion(
            id="single",
            text="?",
            weight=Decimal("1.5"),
            interaction=SingleChoice(choices=choices(False, True, False)),
        ),
        AuthoredQuestion(
            id="multiple",
            text="?",
            weight=Decimal(2),
            interaction=MultipleChoice(choices=choices(True, True, True, False)),
        ),
        AuthoredQuestion(
            id="numeric",
            text="?",
            weight=Decimal("0.7"),
            interaction=Numeric(accepted=(Near(value=Fraction("3.14"), tolerance=Fraction("0.01")),)),
        ),
    ),
)
PAPER, KEY = freeze(EXAM, range, plain_text)


@dataclass(frozen=True)
class LastAnswers:
    """A student's last answers by question: choice numbers, a number as text, or None for a withdrawn answer."""

    single: list[int] | None
    multiple: list[int] | None
    numeric: str | None


def naive(last: LastAnswers, rule: MultipleRule) -> Decimal:
    """The points, computed directly."""
    points = Fraction(0)
    if last.single == [1]:
        points += Fraction("1.5")
    if last.multiple:
        if rule is MultipleRule.ALL_OR_NOTHING:
            points += 2 if sorted(last.multiple) == [0, 1, 2] else 0
        else:
            right = len(set(last.multiple) & {0, 1, 2}) - len(set(last.multiple) - {0, 1, 2})
            points += 2 * Fraction(max(0, right), 3)
    if last.numeric and abs(Fraction(last.numeric) - Fraction("3.14")) <= Fraction("0.01"):
        points += Fraction("0.7")
    exact = Decimal(points.numerator) / Decimal(points.denominator)
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def sealed(last_answers: dict[int, LastAnswers], *, absent: bool = False) -> SealedBucket:
    """A bucket with these attempts and answers."""
    answers: list[Answer] = []
    for student, one in last_answers.items():
        values = (
            AnswerValue(choice=mask_of(one.single or [])),
            AnswerValue(choice=mask_of(one.multiple or [])),
            AnswerValue(value=one.numeric or ""),
        )
        for question, value in enumerate(values):
            name = answer_id_of(sitting=SITTING, student=student, question=question, seq=1, answer=value)
            answers.append(
                Answer(
                    student=student,
                    question=question,
                    seq=1,
                    answer_id=name,
                    received_at=NOON,
                    deadline_at=NOON,
                    solver=SOLVER,
                    epoch=1,
                    answer=value,
                )
            )
    starts = [Start(student=student, started_at=NOON, solver=SOLVER, epoch=1, seed=1) for student in last_answers]
    return seal_bucket(
        sitting=SITTING, bucket=0, paper=None, answers=answers, starts=[] if absent else starts, submissions=[]
    )


LAST_ANSWERS = st.builds(
    LastAnswers,
    single=st.none() | st.lists(st.integers(0, 2), max_size=1),
    multiple=st.none() | st.lists(st.integers(0, 3), unique=True, max_size=4),
    numeric=st.none() | st.sampled_from(["3.13", "3.14", "3.15", "3.1500001", "-3.14", "0", "314"]),
)


@given(st.dictionaries(st.integers(1, 500), LAST_ANSWERS, max_size=20), st.sampled_from(MultipleRule))
def test_totals_agree_with_a_naive_scorer(last_answers: dict[int, LastAnswers], rule: MultipleRule) -> None:
    """My degree is the sum of the points of my last answers, and every student who started has exactly one."""
    degrees = score_bucket(PAPER, KEY, Policy(multiple=rule), sealed(last_answers))
    assert {row.student: row.total for row in degrees} == {
        student: naive(last, rule) for student, last in last_answers.items()
    }
    assert len(degrees) == len(last_answers)
    assert {row.maximum for row in degrees} <= {Decimal("4.2")}


def test_an_absent_student_has_no_degree_and_a_blank_one_has_zero_points() -> None:
    """A student who never started has no degree; one who answered nothing has a degree of zero points."""
    start = Start(student=5, started_at=NOON, solver=SOLVER, epoch=1, seed=1)
    bucket = seal_bucket(sitting=SITTING, bucket=0, paper=None, answers=[], starts=[start], submissions=[])
    (blank,) = score_bucket(PAPER, KEY, Policy(), bucket)
    assert (blank.student, blank.total, blank.answered, blank.points) == (5, Decimal(0), 0, [None, None, None])
    empty = seal_bucket(sitting=SITTING, bucket=0, paper=None, answers=[], starts=[], submissions=[])
    assert score_bucket(PAPER, KEY, Policy(), empty) == []


def test_a_withdrawn_answer_has_no_points_and_a_wrong_one_has_zero() -> None:
    """My degree distinguishes unanswered questions from wrong answers."""
    bucket = sealed({1: LastAnswers(single=[0], multiple=[], numeric=None)})
    (degree,) = score_bucket(PAPER, KEY, Policy(), bucket)
    assert (degree.points, degree.answered) == (["0", None, None], 1)


def test_a_degree_has_the_times_of_start_and_submission() -> None:
    """A degree shows when its attempt started and, if it was submitted, when."""
    start = Start(student=5, started_at=NOON, solver=SOLVER, epoch=1, seed=1)
    submission = Submission(student=5, submitted_at=NOON + 7, solver=SOLVER, epoch=1)
    bucket = seal_bucket(sitting=SITTING, bucket=0, paper=None, answers=[], starts=[start], submissions=[submission])
    (degree,) = score_bucket(PAPER, KEY, Policy(), bucket)
    assert (degree.started_at, degree.submitted_at) == (from_micros(NOON), from_micros(NOON + 7))


def test_answers_without_a_start_count() -> None:
    """An acknowledged answer counts even if the seal has no start for it."""
    bucket = sealed({1: LastAnswers(single=[1], multiple=None, numeric=None)}, absent=True)
    (degree,) = score_bucket(PAPER, KEY, Policy(), bucket)
    assert (degree.started_at, degree.total) == (None, Decimal("1.5"))


def test_another_key_gives_other_degrees() -> None:
    """A corrected key changes the degrees of the same seal."""
    bucket = sealed({1: LastAnswers(single=[0], multiple=None, numeric=None)})
    first, *rest = KEY.entries(PAPER)
    half = SingleChoice(choices=choices(True, False, False)).key_half(Numbering(ids=("0", "1", "2")))
    other = Key.of(paper=PAPER.digest, entries=[replace(first, half=half), *rest])
    totals = [score_bucket(Paper(PAPER.body), key, Policy(), bucket)[0].total for key in (KEY, other)]
    assert totals == [Decimal(0), Decimal("1.5")]
