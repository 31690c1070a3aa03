"""What every answer log promises, whatever keeps it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exam_answerlog.log import AnswerLog, PaperPart, Rows
from exam_core.answers import Answer, AnswerValue, Start, Submission, answer_id_of
from exam_core.fold import SealedBucket, earliest_start, fold_answers, seal_bucket

Tamper = Callable[[UUID, int, bytes], Awaitable[None]]

SITTING = UUID(int=3)
SOLVER = UUID(int=1)
OTHER_SOLVER = UUID(int=2)
NOON = 1_790_000_000_000_000


def answer(  # what may differ, each by its name
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
    """A student begins."""
    return Start(student=student, started_at=started_at, solver=solver, epoch=3, seed=2**63 - 1)


def submission(student: int = 7) -> Submission:
    """A student says they are done."""
    return Submission(student=student, submitted_at=NOON + 9, solver=SOLVER, epoch=3)


def sealed(sitting: UUID, bucket: int, rows: Rows) -> SealedBucket:
    """The seal of what was read."""
    return seal_bucket(
        sitting=sitting, bucket=bucket, answers=rows.answers, starts=rows.starts, submissions=rows.submissions
    )


async def test_everything_appended_is_read_back_as_it_was(log: AnswerLog) -> None:
    """I answer, and what is kept is what I said."""
    sitting = uuid4()
    said = {
        answer(question=0, value=AnswerValue(choice=0b101)),
        answer(question=1, value=AnswerValue(value="-3.14")),
        answer(question=2, value=AnswerValue(choice=0)),
        answer(question=3, value=AnswerValue(value="")),
        answer(question=4, value=AnswerValue(choice=2**26 - 1), seq=2**53 - 1, student=2**53 - 1),
    }
    await log.append_answers(sitting, 0, list(said))
    await log.append_start(sitting, 0, start())
    await log.append_submission(sitting, 0, submission())

    rows = await log.read_bucket(sitting, 0)

    assert set(rows.answers) == said
    assert rows.starts == (start(),)
    assert rows.submissions == (submission(),)


async def test_a_write_repeated_is_kept_once(log: AnswerLog) -> None:
    """The network was bad and my device sent everything again: it counts once."""
    sitting = uuid4()
    for _ in range(2):
        await log.append_answers(sitting, 0, [answer(), answer(question=1)])
        await log.append_start(sitting, 0, start())
        await log.append_submission(sitting, 0, submission())

    rows = await log.read_bucket(sitting, 0)

    assert (len(rows.answers), len(rows.starts), len(rows.submissions)) == (2, 1, 1)


async def test_a_retry_through_another_solver_counts_once(log: AnswerLog) -> None:
    """My retry reached another solver: both events are kept, one answer counts."""
    sitting = uuid4()
    first = answer()
    retry = replace(first, solver=OTHER_SOLVER, received_at=first.received_at + 5)
    await log.append_answers(sitting, 0, [first])
    await log.append_answers(sitting, 0, [retry])

    rows = await log.read_bucket(sitting, 0)

    assert set(rows.answers) == {first, retry}
    assert sealed(sitting, 0, rows).count == 1


async def test_a_change_of_mind_keeps_both_and_counts_the_later(log: AnswerLog) -> None:
    """I changed my mind: the answer with the higher number counts, the other stays on record."""
    sitting = uuid4()
    await log.append_answers(sitting, 0, [answer(seq=2, value=AnswerValue(choice=4))])
    await log.append_answers(sitting, 0, [answer(seq=1, value=AnswerValue(choice=2))])

    rows = await log.read_bucket(sitting, 0)

    assert len(rows.answers) == 2
    assert fold_answers(rows.answers)[7, 0].answer == AnswerValue(choice=4)


async def test_no_answers_at_all_is_no_error(log: AnswerLog) -> None:
    """Nothing to append is nothing to do."""
    sitting = uuid4()
    await log.append_answers(sitting, 0, [])

    assert await log.read_bucket(sitting, 0) == Rows(answers=(), starts=(), submissions=())


async def test_a_late_answer_is_read_by_no_seal(log: AnswerLog) -> None:
    """I was late: it is on record, but no read that counts ever shows it."""
    sitting = uuid4()
    late = answer(received_at=NOON + 60_000_001)
    await log.append_late(sitting, 0, [late])

    assert (await log.read_bucket(sitting, 0)).answers == ()
    assert (await log.read_student(sitting, 0, late.student)).answers == ()


async def test_a_student_read_shows_that_student_alone(log: AnswerLog) -> None:
    """I resume on another device and get what I did, not what my neighbour did."""
    sitting = uuid4()
    for student in (7, 8):
        await log.append_answers(sitting, 0, [answer(student), answer(student, question=1)])
        await log.append_start(sitting, 0, start(student))
        await log.append_submission(sitting, 0, submission(student))

    rows = await log.read_student(sitting, 0, 7)

    assert set(rows.answers) == {answer(7), answer(7, question=1)}
    assert rows.starts == (start(7),)
    assert rows.submissions == (submission(7),)


async def test_buckets_and_sittings_are_apart(log: AnswerLog) -> None:
    """What one bucket of one sitting holds shows nowhere else."""
    sitting, other = uuid4(), uuid4()
    await log.append_answers(sitting, 0, [answer(1)])
    await log.append_answers(sitting, 1, [answer(2)])
    await log.append_answers(other, 0, [answer(3)])

    assert (await log.read_bucket(sitting, 0)).answers == (answer(1),)
    assert (await log.read_bucket(sitting, 1)).answers == (answer(2),)
    assert (await log.read_bucket(other, 0)).answers == (answer(3),)


async def test_of_two_starts_the_earliest_holds(log: AnswerLog) -> None:
    """Two devices started me at once: both starts are on record, the earlier one is mine."""
    sitting = uuid4()
    earlier, later = start(started_at=NOON), start(started_at=NOON + 1, solver=OTHER_SOLVER)
    await log.append_start(sitting, 0, later)
    await log.append_start(sitting, 0, earlier)

    rows = await log.read_student(sitting, 0, 7)

    assert set(rows.starts) == {earlier, later}
    assert earliest_start(rows.starts) == earlier


async def test_absent_is_not_blank(log: AnswerLog) -> None:
    """Who never came is not in the seal; who came and said nothing is; who took an answer back has a blank one."""
    sitting = uuid4()
    came, took_back = 1, 2
    await log.append_start(sitting, 0, start(came))
    await log.append_start(sitting, 0, start(took_back))
    await log.append_answers(sitting, 0, [answer(took_back), answer(took_back, seq=2, value=AnswerValue(choice=0))])

    students = {sat.student: sat for sat in sealed(sitting, 0, await log.read_bucket(sitting, 0)).students}

    assert set(students) == {came, took_back}
    assert students[came].answers == ()
    assert [counted.answer.blank for counted in students[took_back].answers] == [True]


async def test_a_large_bucket_is_read_whole(log: AnswerLog) -> None:
    """Twelve thousand answers in one bucket: the seal's read returns every one of them."""
    sitting = uuid4()
    said = [answer(student, question) for student in range(120) for question in range(100)]
    calls = (said[place : place + 40] for place in range(0, len(said), 40))
    await asyncio.gather(*(log.append_answers(sitting, 0, call) for call in calls))

    rows = await log.read_bucket(sitting, 0)

    assert len(rows.answers) == 12_000
    assert set(rows.answers) == set(said)


