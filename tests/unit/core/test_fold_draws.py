"""Seals of sittings whose paper draws questions, and that all others stay as they were."""

import json
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, Submission, answer_id_of
from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.canonical import digest
from exam_core.fold import FORMAT, FORMAT_OF_DRAWS, SealedBucket, seal_bucket
from exam_core.paper import Paper, freeze, plain_text
from exam_core.questions.numeric import Near, Numeric
from exam_core.shuffle import drawn
from exam_harness.strategies.questions import EXAMS

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SOLVERS = [UUID(int=n) for n in (1, 2)]
QUESTIONS = 6


def paper_of(*sections: Section) -> Paper:
    """A paper of numeric questions."""
    question = Numeric(accepted=(Near(value=Fraction(1)),))
    questions = tuple(
        AuthoredQuestion(id=str(n), text="?", interaction=question, weight=Decimal(1)) for n in range(QUESTIONS)
    )
    exam = AuthoredExam(slug="e", title="E", instructions="", questions=questions, sections=sections)
    return freeze(exam, range, plain_text)[0]


POOL = paper_of(Section(id="a", size=2), Section(id="b", size=4, draw=2))
WHOLE = paper_of(Section(id="a", size=2), Section(id="b", size=4))


def saved(student: int, question: int, seq: int = 1) -> Answer:
    """An answer as a solver writes it."""
    value = AnswerValue(value="1")
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value),
        received_at=10,
        deadline_at=100,
        solver=SOLVERS[0],
        epoch=1,
        answer=value,
    )


ANSWERS = st.lists(
    st.builds(saved, st.integers(1, 3), st.integers(0, QUESTIONS - 1), st.integers(1, 2)), unique=True, max_size=12
)
STARTS = st.lists(
    st.builds(
        Start,
        student=st.integers(1, 3),
        started_at=st.integers(0, 9),
        solver=st.sampled_from(SOLVERS),
        epoch=st.just(1),
        seed=st.integers(0, 2**63 - 1),
    ),
    max_size=4,
    unique_by=lambda start: (start.student, start.started_at, start.solver),
)
SUBMISSIONS = st.lists(
    st.builds(
        Submission, student=st.integers(1, 4), submitted_at=st.just(9), solver=st.just(SOLVERS[0]), epoch=st.just(1)
    ),
    max_size=1,
)


def sealed(
    paper: Paper | None, answers: list[Answer], starts: list[Start], submissions: list[Submission]
) -> SealedBucket:
    """The seal of a bucket."""
    return seal_bucket(sitting=SITTING, bucket=3, paper=paper, answers=answers, starts=starts, submissions=submissions)


@given(ANSWERS, STARTS, SUBMISSIONS)
def test_the_start_that_holds_decides_which_answers_count(
    answers: list[Answer], starts: list[Start], submissions: list[Submission]
) -> None:
    """Of all my answers, those to the questions that my start drew count, also if an earlier start drew others."""
    bucket = sealed(POOL, answers, starts, submissions)
    latest = {start.student: start for start in sorted(starts, key=lambda each: (each.started_at, each.solver))}
    for attempt in bucket.students:
        answered = {answer.question for answer in answers if answer.student == attempt.student}
        start = latest.get(attempt.student)
        got = tuple(sorted(answered)) if start is None else drawn(POOL, start.seed)
        assert attempt.drawn == got
        assert [answer.question for answer in attempt.answers] == sorted(answered & set(got))
        assert attempt.started_at == (start and start.started_at)
    assert json.loads(bucket.data)["format"] == (FORMAT_OF_DRAWS if bucket.students else FORMAT)


@given(ANSWERS, STARTS, SUBMISSIONS)
def test_the_order_of_rows_does_not_matter(
    answers: list[Answer], starts: list[Start], submissions: list[Submission]
) -> None:
    """Two sealers that read the same rows in another order write the same bytes, and read them back as they were."""
    first = sealed(POOL, answers, starts, submissions)
    assert sealed(POOL, answers[::-1] + answers, starts[::-1] + starts, submissions).data == first.data
    assert SealedBucket(first.data).students == first.students


@given(ANSWERS, STARTS, SUBMISSIONS, EXAMS)
def test_a_seal_without_a_draw_keeps_its_bytes(
    answers: list[Answer], starts: list[Start], submissions: list[Submission], exam: AuthoredExam
) -> None:
    """If nothing is drawn, with or without sections, the seal has the bytes that earlier releases wrote."""
    plain = sealed(None, answers, starts, submissions)
    assert json.loads(plain.data)["format"] == FORMAT
    assert b"drawn" not in plain.data
    for paper in (WHOLE, paper_of(), freeze(exam, range, plain_text)[0]):
        assert sealed(paper, answers, starts, submissions).data == plain.data


def test_a_seal_of_an_earlier_release_keeps_its_digest_and_is_read() -> None:
    """If a sitting was sealed by an earlier release, its digest is computed, and its answers are read, as then."""
    start = Start(student=1, started_at=5, solver=SOLVERS[0], epoch=1, seed=7)
    bucket = sealed(paper_of(), [saved(1, 0)], [start], [])
    assert bucket.digest == digest(bucket.data) == "d732df55f6206c28bb9686b43c7b8732cab3329c7d7999e1b53050d001af79ec"
    assert SealedBucket(bucket.data).students[0].drawn is None
