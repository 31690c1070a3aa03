"""Two sealers of one bucket, where a write that was held up arrives between their reads."""

import asyncio
from typing import cast
from uuid import UUID, uuid4

import pytest
from cassandra.cluster import Session

from exam_answerlog import cassandra
from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLog, Rows
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.tables import SEALED
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer
from exam_core.fold import SealedBucket
from exam_grader.sealing.seal import seal_one

pytestmark = pytest.mark.integration

SOLVER = UUID(int=1)


def answer(student: int) -> Answer:
    """Any answer of a student, in time."""
    return Answer(
        student=student,
        question=0,
        seq=1,
        answer_id=UUID(int=student),
        received_at=1,
        deadline_at=2,
        solver=SOLVER,
        epoch=1,
        answer=AnswerValue(choice=1),
    )


class SlowSealer:
    """What a sealer needs of an answer log; between its read and its seal it waits."""

    def __init__(self, log: AnswerLog) -> None:
        self._log = log
        self.has_read = asyncio.Event()
        self.may_seal = asyncio.Event()

    async def read_bucket(self, sitting: UUID, bucket: int) -> Rows:
        """Read, and wait until it may seal."""
        rows = await self._log.read_bucket(sitting, bucket)
        self.has_read.set()
        await self.may_seal.wait()
        return rows

    async def seal(self, sitting: UUID, bucket: int, sealed: SealedBucket) -> SealedBucket:
        """Seal."""
        return await self._log.seal(sitting, bucket, sealed)


async def seal_twice(log: AnswerLog) -> tuple[SealedBucket, SealedBucket, SealedBucket | None]:
    """Seal a bucket by a slow and a quick sealer; returns the slow one's seal, the quick one's, and the stored one."""
    sitting = uuid4()
    await log.append_answers(sitting, 0, [answer(1)])
    slow = SlowSealer(log)
    sealing = asyncio.create_task(seal_one(cast("AnswerLog", slow), sitting, 0, None))
    await slow.has_read.wait()
    await log.append_answers(sitting, 0, [answer(2)])
    quick = await seal_one(log, sitting, 0, None)
    slow.may_seal.set()
    return await sealing, quick, await log.read_sealed(sitting, 0)


async def test_both_sealers_get_the_first_seal(cassandra_log: CassandraAnswerLog) -> None:
    """Two sealers that read different rows record the same seal: the one that was stored first."""
    slow, quick, stored = await seal_twice(cassandra_log)

    assert slow == quick == stored
    assert [attempt.student for attempt in quick.students] == [1, 2]


async def test_without_if_not_exists_a_recorded_seal_is_replaced(
    cassandra_settings: CassandraSettings,
    admin: Session,  # it creates the keyspace
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: sealed by a plain INSERT, the seal that the quick sealer recorded is gone."""
    unconditional = SEALED.insert()
    monkeypatch.setattr(cassandra, "_STATEMENTS", (*cassandra._STATEMENTS, unconditional))
    monkeypatch.setattr(cassandra, "_SEAL", unconditional)
    log = CassandraAnswerLog.connect(cassandra_settings)

    slow, quick, stored = await seal_twice(log)
    await log.close()

    assert slow == stored != quick
