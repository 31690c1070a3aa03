"""Sealing and grading a sitting whose paper draws questions."""

from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, answer_id_of
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.buckets import bucket_of
from exam_core.fold import SealedBucket
from exam_core.paper import freeze, plain_text
from exam_core.questions.numeric import Near, Numeric
from exam_core.scoring import Policy
from exam_core.shuffle import drawn
from exam_grader.answerlog import SyncAnswerLog
from exam_grader.grading.score import score_bucket
from exam_grader.sealing.seal import seal_sitting

SITTING = UUID(int=7)
SOLVER = UUID(int=9)
BUCKETS = 2
QUESTIONS = 7
WEIGHTS = (1, 3, 2, 2, 2, 2, 2)
SECTIONS = (Section(id="all", size=2), Section(id="pool", size=5, draw=2))
EXAM = AuthoredExam(
    slug="e",
    title="E",
    instructions="",
    sections=SECTIONS,
    questions=tuple(
        AuthoredQuestion(
            id=str(n), text="?", weight=Decimal(weight), interaction=Numeric(accepted=(Near(value=Fraction(n)),))
        )
        for n, weight in enumerate(WEIGHTS)
    ),
)
PAPER, KEY = freeze(EXAM, range, plain_text)


class Records:
    """Implements `SealRecords` in memory."""

    def __init__(self) -> None:
        self.sealed: dict[int, SealedBucket] = {}

    def digests(self) -> dict[int, str]:
        """Nothing is recorded."""
        return {}

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Keep the seal."""
        self.sealed[bucket] = SealedBucket(sealed.data)

    def complete(self, root: str) -> None:
        """Do nothing."""


def saved(student: int, question: int, value: int) -> Answer:
    """An answer as a solver writes it."""
    answer = AnswerValue(value=str(value))
    return Answer(
        student=student,
        question=question,
        seq=question + 1,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=question + 1, answer=answer),
        received_at=50,
        deadline_at=100,
        solver=SOLVER,
        epoch=1,
        answer=answer,
    )


@given(
    st.dictionaries(
        st.integers(1, 99),
        st.tuples(
            st.integers(0, 2**63 - 1), st.dictionaries(st.integers(0, QUESTIONS - 1), st.integers(0, QUESTIONS - 1))
        ),
        max_size=6,
    )
)
def test_degrees_count_the_drawn_questions_alone(attempts: dict[int, tuple[int, dict[int, int]]]) -> None:
    """My degree has the points of the questions that were drawn for me, and everyone can reach the same total."""
    log = MemoryAnswerLog()
    answerlog = SyncAnswerLog(lambda: log)
    for student, (seed, values) in attempts.items():
        start = Start(student=student, started_at=1, solver=SOLVER, epoch=1, seed=seed)
        rows = [saved(student, question, value) for question, value in values.items()]
        bucket = bucket_of(student, BUCKETS)
        answerlog.run(lambda log, bucket=bucket, start=start: log.append_start(SITTING, bucket, start))  # type: ignore[misc]
        answerlog.run(lambda log, bucket=bucket, rows=rows: log.append_answers(SITTING, bucket, rows))  # type: ignore[misc]
    records = Records()
    seal_sitting(
        sitting=SITTING,
        buckets=BUCKETS,
        paper=PAPER,
        answerlog=answerlog,
        records=records,
        parallelism=1,
        on_progress=lambda *_: None,
        stop_requested=lambda: False,
    )
    answerlog.close()
    degrees = [row for sealed in records.sealed.values() for row in score_bucket(PAPER, KEY, Policy(), sealed)]
    assert {row.student for row in degrees} == attempts.keys()
    for row in degrees:
        seed, values = attempts[row.student]
        got = drawn(PAPER, seed)
        points = {number: WEIGHTS[number] * (values[number] == number) for number in got if number in values}
        assert [None if text is None else int(text) for text in row.points] == [points.get(n) for n in range(QUESTIONS)]
        assert (row.total, row.maximum) == (Decimal(sum(points.values())), Decimal(1 + 3 + 2 * 2))
        assert row.answered == len(points)
