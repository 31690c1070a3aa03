"""The contract of the answer log, for every implementation."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_answerlog.log import AnswerLog, PaperPart, Rows
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Claim, Start, Submission, answer_id_of
from exam_core.fold import SealedBucket, fold_answers, latest_start, seal_bucket

Tamper = Callable[[UUID, int, bytes], Awaitable[None]]

SITTING = UUID(int=3)
SOLVER = UUID(int=1)
OTHER_SOLVER = UUID(int=2)
NOON = 1_790_000_000_000_000


def answer(
    student: int = 7,
    question: int = 0,
    seq: int = 1,
    value: AnswerValue | None = None,
    *,
    solver: UUID = SOLVER,
    received_at: int = NOON,
    deadline_at: int = NOON + 60_000_000,
) -> Answer:
    """An answer in time, named by its content."""
    value = value or AnswerValue(choice=1)
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value),
        received_at=received_at,
        deadline_at=deadline_at,
        solver=solver,
        epoch=3,
        answer=value,
    )


def start(student: int = 7, *, started_at: int = NOON, solver: UUID = SOLVER) -> Start:
    """The start of an attempt."""
    return Start(student=student, started_at=started_at, solver=solver, epoch=3, seed=2**63 - 1)


def submission(student: int = 7) -> Submission:
    """A submission."""
    return Submission(student=student, submitted_at=NOON + 9, solver=SOLVER, epoch=3)


def sealed(sitting: UUID, bucket: int, rows: Rows) -> SealedBucket:
    """The seal of rows that were read."""
    return seal_bucket(
        sitting=sitting,
        bucket=bucket,
        paper=None,
        answers=rows.answers,
        starts=rows.starts,
        submissions=rows.submissions,
    )


async def test_appended_rows_are_read_back_unchanged(log: AnswerLog) -> None:
    """I answer, and the log holds exactly what I sent."""
    sitting = uuid4()
    written = {
        answer(question=0, value=AnswerValue(choice=0b101)),
        answer(question=1, value=AnswerValue(value="-3.14")),
        answer(question=2, value=AnswerValue(choice=0)),
        answer(question=3, value=AnswerValue(value="")),
        answer(question=4, value=AnswerValue(choice=2**26 - 1), seq=2**53 - 1, student=2**53 - 1),
    }
    await log.append_answers(sitting, 0, list(written))
    await log.append_start(sitting, 0, start())
    await log.append_submission(sitting, 0, submission())

    rows = await log.read_bucket(sitting, 0)

    assert set(rows.answers) == written
    assert rows.starts == (start(),)
    assert rows.submissions == (submission(),)


async def test_a_repeated_write_is_stored_once(log: AnswerLog) -> None:
    """The network was bad and my device sent everything again: it counts once."""
    sitting = uuid4()
    for _ in range(2):
        await log.append_answers(sitting, 0, [answer(), answer(question=1)])
        await log.append_start(sitting, 0, start())
        await log.append_submission(sitting, 0, submission())

    rows = await log.read_bucket(sitting, 0)

    assert (len(rows.answers), len(rows.starts), len(rows.submissions)) == (2, 1, 1)


async def test_a_retry_through_another_solver_counts_once(log: AnswerLog) -> None:
    """My retry reached another solver: both events are stored, one answer counts."""
    sitting = uuid4()
    first = answer()
    retry = replace(first, solver=OTHER_SOLVER, received_at=first.received_at + 5)
    await log.append_answers(sitting, 0, [first])
    await log.append_answers(sitting, 0, [retry])

    rows = await log.read_bucket(sitting, 0)

    assert set(rows.answers) == {first, retry}
    assert sealed(sitting, 0, rows).count == 1


async def test_a_changed_answer_is_stored_beside_the_earlier_one(log: AnswerLog) -> None:
    """I change my answer: the one with the higher seq counts, the other stays on record."""
    sitting = uuid4()
    await log.append_answers(sitting, 0, [answer(seq=2, value=AnswerValue(choice=4))])
    await log.append_answers(sitting, 0, [answer(seq=1, value=AnswerValue(choice=2))])

    rows = await log.read_bucket(sitting, 0)

    assert len(rows.answers) == 2
    assert fold_answers(rows.answers)[7, 0].answer == AnswerValue(choice=4)


async def test_an_empty_append_is_not_an_error(log: AnswerLog) -> None:
    """Appending nothing changes nothing."""
    sitting = uuid4()
    await log.append_answers(sitting, 0, [])

    assert await log.read_bucket(sitting, 0) == Rows(answers=(), starts=(), submissions=())


async def test_late_answers_are_not_read(log: AnswerLog) -> None:
    """I was late: my answer is on record, but not among those that count."""
    sitting = uuid4()
    late = answer(received_at=NOON + 60_000_001)
    await log.append_late(sitting, 0, [late])

    assert (await log.read_bucket(sitting, 0)).answers == ()
    assert (await log.read_student(sitting, 0, late.student)).answers == ()


async def test_read_student_returns_only_that_student(log: AnswerLog) -> None:
    """I resume on another device and get my answers, not those of another student."""
    sitting = uuid4()
    for student in (7, 8):
        await log.append_answers(sitting, 0, [answer(student), answer(student, question=1)])
        await log.append_start(sitting, 0, start(student))
        await log.append_submission(sitting, 0, submission(student))

    rows = await log.read_student(sitting, 0, 7)

    assert set(rows.answers) == {answer(7), answer(7, question=1)}
    assert rows.starts == (start(7),)
    assert rows.submissions == (submission(7),)


async def test_buckets_and_sittings_are_separate(log: AnswerLog) -> None:
    """The answers of one bucket of one sitting appear in no other."""
    sitting, other = uuid4(), uuid4()
    await log.append_answers(sitting, 0, [answer(1)])
    await log.append_answers(sitting, 1, [answer(2)])
    await log.append_answers(other, 0, [answer(3)])

    assert (await log.read_bucket(sitting, 0)).answers == (answer(1),)
    assert (await log.read_bucket(sitting, 1)).answers == (answer(2),)
    assert (await log.read_bucket(other, 0)).answers == (answer(3),)


async def test_the_latest_of_two_starts_holds(log: AnswerLog) -> None:
    """Two devices started me at once: both starts are on record, the later one is mine."""
    sitting = uuid4()
    earlier, later = start(started_at=NOON), start(started_at=NOON + 1, solver=OTHER_SOLVER)
    await log.append_start(sitting, 0, later)
    await log.append_start(sitting, 0, earlier)

    rows = await log.read_student(sitting, 0, 7)

    assert set(rows.starts) == {earlier, later}
    assert latest_start(rows.starts) == later


async def test_absent_students_differ_from_blank_attempts(log: AnswerLog) -> None:
    """Absent students are not in the seal; blank attempts are; a withdrawn answer is sealed as a blank one."""
    sitting = uuid4()
    started, withdrew = 1, 2
    await log.append_start(sitting, 0, start(started))
    await log.append_start(sitting, 0, start(withdrew))
    await log.append_answers(sitting, 0, [answer(withdrew), answer(withdrew, seq=2, value=AnswerValue(choice=0))])

    students = {attempt.student: attempt for attempt in sealed(sitting, 0, await log.read_bucket(sitting, 0)).students}

    assert set(students) == {started, withdrew}
    assert students[started].answers == ()
    assert [counted.answer.blank for counted in students[withdrew].answers] == [True]


async def test_a_large_bucket_is_read_completely(log: AnswerLog) -> None:
    """Twelve thousand answers in one bucket: the seal's read returns every one of them."""
    sitting = uuid4()
    written = [answer(student, question) for student in range(120) for question in range(100)]
    calls = (written[place : place + 40] for place in range(0, len(written), 40))
    await asyncio.gather(*(log.append_answers(sitting, 0, call) for call in calls))

    rows = await log.read_bucket(sitting, 0)

    assert len(rows.answers) == 12_000
    assert set(rows.answers) == set(written)


