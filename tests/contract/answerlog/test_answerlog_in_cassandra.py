"""How the answer log uses Cassandra: consistency levels, conditional writes, tombstones, batches."""

import asyncio
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest
from cassandra import ConsistencyLevel
from cassandra.cluster import ResponseFuture, Session

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import PaperPart
from exam_answerlog.tables import CLAIMS, TABLES
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Claim, Start, Submission
from exam_core.fold import seal_bucket

pytestmark = pytest.mark.integration

SOLVER = UUID(int=1)


def answer(student: int, value: AnswerValue) -> Answer:
    """Any answer of a student."""
    return Answer(
        student=student,
        question=0,
        seq=1,
        answer_id=UUID(int=student),
        received_at=1,
        deadline_at=2,
        solver=SOLVER,
        epoch=1,
        answer=value,
    )


async def use_everything(log: CassandraAnswerLog, sitting: UUID) -> None:
    """Call every method that writes or reads."""
    answers = [answer(1, AnswerValue(choice=0)), answer(2, AnswerValue(value="")), answer(3, AnswerValue(choice=5))]
    await log.append_answers(sitting, 0, answers)
    await log.append_answers(sitting, 0, answers[:1])
    await log.append_late(sitting, 0, answers)
    await log.append_start(sitting, 0, Start(student=1, started_at=0, solver=SOLVER, epoch=1, seed=0))
    await log.append_submission(sitting, 0, Submission(student=1, submitted_at=9, solver=SOLVER, epoch=1))
    claim = Claim(exam=exam_of(sitting), student=1, sitting=sitting, claimed_at=0)
    await log.claim(claim)
    await log.claim(replace(claim, sitting=uuid4()), instead_of=sitting)
    await log.put_paper_part(sitting.hex, "paper", PaperPart(content_type="application/json", data=b"{}"))
    await log.get_paper_part(sitting.hex, "paper")
    await log.read_student(sitting, 0, 1)
    rows = await log.read_bucket(sitting, 0)
    seal = seal_bucket(
        sitting=sitting, bucket=0, paper=None, answers=rows.answers, starts=rows.starts, submissions=rows.submissions
    )
    await log.seal(sitting, 0, seal)
    await log.read_sealed(sitting, 0)
    await log.ping()


def exam_of(sitting: UUID) -> int:
    """The exam that a sitting's students claim."""
    return sitting.int >> 80


@dataclass
class SentRequest:
    """A request that was sent to Cassandra."""

    text: str
    consistency: int
    serial: int
    idempotent: bool


@dataclass
class RequestRecorder:
    """Records every request of a session."""

    sent: list[SentRequest] = field(default_factory=list)

    def __call__(self, request: ResponseFuture) -> None:
        """Record a request; the driver calls this before it sends."""
        statement, message = request.query, request.message
        prepared = getattr(statement, "prepared_statement", None)
        self.sent.append(
            SentRequest(
                text=prepared.query_string if prepared else str(statement),
                consistency=message.consistency_level,
                serial=message.serial_consistency_level,
                idempotent=bool(statement.is_idempotent),
            )
        )


@pytest.fixture
async def sent(cassandra_log: CassandraAnswerLog) -> list[SentRequest]:
    """The requests of one call of every method."""
    recorder = RequestRecorder()
    (await cassandra_log._sessions.session()).session.add_request_init_listener(recorder)
    await use_everything(cassandra_log, uuid4())
    return recorder.sent


def tombstones_read(admin: Session, table: str, where: str) -> int:
    """Return how many tombstones a read scans, according to Cassandra's trace."""
    read = admin.execute(f"SELECT * FROM {table} WHERE {where}", trace=True)  # noqa: S608  # constants
    trace = read.get_query_trace(max_wait_sec=10)
    counts = [
        int(event.description.split(" live rows and ")[1].split(" tombstone")[0])
        for event in trace.events
        if " live rows and " in event.description
    ]
    assert counts, [event.description for event in trace.events]
    return sum(counts)


async def test_writes_and_reads_use_quorums(sent: list[SentRequest]) -> None:
    """Every write, and every read that follows one, is at LOCAL_QUORUM; only seals and claims are read serially."""
    seals = [one for one in sent if "sealed" in one.text or "attempt_claims" in one.text]
    others = [one for one in sent if one not in seals]

    assert {one.consistency for one in others} == {ConsistencyLevel.LOCAL_QUORUM}
    assert {one.consistency for one in seals if one.text.startswith("SELECT")} == {ConsistencyLevel.LOCAL_SERIAL}
    written = [one for one in seals if not one.text.startswith("SELECT")]
    assert len(written) == 3
    assert {(one.consistency, one.serial) for one in written} == {
        (ConsistencyLevel.LOCAL_QUORUM, ConsistencyLevel.LOCAL_SERIAL)
    }


async def test_only_seals_and_claims_are_conditional(sent: list[SentRequest]) -> None:
    """An answer never waits for a Paxos round among replicas; a seal and the claim of a start always do."""
    conditional = ("INSERT INTO sealed", "INSERT INTO attempt_claims", "UPDATE attempt_claims")
    expected = {one.text for one in sent if one.text.startswith(conditional)}
    assert len(expected) == len(conditional)
    assert {one.text for one in sent if " IF " in one.text} == expected
    assert {one.text for one in sent if not one.idempotent} == expected


async def test_writes_leave_no_tombstones(cassandra_log: CassandraAnswerLog, admin: Session) -> None:
    """A partition is read as fast at the end of an exam as at its beginning, because no null is written."""
    sitting = uuid4()
    await use_everything(cassandra_log, sitting)

    bucket = f"sitting = {sitting} AND bucket = 0"
    for table in TABLES:
        where = bucket if "sitting" in table.primary_key else f"digest = '{sitting.hex}' AND part = 'paper'"
        if table is CLAIMS:
            where = f"exam = {exam_of(sitting)} AND student = 1"
        assert tombstones_read(admin, table.name, where) == 0, table.name

    # Negative control: the same measurement detects a null.
    row = f"{bucket} AND student = 3 AND question = 0 AND seq = 1 AND request = {UUID(int=3)} AND received_at = 1"
    admin.execute(f"UPDATE answers SET value = null WHERE {row} AND solver = {SOLVER}")  # noqa: S608  # constants
    assert tombstones_read(admin, "answers", bucket) == 1


async def test_concurrent_answers_share_writes(cassandra_log: CassandraAnswerLog) -> None:
    """A thousand students answer at the same time: their bucket receives a few dozen writes, not a thousand."""
    sitting = uuid4()
    session = (await cassandra_log._sessions.session()).session
    recorder = RequestRecorder()
    session.add_request_init_listener(recorder)

    await asyncio.gather(
        *(
            cassandra_log.append_answers(sitting, 0, [answer(student, AnswerValue(choice=1))])
            for student in range(1_000)
        )
    )

    assert len(recorder.sent) <= 1_000 / 64 + 1
    assert len((await cassandra_log.read_bucket(sitting, 0)).answers) == 1_000
