"""Sealing: what was read back is recorded, and repeated sealing gives the same seal."""

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from unittest.mock import Mock
from uuid import UUID

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.tables import SEALED
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.fold import SealedBucket, root_digest
from exam_grader.answerlog import SyncAnswerLog
from exam_grader.errors import SealDamagedError, StopRequestedError
from exam_grader.sealing.seal import read_verified, seal_sitting

SITTING = UUID(int=7)
SOLVER = UUID(int=9)
BUCKETS = 5
STUDENTS = 40


class MemoryRecords:
    """Implements `SealRecords` in memory."""

    def __init__(self) -> None:
        self.recorded: dict[int, str] = {}
        self.counts: dict[int, int] = {}
        self.root: str | None = None

    def digests(self) -> Mapping[int, str]:
        """The recorded digests."""
        return dict(self.recorded)

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Record a bucket; the same digest again is accepted."""
        assert self.recorded.setdefault(bucket, sealed.digest) == sealed.digest
        self.counts[bucket] = sealed.count

    def complete(self, root: str) -> None:
        """Record the root digest."""
        self.root = root


def an_answer(student: int, question: int, seq: int, choice: int, received_at: int = 50) -> Answer:
    """An answer in time."""
    value = AnswerValue(choice=choice)
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value),
        received_at=received_at,
        deadline_at=100,
        solver=SOLVER,
        epoch=1,
        answer=value,
    )


@pytest.fixture
def answers() -> MemoryAnswerLog:
    """An answer log in memory."""
    return MemoryAnswerLog()


@pytest.fixture
def answerlog(answers: MemoryAnswerLog) -> Iterator[SyncAnswerLog]:
    """An answer log in which each student started and answered each of three questions twice."""
    answerlog = SyncAnswerLog(lambda: answers)
    for student in range(STUDENTS):
        bucket = bucket_of(student, BUCKETS)
        start = Start(student=student, started_at=student, solver=SOLVER, epoch=1, seed=1)
        rows = [an_answer(student, q, seq, 1 << seq) for q in range(3) for seq in (1, 2)]
        answerlog.run(lambda log, bucket=bucket, start=start: log.append_start(SITTING, bucket, start))  # type: ignore[misc]
        answerlog.run(lambda log, bucket=bucket, rows=rows: log.append_answers(SITTING, bucket, rows))  # type: ignore[misc]
    yield answerlog
    answerlog.close()


def seal(
    answerlog: SyncAnswerLog, records: MemoryRecords, *, stop_after: int | None = None, parallelism: int = 2
) -> list[int]:
    """Seal the sitting; returns the numbers of sealed buckets that were reported."""
    reported: list[int] = []
    seal_sitting(
        sitting=SITTING,
        buckets=BUCKETS,
        paper=None,
        answerlog=answerlog,
        records=records,
        parallelism=parallelism,
        on_progress=lambda sealed, _buckets: reported.append(sealed),
        stop_requested=lambda: stop_after is not None and len(records.recorded) >= stop_after,
    )
    return reported


def test_the_root_digest_covers_all_buckets_in_order(answerlog: SyncAnswerLog) -> None:
    """The published digest identifies all answers that count."""
    records = MemoryRecords()
    assert seal(answerlog, records) == [0, 2, 4, 5]
    assert sorted(records.recorded) == list(range(BUCKETS))
    assert records.root == root_digest(SITTING, [records.recorded[b] for b in range(BUCKETS)])


def test_every_student_is_in_the_seal_once(answerlog: SyncAnswerLog) -> None:
    """No student who started is missing from the seal."""
    records = MemoryRecords()
    seal(answerlog, records)
    sealed = [
        answerlog.run(lambda log, b=b: read_verified(log, SITTING, b, records.recorded[b]))  # type: ignore[misc]
        for b in range(BUCKETS)
    ]
    assert sorted(attempt.student for bucket in sealed for attempt in bucket.students) == list(range(STUDENTS))
    assert sum(bucket.count for bucket in sealed) == 3 * STUDENTS


def test_sealing_and_recording_parse_no_json(answerlog: SyncAnswerLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal carries its attempts from the fold to the record, so that large buckets are not parsed again."""
    parse = Mock(side_effect=json.loads)
    monkeypatch.setattr("exam_core.fold.json", SimpleNamespace(loads=parse))
    records = MemoryRecords()
    seal(answerlog, records)
    assert sum(records.counts.values()) == 3 * STUDENTS
    assert parse.call_count == 0


def test_an_interrupted_sealing_is_resumed(answerlog: SyncAnswerLog) -> None:
    """After an interruption only the buckets that were not recorded are sealed."""
    records = MemoryRecords()
    with pytest.raises(StopRequestedError):
        seal(answerlog, records, stop_after=2)
    assert (len(records.recorded), records.root) == (2, None)
    assert seal(answerlog, records) == [2, 4, 5]
    whole = MemoryRecords()
    seal(answerlog, whole)
    assert (records.recorded, records.root) == (whole.recorded, whole.root)


def test_rows_that_appear_after_the_first_seal_do_not_change_it(
    answerlog: SyncAnswerLog, answers: MemoryAnswerLog
) -> None:
    """The first seal of a bucket is the one that all later sealers record."""
    first, second = MemoryRecords(), MemoryRecords()
    seal(answerlog, first)
    late = an_answer(1, 0, 9, 1)
    answerlog.run(lambda log: log.append_answers(SITTING, bucket_of(1, BUCKETS), [late]))
    seal(answerlog, second)
    assert first.recorded == second.recorded
    assert answers.tables["answers"]


def test_a_recorded_bucket_with_other_bytes_is_an_error(answerlog: SyncAnswerLog, answers: MemoryAnswerLog) -> None:
    """If a seal was modified, the sitting is not declared sealed, and the error names the bucket."""
    records = MemoryRecords()
    with pytest.raises(StopRequestedError):
        seal(answerlog, records, stop_after=2)
    rows = answers.tables[SEALED.name]
    other = next(row for row in rows.values() if row.bucket == 1)
    forged = SealedBucket(other.data.replace(b'"answers":[[', b'"answers":[ [', 1))
    rows[SITTING, 1] = type(other).of(SITTING, 1, forged)
    with pytest.raises(SealDamagedError, match="bucket 1 is damaged: its bytes have digest") as damage:
        seal(answerlog, records)
    assert (damage.value.bucket, records.root) == (1, None)


def test_a_recorded_bucket_without_a_seal_is_an_error(answerlog: SyncAnswerLog, answers: MemoryAnswerLog) -> None:
    """A lost seal is never silently written again."""
    records = MemoryRecords()
    with pytest.raises(StopRequestedError):
        seal(answerlog, records, stop_after=2)
    del answers.tables[SEALED.name][SITTING, 0]
    with pytest.raises(SealDamagedError, match="Cassandra has none"):
        seal(answerlog, records)


def test_recorded_buckets_survive_an_outage(answerlog: SyncAnswerLog, answers: MemoryAnswerLog) -> None:
    """If the answer log fails while sealing, its error is raised and no record is lost."""
    records = MemoryRecords()
    with pytest.raises(StopRequestedError):
        seal(answerlog, records, stop_after=2)
    answers.fail_with(AnswerLogUnavailableError("no node answers"))
    with pytest.raises(AnswerLogUnavailableError):
        seal(answerlog, records)
    answers.fail_with(None)
    seal(answerlog, records)
    assert records.root is not None