def claim(exam: int, sitting: UUID, student: int = 7) -> Claim:
    """A claim of an exam for a sitting."""
    return Claim(exam=exam, student=student, sitting=sitting, claimed_at=NOON)


async def test_of_concurrent_claims_one_is_stored(log: AnswerLog) -> None:
    """A student starts in four sittings of one exam at once: one claim is stored, and all four processes receive it."""
    exam = uuid4().int >> 80
    claims = [claim(exam, uuid4()) for _ in range(4)]

    stored = await asyncio.gather(*(log.claim(each) for each in claims))

    assert len(set(stored)) == 1
    assert stored[0] in claims
    assert await log.claim(claims[0]) == stored[0]
    other_student, other_exam = claim(exam, uuid4(), student=8), claim(exam + 1, uuid4())
    assert [await log.claim(other_student), await log.claim(other_exam)] == [other_student, other_exam]


async def test_a_claim_is_replaced_only_while_it_is_for_the_expected_sitting(log: AnswerLog) -> None:
    """Of two processes that replace a claim which led to no start, one succeeds, and both receive its claim."""
    exam, abandoned = uuid4().int >> 80, uuid4()
    await log.claim(claim(exam, abandoned))
    wanted = [claim(exam, uuid4()) for _ in range(3)]

    stored = await asyncio.gather(*(log.claim(each, instead_of=abandoned) for each in wanted))

    assert len(set(stored)) == 1
    assert stored[0] in wanted
    assert await log.claim(claim(exam, uuid4()), instead_of=abandoned) == stored[0]