async def test_an_unsealed_bucket_has_no_seal(log: AnswerLog) -> None:
    """Nobody sealed it yet."""
    assert await log.read_sealed(uuid4(), 0) is None


async def test_racing_seals_agree_on_one_winner(log: AnswerLog) -> None:
    """Two coordinators seal the same bucket at once: one set of answers counts, and both are told which."""
    sitting = uuid4()
    seals = [
        seal_bucket(sitting=sitting, bucket=0, answers=[answer(student)], starts=[], submissions=[])
        for student in range(4)
    ]

    winners = await asyncio.gather(*(log.seal(sitting, 0, seal) for seal in seals))

    assert len({winner.digest for winner in winners}) == 1
    assert winners[0] in seals
    assert await log.read_sealed(sitting, 0) == winners[0]


async def test_a_seal_is_never_replaced(log: AnswerLog) -> None:
    """Sealing again, with whatever, returns the seal that holds."""
    sitting = uuid4()
    first = seal_bucket(sitting=sitting, bucket=0, answers=[answer()], starts=[start()], submissions=[])
    empty = seal_bucket(sitting=sitting, bucket=0, answers=[], starts=[], submissions=[])

    assert await log.seal(sitting, 0, first) == first
    assert await log.seal(sitting, 0, empty) == first
    assert await log.read_sealed(sitting, 0) == first


async def test_a_seal_whose_bytes_were_altered_is_refused(log: AnswerLog, tamper: Tamper) -> None:
    """Somebody changed a seal in the store: nobody grades from it, nobody seals over it."""
    sitting = uuid4()
    honest = seal_bucket(sitting=sitting, bucket=0, answers=[answer()], starts=[], submissions=[])
    await log.seal(sitting, 0, honest)
    await tamper(sitting, 0, honest.data.replace(b'"student":7', b'"student":8'))

    with pytest.raises(ValueError, match="was altered"):
        await log.read_sealed(sitting, 0)
    with pytest.raises(ValueError, match="was altered"):
        await log.seal(sitting, 0, honest)


async def test_a_paper_part_is_returned_byte_for_byte(log: AnswerLog) -> None:
    """A solver starts with web and Redis down: the paper and its images are in the store."""
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


async def test_a_store_that_works_answers_a_ping(log: AnswerLog) -> None:
    """Readiness asks the store itself."""
    await log.ping()


values = st.one_of(
    st.integers(0, 2**26 - 1).map(lambda mask: AnswerValue(choice=mask)),
    st.sampled_from(["", "0", "-1.5", "3.14"]).map(lambda text: AnswerValue(value=text)),
)


def admitted(**said: Any) -> Answer:
    """An answer in time or late, as solvers record it: what one takes at one instant it judges by one deadline."""
    deadline = NOON + (said["student"] + said["solver"].int + said["received_at"]) % 4
    return answer(deadline_at=deadline, **said)


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
async def test_the_seal_depends_on_what_was_appended_alone(
    log: AnswerLog, calls: list[list[Answer]], data: st.DataObject
) -> None:
    """However my answers arrive, in which order, at once or apart, with which repeats: the seal is the same."""
    sitting = uuid4()
    repeats = data.draw(st.permutations([*calls, *calls[:2]]))
    await asyncio.gather(*(log.append_answers(sitting, 0, call) for call in repeats))

    read = sealed(sitting, 0, await log.read_bucket(sitting, 0))

    said = Rows(answers=tuple(one for call in calls for one in call), starts=(), submissions=())
    assert read == sealed(sitting, 0, said)
