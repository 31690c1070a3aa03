"""The answer log in Cassandra.

Writes and reads are at LOCAL_QUORUM, so that a read that begins after a write was confirmed sees it; seals are decided
and read at LOCAL_SERIAL. Nothing is retried here: all writes are idempotent, and whoever sent an answer sends it again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar
from uuid import UUID

from cassandra import ConsistencyLevel, CoordinationFailure, OperationTimedOut, Timeout, Unavailable
from cassandra.cluster import NoHostAvailable, ResultSet
from cassandra.connection import ConnectionBusy, ConnectionException
from cassandra.protocol import IsBootstrappingErrorMessage, OverloadedErrorMessage, ServerError, TruncateError
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, Statement

from exam_answerlog.group_commit import GroupCommit
from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError, PaperPart, Rows
from exam_answerlog.model import Table
from exam_answerlog.session import OpenSession, SessionManager, describe
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.tables import (
    ANSWERS,
    ANSWERS_LATE,
    ATTEMPTS,
    PAPERS,
    SEALED,
    SUBMISSIONS,
    AnswerRow,
    AttemptRow,
    PaperRow,
    SealedRow,
    SubmissionRow,
)
from exam_core.answers import Answer, Start, Submission
from exam_core.fold import SealedBucket

RowT = TypeVar("RowT")

UNCONFIRMED = (
    Timeout,
    Unavailable,
    CoordinationFailure,
    OperationTimedOut,
    NoHostAvailable,
    ConnectionException,
    ConnectionBusy,
    OverloadedErrorMessage,
    IsBootstrappingErrorMessage,
    ServerError,
    TruncateError,
)
"""How the driver says that the store did not confirm. Anything else is a fault of ours, and raised as what it is."""

PAGE = 2_000
"""Rows fetched at once."""
DRIVER_GRACE = 0.5
"""Seconds that the driver gets beyond the request timeout to report it; then nobody waits for the driver any longer."""

_BUCKET = ("sitting", "bucket")
_STUDENT = (*_BUCKET, "student")
_APPEND = {table.name: table.insert() for table in (ANSWERS, ANSWERS_LATE, ATTEMPTS, SUBMISSIONS, PAPERS)}
_SEAL = SEALED.insert(once=True)
_READ_SEAL = SEALED.select(*_BUCKET)
_READ_PART = PAPERS.select(*PAPERS.partition)
_STATEMENTS = (
    *_APPEND.values(),
    *(table.select(*by) for table in (ANSWERS, ATTEMPTS, SUBMISSIONS) for by in (_BUCKET, _STUDENT)),
    _SEAL,
    _READ_SEAL,
    _READ_PART,
)

Lane = tuple[str, UUID, int]
"""What one batch may hold rows of: a table's name and one of its partitions."""


