"""Grading a sealed bucket agrees with the simplest scorer one could write."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_core.answers import Answer, AnswerValue, Start, Submission, answer_id_of
from exam_core.fold import SealedBucket, seal_bucket
from exam_core.instants import from_micros
from exam_core.paper import (
    AuthoredChoice,
    AuthoredExam,
    AuthoredQuestion,
    Key,
    Paper,
    QuestionKind,
    freeze,
    mask_of,
)
from exam_core.scoring import MultipleRule, Policy
from exam_grader.grading.score import grade_bucket

SITTING = UUID(int=7)
SOLVER = UUID(int=9)
NOON = 1_790_000_000_000_000


def choices(*correct: bool) -> tuple[AuthoredChoice, ...]:
    """Choices, right or wrong."""
    return tuple(AuthoredChoice(id=str(n), text=str(n), correct=right) for n, right in enumerate(correct))


EXAM = AuthoredExam(
    slug="algebra",
    title="Algebra",
    instructions="",
    questions=(
        AuthoredQuestion(
            id="single", kind=QuestionKind.SINGLE, text="?", weight=Decimal("1.5"), choices=choices(False, True, False)
        ),
        AuthoredQuestion(
            id="multiple",
            kind=QuestionKind.MULTIPLE,
            text="?",
            weight=Decimal(2),
            choices=choices(True, True, True, False),
        ),
        AuthoredQuestion(
            id="numeric",
            kind=QuestionKind.NUMERIC,
            text="?",
            weight=Decimal("0.7"),
            value=Decimal("3.14"),
            tolerance=Decimal("0.01"),
        ),
    ),
)
PAPER, KEY = freeze(EXAM, lambda n: list(range(n)))


@dataclass(frozen=True)
class Said:
    """What one student last said, by question: choice numbers, a number's text, or None for an answer taken back."""

    single: list[int] | None
    multiple: list[int] | None
    numeric: str | None


def naive(said: Said, rule: MultipleRule) -> Decimal:
    """Points as a person would count them."""
    points = Fraction(0)
    if said.single == [1]:
        points += Fraction("1.5")
    if said.multiple:
        if rule is MultipleRule.ALL_OR_NOTHING:
            points += 2 if sorted(said.multiple) == [0, 1, 2] else 0
        else:
            right = len(set(said.multiple) & {0, 1, 2}) - len(set(said.multiple) - {0, 1, 2})
            points += 2 * Fraction(max(0, right), 3)
    if said.numeric and abs(Fraction(said.numeric) - Fraction("3.14")) <= Fraction("0.01"):
        points += Fraction("0.7")
    exact = Decimal(points.numerator) / Decimal(points.denominator)
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def sealed(said: dict[int, Said], *, absent: bool = False) -> SealedBucket:
    """A bucket in which these students sat and said this."""
    answers: list[Answer] = []
    for student, one in said.items():
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
    starts = [Start(student=student, started_at=NOON, solver=SOLVER, epoch=1, seed=1) for student in said]
    return seal_bucket(sitting=SITTING, bucket=0, answers=answers, starts=[] if absent else starts, submissions=[])


SAID = st.builds(
    Said,
    single=st.none() | st.lists(st.integers(0, 2), max_size=1),
    multiple=st.none() | st.lists(st.integers(0, 3), unique=True, max_size=4),
    numeric=st.none() | st.sampled_from(["3.13", "3.14", "3.15", "3.1500001", "-3.14", "0", "314"]),
)


@given(st.dictionaries(st.integers(1, 500), SAID, max_size=20), st.sampled_from(MultipleRule))
def test_every_total_is_what_a_person_would_count(said: dict[int, Said], rule: MultipleRule) -> None:
    """My degree is the sum of what my last answers earn, and everyone who sat has exactly one."""
    degrees = grade_bucket(PAPER, KEY, Policy(multiple=rule), sealed(said))
    assert {row.student: row.total for row in degrees} == {who: naive(one, rule) for who, one in said.items()}
    assert len(degrees) == len(said)
    assert {row.maximum for row in degrees} <= {Decimal("4.2")}


def test_absent_is_not_blank() -> None:
    """Who never came has no degree; who came and answered nothing has one, of zero points."""
    start = Start(student=5, started_at=NOON, solver=SOLVER, epoch=1, seed=1)
    bucket = seal_bucket(sitting=SITTING, bucket=0, answers=[], starts=[start], submissions=[])
    (blank,) = grade_bucket(PAPER, KEY, Policy(), bucket)
    assert (blank.student, blank.total, blank.answered, blank.points) == (5, Decimal(0), 0, [None, None, None])
    nobody = seal_bucket(sitting=SITTING, bucket=0, answers=[], starts=[], submissions=[])
    assert grade_bucket(PAPER, KEY, Policy(), nobody) == []


def test_an_answer_taken_back_is_unanswered_and_a_wrong_one_is_zero() -> None:
    """My degree tells what I left open from what I got wrong."""
    bucket = sealed({1: Said(single=[0], multiple=[], numeric=None)})
    (degree,) = grade_bucket(PAPER, KEY, Policy(), bucket)
    assert (degree.points, degree.answered) == (["0", None, None], 1)


def test_a_degree_carries_when_it_was_begun_and_handed_in() -> None:
    """A degree tells when its attempt began and, if it was, when it was submitted."""
    start = Start(student=5, started_at=NOON, solver=SOLVER, epoch=1, seed=1)
    submission = Submission(student=5, submitted_at=NOON + 7, solver=SOLVER, epoch=1)
    bucket = seal_bucket(sitting=SITTING, bucket=0, answers=[], starts=[start], submissions=[submission])
    (degree,) = grade_bucket(PAPER, KEY, Policy(), bucket)
    assert (degree.started_at, degree.submitted_at) == (from_micros(NOON), from_micros(NOON + 7))


def test_answers_without_a_start_still_count() -> None:
    """An acknowledged answer counts even where its start's row is not in the seal."""
    bucket = sealed({1: Said(single=[1], multiple=None, numeric=None)}, absent=True)
    (degree,) = grade_bucket(PAPER, KEY, Policy(), bucket)
    assert (degree.started_at, degree.total) == (None, Decimal("1.5"))


def test_the_key_decides_and_not_the_paper() -> None:
    """A corrected key gives other degrees for the same seal."""
    bucket = sealed({1: Said(single=[0], multiple=None, numeric=None)})
    other = Key.of(paper=PAPER.digest, entries=[KEY.entries[0].__class__(choices=1), *KEY.entries[1:]])
    totals = [grade_bucket(Paper(PAPER.body), key, Policy(), bucket)[0].total for key in (KEY, other)]
    assert totals == [Decimal(0), Decimal("1.5")]
