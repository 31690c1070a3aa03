"""A pool, extra time and an adjustment together: from windows and answers over the seal to the scores of a revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from exam_core.adjustments.listing import Adjustments
from exam_core.adjustments.model import CreditedStudents, GiveFullCredit
from exam_core.answer_value import AnswerValue, mask_of
from exam_core.answers import Answer, Start, answer_id_of
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.deadlines import extra_time, personal_deadline
from exam_core.fold import SealedAttempt, SealedBucket, seal_bucket
from exam_core.instants import MINUTE
from exam_core.paper import freeze, plain_text
from exam_core.questions.choices import Choice, SingleChoice
from exam_core.scoring import Policy, Score, score
from exam_core.shuffle import order_of
from exam_core.windows import Window

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SOLVER = UUID(int=1)
WEIGHTS = (1, 3, 2, 2, 2, 2, 2, 5, 5)
POOL = range(2, 7)
RIGHT = 1
QUESTIONS = tuple(
    AuthoredQuestion(
        id=f"q{number}",
        text=f"question {number}",
        interaction=SingleChoice(choices=tuple(Choice(id=c, text=c, credit=Fraction(c == "b")) for c in "abc")),
        weight=Decimal(weight),
    )
    for number, weight in enumerate(WEIGHTS)
)
SECTIONS = (Section(id="all", size=2), Section(id="pool", size=5, draw=2), Section(id="one", size=2, draw=1))
PAPER, KEY = freeze(
    AuthoredExam(slug="e", title="E", instructions="", sections=SECTIONS, questions=QUESTIONS), range, plain_text
)
MAXIMUM = 1 + 3 + 2 * 2 + 5
WINDOW = Window(opens_at=0, closes_at=600 * MINUTE, duration=60 * MINUTE)


@dataclass(frozen=True, kw_only=True)
class Taker:
    """A student: the seed of the start, extra time in percent, and (minute, choice or None if blank) by question."""

    seed: int
    percent: int
    answers: Mapping[int, tuple[int, int | None]]

    def counts(self, minute: int) -> bool:
        """Whether an answer of this minute is in time: a duration of 60 minutes, longer by the percentage."""
        return Fraction(minute) <= 60 + Fraction(60 * self.percent, 100)


TAKERS = st.builds(
    Taker,
    seed=st.integers(0, 2**63 - 1),
    percent=st.sampled_from([0, 0, 25, 50, 100]),
    answers=st.dictionaries(
        st.integers(0, len(WEIGHTS) - 1),
        st.tuples(st.sampled_from([1, 59, 60, 61, 75, 76, 90, 91, 120, 121]), st.none() | st.integers(0, 2)),
    ),
)
CLASSES = st.lists(TAKERS, min_size=1, max_size=4)


def sealed(takers: list[Taker]) -> tuple[SealedAttempt, ...]:
    """The attempts of a bucket, read back from its bytes."""
    starts = [
        Start(student=student, started_at=0, solver=SOLVER, epoch=1, seed=taker.seed)
        for student, taker in enumerate(takers)
    ]
    answers = []
    for student, taker in enumerate(takers):
        extra = extra_time(duration=WINDOW.duration, percent=taker.percent)
        deadline = personal_deadline(WINDOW, started_at=0, extra=extra).at
        assert deadline is not None
        for question, (minute, choice) in taker.answers.items():
            value = AnswerValue(choice=mask_of([] if choice is None else [choice]))
            answer_id = answer_id_of(sitting=SITTING, student=student, question=question, seq=1, answer=value)
            answers.append(
                Answer(
                    student=student,
                    question=question,
                    seq=1,
                    answer_id=answer_id,
                    received_at=minute * MINUTE,
                    deadline_at=deadline,
                    solver=SOLVER,
                    epoch=1,
                    answer=value,
                )
            )
    bucket = seal_bucket(sitting=SITTING, bucket=0, paper=PAPER, answers=answers, starts=starts, submissions=())
    return SealedBucket(bucket.data).students


def scores(takers: list[Taker], policy: Policy) -> list[Score]:
    """The students' scores, from the seal."""
    return [
        score(PAPER, KEY, policy, [(each.question, each.answer) for each in attempt.answers], attempt.drawn)
        for attempt in sealed(takers)
    ]


def reference(taker: Taker, credited: int | None) -> Score:
    """What a student earns if one question is right for all who got it, in whole points."""
    shown = order_of(PAPER, taker.seed).questions
    chosen = {
        question: choice
        for question, (minute, choice) in taker.answers.items()
        if question in shown and taker.counts(minute) and choice is not None
    }
    points: list[Decimal | None] = []
    for question, weight in enumerate(WEIGHTS):
        if question in shown and question == credited:
            points.append(Decimal(weight))
        elif question in chosen:
            points.append(Decimal(weight * (chosen[question] == RIGHT)))
        else:
            points.append(None)
    total = sum((each for each in points if each is not None), Decimal(0))
    return Score(points=tuple(points), answered=len(chosen), total=total, maximum=Decimal(MAXIMUM))


def credited_to_all(question: int) -> Policy:
    """A revision that gives every student the points of a question."""
    entry = GiveFullCredit(question=question, reason="ambiguous", to=CreditedStudents.ALL)
    return Policy(adjustments=Adjustments((entry,)))


@given(CLASSES, st.sampled_from(POOL))
def test_scores_of_a_revision_equal_the_reference(takers: list[Taker], question: int) -> None:
    """If a drawn question is credited to all, I get its points if I got it; what I sent in my extra time counts."""
    assert scores(takers, Policy()) == [reference(taker, None) for taker in takers]
    assert scores(takers, credited_to_all(question)) == [reference(taker, question) for taker in takers]


@given(CLASSES, st.sampled_from(POOL))
def test_who_did_not_get_the_question_gains_nothing(takers: list[Taker], question: int) -> None:
    """If I did not get the question that is credited to all, neither my points nor my maximum change."""
    before, after = scores(takers, Policy()), scores(takers, credited_to_all(question))
    got = [question in order_of(PAPER, taker.seed).questions for taker in takers]
    assume(not all(got))
    for mine, old, new in zip(got, before, after, strict=True):
        assert new.maximum == old.maximum == MAXIMUM
        assert mine or new == old
        assert new.points[question] == (2 if mine else None)
        assert new.total - old.total == (2 - (old.points[question] or 0) if mine else 0)


def test_extra_time_and_the_draw_decide_what_the_same_answers_earn() -> None:
    """If we send the same answers after 75 minutes, they count with 25 % of extra time, for the questions we got."""
    seeds = [seed for seed in range(40) if 2 in order_of(PAPER, seed).questions][:1]
    seeds += [seed for seed in range(40) if 2 not in order_of(PAPER, seed).questions][:1]
    answers = dict.fromkeys(range(len(WEIGHTS)), (75, RIGHT))
    takers = [Taker(seed=seed, percent=percent, answers=answers) for percent in (25, 24) for seed in seeds]
    assert [each.total for each in scores(takers, Policy())] == [MAXIMUM, MAXIMUM, 0, 0]
    assert [each.total for each in scores(takers, credited_to_all(2))] == [MAXIMUM, MAXIMUM, 2, 0]