class CassandraAnswerLog(AnswerLog):
    """The answer log of one process, used from its event loop.

    `connect` returns at once and works while Cassandra is down: until there is a session every method raises
    `AnswerLogUnavailableError`, and when Cassandra is back it works again by itself. Connect in the process that uses
    it, which for Celery's prefork pool is the child (`worker_process_init`).
    """

    def __init__(self, settings: CassandraSettings) -> None:
        self._timeout = settings.timeout
        self._sessions = SessionManager(settings, _STATEMENTS)
        self._commits: GroupCommit[Lane, AnswerRow] = GroupCommit(self._write_answers)

    @classmethod
    def connect(cls, settings: CassandraSettings) -> Self:
        """Begin to connect, in the background."""
        return cls(settings)

    async def close(self) -> None:
        """Finish the appends under way, then give up the session."""
        await self._commits.close()
        await asyncio.to_thread(self._sessions.close)

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write answers of one bucket durably; those of one bucket that come together are written together."""
        await self._append_answers(ANSWERS, sitting, bucket, answers)

    async def append_late(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Keep answers that came too late, in their own table."""
        await self._append_answers(ANSWERS_LATE, sitting, bucket, answers)

    async def append_start(self, sitting: UUID, bucket: int, start: Start) -> None:
        """Record that a student began."""
        await self._write(ATTEMPTS, AttemptRow.of(sitting, bucket, start))

    async def append_submission(self, sitting: UUID, bucket: int, submission: Submission) -> None:
        """Record that a student said they are done."""
        await self._write(SUBMISSIONS, SubmissionRow.of(sitting, bucket, submission))

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """What one student did."""
        return await self._read_rows(_STUDENT, sitting, bucket, student)

    async def read_bucket(self, sitting: UUID, bucket: int) -> Rows:
        """What everyone in a bucket did, page by page."""
        return await self._read_rows(_BUCKET, sitting, bucket)

    async def put_paper_part(self, digest: str, part: str, content: PaperPart) -> None:
        """Store a part of a paper."""
        await self._write(PAPERS, PaperRow.of(digest, part, content))

    async def get_paper_part(self, digest: str, part: str) -> PaperPart | None:
        """A part of a paper, or None."""
        rows = await self._read(PAPERS, _READ_PART, digest, part)
        return rows[0].content() if rows else None

    async def seal(self, sitting: UUID, bucket: int, sealed: SealedBucket) -> SealedBucket:
        """Write a bucket's seal unless there is one; return the one that holds.

        What the conditional write answers is not looked at: the serial read that follows finishes or discards whatever
        is under way before it tells the winner, and only what it tells counts.
        """
        row = SealedRow.of(sitting, bucket, sealed)
        await self._execute(lambda on: on.prepared[_SEAL].bind(SEALED.values(row)))
        winner = await self.read_sealed(sitting, bucket)
        if winner is None:
            raise AnswerLogUnavailableError(f"the seal of sitting {sitting}, bucket {bucket} was not confirmed")
        return sealed if winner == sealed else winner  # equal bytes: `sealed` need not be parsed again

    async def read_sealed(self, sitting: UUID, bucket: int) -> SealedBucket | None:
        """A bucket's seal, read serially, or None; raises ValueError when bytes and stored digest disagree."""
        rows = await self._read(SEALED, _READ_SEAL, sitting, bucket, consistency=ConsistencyLevel.LOCAL_SERIAL)
        return rows[0].sealed() if rows else None

    async def ping(self) -> None:
        """Whether a quorum answers, asked through a table of ours."""
        await self._read(PAPERS, _READ_PART, "ping", "ping")

    async def _append_answers(
        self, table: Table[AnswerRow], sitting: UUID, bucket: int, answers: Sequence[Answer]
    ) -> None:
        """Append through the group commit, with patience for the write before ours and for our own."""
        rows = [AnswerRow.of(sitting, bucket, answer) for answer in answers]
        try:
            async with asyncio.timeout(2 * self._timeout):
                await self._commits.append((table.name, sitting, bucket), rows)
        except TimeoutError:
            raise AnswerLogUnavailableError(f"Cassandra is behind: not confirmed in {2 * self._timeout:g} s") from None

    async def _write_answers(self, lane: Lane, rows: Sequence[AnswerRow]) -> None:
        """One write of one partition, so a batch costs the store no more than a row does."""
        cql = _APPEND[lane[0]]

        def build(on: OpenSession) -> Statement:
            batch = BatchStatement(batch_type=BatchType.UNLOGGED)
            for row in rows:
                batch.add(on.prepared[cql], _bound(ANSWERS.values(row)))
            return _idempotent(batch)

        await self._execute(build)

    async def _write(self, table: Table[RowT], row: RowT) -> None:
        values = _bound(table.values(row))
        await self._execute(lambda on: _idempotent(on.prepared[_APPEND[table.name]].bind(values)))

    async def _read_rows(self, by: tuple[str, ...], *key: UUID | int) -> Rows:
        answers, starts, submissions = await asyncio.gather(
            self._read(ANSWERS, ANSWERS.select(*by), *key),
            self._read(ATTEMPTS, ATTEMPTS.select(*by), *key),
            self._read(SUBMISSIONS, SUBMISSIONS.select(*by), *key),
        )
        return Rows(
            answers=tuple(row.answer() for row in answers),
            starts=tuple(row.start() for row in starts),
            submissions=tuple(row.submission() for row in submissions),
        )

    async def _read(
        self, table: Table[RowT], cql: str, *key: UUID | int | str, consistency: int | None = None
    ) -> list[RowT]:
        def build(on: OpenSession) -> Statement:
            statement = _idempotent(on.prepared[cql].bind(key))
            statement.fetch_size = PAGE
            if consistency is not None:
                statement.consistency_level = consistency
            return statement

        rows: list[RowT] = []
        page: ResultSet = await self._execute(build)
        rows.extend(map(table.row, page.current_rows))
        while page.paging_state:
            page = await self._execute(build, page.paging_state)
            rows.extend(map(table.row, page.current_rows))
        return rows

    async def _execute(self, build: Callable[[OpenSession], Statement], paging_state: bytes | None = None) -> ResultSet:
        """Run one request in the session of the moment; what the driver calls unconfirmed becomes our error."""
        on = await self._sessions.session()
        try:
            async with asyncio.timeout(self._timeout + DRIVER_GRACE):
                request = on.session.execute_async(build(on), paging_state=paging_state)
                return ResultSet(request, await _outcome_of(request))
        except NoHostAvailable as error:
            self._sessions.lost(on)
            raise AnswerLogUnavailableError(describe(error)) from error
        except UNCONFIRMED as error:
            raise AnswerLogUnavailableError(f"Cassandra did not confirm: {error}") from error
        except TimeoutError:
            raise AnswerLogUnavailableError(f"Cassandra did not confirm within {self._timeout:g} s") from None


def _bound(values: tuple[Any, ...]) -> list[Any]:
    """Values as they are bound: what a row lacks is left unset, for a null would be a tombstone."""
    return [UNSET_VALUE if value is None else value for value in values]


def _idempotent(statement: Statement) -> Statement:
    statement.is_idempotent = True
    return statement


def _outcome_of(request: Any) -> asyncio.Future[Any]:  # noqa: ANN401  # the driver has no types
    """A driver request's outcome as a future of the running loop; to cancel it only means not to wait."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Any] = loop.create_future()

    def settle(result: object) -> None:
        if outcome.done():
            return
        if isinstance(result, BaseException):
            outcome.set_exception(result)
        else:
            outcome.set_result(result)

    def deliver(result: object) -> None:  # in the driver's thread
        try:
            loop.call_soon_threadsafe(settle, result)
        except RuntimeError:
            if not loop.is_closed():  # a loop that is gone has nobody left to tell
                raise

    request.add_callbacks(deliver, deliver)
    return outcome