async def test_an_unsealed_bucket_has_no_seal(log: AnswerLog) -> None:
    """Before a bucket is sealed, there is no seal to read."""
    assert await log.read_sealed(uuid4(), 0) is None


async def test_concurrent_seals_agree_on_one_winner(log: AnswerLog) -> None:
    """Two coordinators seal the same bucket at once: one set of answers counts, and both receive it."""
    sitting = uuid4()
    seals = [
        seal_bucket(sitting=sitting, bucket=0, paper=None, answers=[answer(student)], starts=[], submissions=[])
        for student in range(4)
    ]

    winners = await asyncio.gather(*(log.seal(sitting, 0, seal) for seal in seals))

    assert len({winner.digest for winner in winners}) == 1
    assert winners[0] in seals
    assert await log.read_sealed(sitting, 0) == winners[0]


async def test_a_seal_is_never_replaced(log: AnswerLog) -> None:
    """Sealing again, with any content, returns the stored seal."""
    sitting = uuid4()
    first = seal_bucket(sitting=sitting, bucket=0, paper=None, answers=[answer()], starts=[start()], submissions=[])
    empty = seal_bucket(sitting=sitting, bucket=0, paper=None, answers=[], starts=[], submissions=[])

    assert await log.seal(sitting, 0, first) == first
    assert await log.seal(sitting, 0, empty) == first
    assert await log.read_sealed(sitting, 0) == first


async def test_an_altered_seal_is_rejected(log: AnswerLog, tamper: Tamper) -> None:
    """A seal that was changed in the store can be neither read nor replaced."""
    sitting = uuid4()
    honest = seal_bucket(sitting=sitting, bucket=0, paper=None, answers=[answer()], starts=[], submissions=[])
    await log.seal(sitting, 0, honest)
    await tamper(sitting, 0, honest.data.replace(b'"student":7', b'"student":8'))

    with pytest.raises(ValueError, match="was altered"):
        await log.read_sealed(sitting, 0)
    with pytest.raises(ValueError, match="was altered"):
        await log.seal(sitting, 0, honest)


async def test_a_paper_part_is_returned_unchanged(log: AnswerLog) -> None:
    """A solver that starts while web and Redis are down finds the paper and its images in the store."""
    digest = uuid4().hex
    paper = PaperPart(content_type="application/json", data=b'{"format":1}')
    image = PaperPart(content_type="image/png", data=bytes(range(256)) * 4_096)
    await log.put_paper_part(digest, "paper", paper)
    await log.put_paper_part(digest, "ab" * 32, image)
    await log.put_paper_part(digest, "paper", paper)

    assert await log.get_paper_part(digest, "paper") == paper
    assert await log.get_paper_part(digest, "ab" * 32) == image
    assert await log.get_paper_part(digest, "cd" * 32) is None
    assert await log.get_paper_part(uuid4().hex, "paper") is None


async def test_ping_returns_while_the_store_works(log: AnswerLog) -> None:
    """A readiness check reaches the store itself."""
    await log.ping()


values = st.one_of(
    st.integers(0, 2**26 - 1).map(lambda mask: AnswerValue(choice=mask)),
    st.sampled_from(["", "0", "-1.5", "3.14"]).map(lambda text: AnswerValue(value=text)),
)


def admitted(**fields: Any) -> Answer:
    """An answer in time or late, as solvers record it: under one deadline for each solver and instant."""
    deadline = NOON + (fields["student"] + fields["solver"].int + fields["received_at"]) % 4
    return answer(deadline_at=deadline, **fields)


answers = st.builds(
    admitted,
    student=st.integers(1, 3),
    question=st.integers(0, 2),
    seq=st.integers(1, 4),
    value=values,
    solver=st.sampled_from([SOLVER, OTHER_SOLVER]),
    received_at=st.integers(NOON, NOON + 3),
)


@given(calls=st.lists(st.lists(answers, max_size=5), max_size=6), data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_seal_depends_only_on_the_appended_answers(
    log: AnswerLog, calls: list[list[Answer]], data: st.DataObject
) -> None:
    """The seal is the same for any order, concurrency and repetition of my answers."""
    sitting = uuid4()
    repeats = data.draw(st.permutations([*calls, *calls[:2]]))
    await asyncio.gather(*(log.append_answers(sitting, 0, call) for call in repeats))

    read = sealed(sitting, 0, await log.read_bucket(sitting, 0))

    written = Rows(answers=tuple(one for call in calls for one in call), starts=(), submissions=())
    assert read == sealed(sitting, 0, written)
