"""The fold and the encoding of seals."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, Submission, answer_id_of
from exam_core.canonical import digest
from exam_core.deadlines import personal_deadline
from exam_core.fold import SealedBucket, fold_answers, latest_start, root_digest, seal_bucket
from exam_core.windows import Window

SITTING = UUID("6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10")
SOLVERS = [UUID(int=n) for n in (1, 2)]
VALUES = st.builds(AnswerValue, choice=st.integers(0, 3)) | st.builds(
    AnswerValue, value=st.sampled_from(("", "1", "2"))
)


def saved_answer(
    value: AnswerValue, *, student: int = 1, question: int = 0, seq: int = 1, at: int = 10, until: int = 100
) -> Answer:
    """An answer as a solver writes it."""
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value),
        received_at=at,
        deadline_at=until,
        solver=SOLVERS[0],
        epoch=1,
        answer=value,
    )


ANSWERS = st.lists(
    st.builds(
        saved_answer,
        VALUES,
        student=st.integers(1, 2),
        question=st.integers(0, 1),
        seq=st.integers(1, 3),
        at=st.integers(0, 12),
        until=st.integers(5, 12),
    ),
    max_size=12,
)
STARTS = st.lists(
    st.builds(
        Start,
        student=st.integers(1, 3),
        started_at=st.integers(0, 9),
        solver=st.sampled_from(SOLVERS),
        epoch=st.just(1),
        seed=st.just(1),
    ),
    max_size=4,
)
SUBMISSIONS = st.lists(
    st.builds(
        Submission,
        student=st.integers(1, 3),
        submitted_at=st.integers(0, 9),
        solver=st.sampled_from(SOLVERS),
        epoch=st.just(1),
    ),
    max_size=3,
)


def sealed(answers: list[Answer], starts: list[Start], submissions: list[Submission]) -> SealedBucket:
    """The seal of a bucket."""
    return seal_bucket(sitting=SITTING, bucket=3, paper=None, answers=answers, starts=starts, submissions=submissions)


@given(ANSWERS)
def test_the_last_answer_in_time_counts(answers: list[Answer]) -> None:
    """My last changed answer counts, by seq; late answers do not."""
    modelled: dict[tuple[int, int], Answer] = {}
    for answer in sorted(answers, key=lambda a: (a.seq, a.received_at, a.answer_id.bytes)):
        if answer.received_at <= answer.deadline_at:
            modelled[answer.student, answer.question] = answer
    counted = fold_answers(answers)
    assert {place: a.rank for place, a in counted.items()} == {place: a.rank for place, a in modelled.items()}
    assert {place: a.answer for place, a in counted.items()} == {place: a.answer for place, a in modelled.items()}


@given(ANSWERS, STARTS, SUBMISSIONS, st.data())
def test_order_and_repetition_do_not_change_the_seal(
    answers: list[Answer], starts: list[Start], submissions: list[Submission], data: st.DataObject
) -> None:
    """However a bucket is read, and whatever was written twice, the seal has the same bytes."""
    again = sealed(
        data.draw(st.permutations(answers + answers[:3])),
        data.draw(st.permutations(starts + starts[:1])),
        data.draw(st.permutations(submissions + submissions[:1])),
    )
    assert again == sealed(answers, starts, submissions)


@given(ANSWERS, STARTS, SUBMISSIONS)
def test_a_seal_contains_what_counts(answers: list[Answer], starts: list[Start], submissions: list[Submission]) -> None:
    """Graders read from the bytes every attempt, and exactly the answers that count."""
    encoded = sealed(answers, starts, submissions)
    seal = SealedBucket(encoded.data)
    assert encoded.students == seal.students
    counted = fold_answers(answers)
    kept = {(s.student, a.question): (a.seq, a.received_at, a.answer_id) for s in seal.students for a in s.answers}
    assert kept == {place: answer.rank for place, answer in counted.items()}
    assert {(s.student, a.question): a.answer for s in seal.students for a in s.answers} == {
        place: answer.answer for place, answer in counted.items()
    }
    assert seal.count == len(counted)
    expected = {student for student, _ in counted} | {s.student for s in starts} | {s.student for s in submissions}
    assert [attempt.student for attempt in seal.students] == sorted(expected)
    for attempt in seal.students:
        began = [start.started_at for start in starts if start.student == attempt.student]
        submitted = [submission.submitted_at for submission in submissions if submission.student == attempt.student]
        assert (attempt.started_at, attempt.submitted_at) == (max(began, default=None), min(submitted, default=None))


def test_a_seal_has_the_same_bytes_in_every_release() -> None:
    """A seal of an earlier release keeps its published digest."""
    answers = [saved_answer(AnswerValue(choice=5)), saved_answer(AnswerValue(value="3.14"), question=1, seq=2)]
    start = Start(student=1, started_at=5, solver=SOLVERS[0], epoch=1, seed=1)
    seal = sealed(answers, [start, replace(start, student=2)], [])
    assert seal.data == (
        b'{"bucket":3,"format":1,"sitting":"6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10","students":['
        b'{"answers":[[0,1,"%s",10,5,null],[1,2,"%s",10,null,"3.14"]],"started_at":5,"student":1,"submitted_at":null},'
        b'{"answers":[],"started_at":5,"student":2,"submitted_at":null}]}'
        % tuple(str(answer.answer_id).encode() for answer in answers)
    )
    assert seal.digest == digest(seal.data)
    assert root_digest(SITTING, [seal.digest]) == root_digest(SITTING, iter([seal.digest]))
    assert root_digest(SITTING, [seal.digest, "b"]) != root_digest(SITTING, ["b", seal.digest])


def test_absent_students_differ_from_blank_attempts() -> None:
    """Absent students are not in the seal; attempts without answers or with withdrawn ones are."""
    start = Start(student=1, started_at=5, solver=SOLVERS[0], epoch=1, seed=1)
    blank = saved_answer(AnswerValue(choice=0), student=2)
    late = saved_answer(AnswerValue(choice=1), student=3, at=101, until=100)
    students = sealed([blank, late], [start], []).students
    assert [(attempt.student, len(attempt.answers)) for attempt in students] == [(1, 0), (2, 1)]
    assert students[1].answers[0].answer.blank


def test_concurrent_starts_lose_no_answers() -> None:
    """Two devices start my attempt on two servers: the later start holds, and answers under both count."""
    first = Start(student=1, started_at=5, solver=SOLVERS[1], epoch=1, seed=1)
    second = Start(student=1, started_at=7, solver=SOLVERS[0], epoch=1, seed=1)
    assert latest_start([second, first]) == second
    assert latest_start([replace(first, solver=SOLVERS[0]), first]) == first
    assert latest_start([]) is None
    window = Window(opens_at=0, closes_at=1_000, duration=50)
    ends = [personal_deadline(window, started_at=start.started_at).at for start in (first, second)]
    assert ends == [55, 57]
    under_first = saved_answer(AnswerValue(choice=1), at=54, until=55)
    under_second = saved_answer(AnswerValue(choice=2), question=1, at=57, until=57)
    seal = sealed([under_first, under_second], [second, first], [])
    assert seal.count == 2
    assert seal.students[0].started_at == 7


@pytest.mark.parametrize("at", [50, 100, 101, 5_000])
def test_a_late_retry_does_not_remove_the_acknowledged_answer(at: int) -> None:
    """If I send an acknowledged answer again, too late, it still counts."""
    acknowledged = saved_answer(AnswerValue(choice=1), at=20)
    retry = replace(acknowledged, received_at=at, solver=SOLVERS[1])
    for rows in ([acknowledged, retry], [retry, acknowledged]):
        counted = fold_answers(rows)[1, 0]
        assert (counted.answer_id, counted.answer) == (acknowledged.answer_id, acknowledged.answer)
        assert counted.in_time


def test_a_late_change_does_not_count() -> None:
    """After the deadline a higher seq does not replace my answer."""
    old, new = saved_answer(AnswerValue(choice=1)), saved_answer(AnswerValue(choice=2), seq=2, at=101)
    assert fold_answers([new, old])[1, 0] == old


def test_an_answer_counts_by_its_deadline_at_admission() -> None:
    """If my extra time is withdrawn after I used part of it, the answers saved meanwhile still count."""
    window = Window(opens_at=0, closes_at=1_000, duration=50)
    longer = personal_deadline(window, started_at=0, extra=30).at
    shorter = personal_deadline(window, started_at=0).at
    assert (longer, shorter) == (80, 50)
    answer = saved_answer(AnswerValue(choice=1), at=70, until=80)
    assert fold_answers([answer])[1, 0] == answer


def test_an_answer_admitted_before_the_solver_read_of_a_stop_counts() -> None:
    """If a server with a valid lease admits my answer before it has read of a stop, the answer counts."""
    window = Window(opens_at=0, closes_at=1_000, duration=500)
    stopped = replace(window, stopped_at=40)
    assert personal_deadline(stopped, started_at=0).at == 40
    deadline_at_admission = personal_deadline(window, started_at=0).at
    assert deadline_at_admission == 500
    answer = saved_answer(AnswerValue(choice=1), at=60, until=deadline_at_admission)
    assert fold_answers([answer])[1, 0] == answer


def test_a_seal_of_another_format_is_rejected() -> None:
    """A release that cannot read a seal does not grade from it."""
    with pytest.raises(ValueError, match="seal format 3"):
        _ = SealedBucket(json.dumps({"format": 3, "students": []}).encode()).students
