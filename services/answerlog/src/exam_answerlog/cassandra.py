"""The answer log in Cassandra.

Writes and reads use LOCAL_QUORUM, so that a read that begins after a write was confirmed sees it; seals are decided and
read at LOCAL_SERIAL. Nothing is retried here: writes are idempotent, and clients send an unconfirmed answer again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar
from uuid import UUID

from cassandra import ConsistencyLevel, CoordinationFailure, OperationTimedOut, Timeout, Unauthorized, Unavailable
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
    CLAIMS,
    PAPERS,
    SEALED,
    SUBMISSIONS,
    AnswerRow,
    AttemptRow,
    ClaimRow,
    PaperRow,
    SealedRow,
    SubmissionRow,
)
from exam_core.answers import Answer, Claim, Start, Submission
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
"""Errors of the driver for an unconfirmed request. Any other error is a bug and is raised unchanged."""

PAGE = 2_000
"""Rows per page."""
DRIVER_GRACE = 0.5
"""Seconds beyond the request timeout in which the driver may report the timeout itself."""

_BUCKET = ("sitting", "bucket")
_STUDENT = (*_BUCKET, "student")
_APPEND = {table.name: table.insert() for table in (ANSWERS, ANSWERS_LATE, ATTEMPTS, SUBMISSIONS, PAPERS)}
_SEAL = SEALED.insert(once=True)
_CLAIM = CLAIMS.insert(once=True)
_REPLACE_CLAIM = CLAIMS.update_if("sitting", "claimed_at", expected="sitting")
_READ_CLAIM = CLAIMS.select(*CLAIMS.partition)
_READ_SEAL = SEALED.select(*_BUCKET)
_READ_PART = PAPERS.select(*PAPERS.partition)
_STATEMENTS = (
    *_APPEND.values(),
    *(table.select(*by) for table in (ANSWERS, ATTEMPTS, SUBMISSIONS) for by in (_BUCKET, _STUDENT)),
    _SEAL,
    _CLAIM,
    _REPLACE_CLAIM,
    _READ_CLAIM,
    _READ_SEAL,
    _READ_PART,
)

Lane = tuple[str, UUID, int]
"""The rows that may share a batch: a table's name and one of its partitions."""


class CassandraAnswerLog(AnswerLog):
    """The answer log of one process, used from its event loop.

    `connect` returns at once, even while Cassandra is down: until a session is open every method raises
    `AnswerLogUnavailableError`, and the session is restored in the background. Connect in the process that uses the
    log, which for Celery's prefork pool is the child (`worker_process_init`).
    """

    def __init__(self, settings: CassandraSettings) -> None:
        self._timeout = settings.timeout
        self._sessions = SessionManager(settings, _STATEMENTS)
        self._commits: GroupCommit[Lane, AnswerRow] = GroupCommit(self._write_answers)

    @classmethod
    def connect(cls, settings: CassandraSettings) -> Self:
        """Start connecting in the background."""
        return cls(settings)

    async def close(self) -> None:
        """Finish the appends in progress, then close the session."""
        await self._commits.close()
        await asyncio.to_thread(self._sessions.close)

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write answers of one bucket durably; concurrent appends to one bucket share a write."""
        await self._append_answers(ANSWERS, sitting, bucket, answers)

    async def append_late(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Store late answers, in a table of their own."""
        await self._append_answers(ANSWERS_LATE, sitting, bucket, answers)

    async def append_start(self, sitting: UUID, bucket: int, start: Start) -> None:
        """Record the start of an attempt."""
        await self._write(ATTEMPTS, AttemptRow.of(sitting, bucket, start))

    async def claim(self, claim: Claim, *, instead_of: UUID | None = None) -> Claim:
        """Store a claim unless there is one, or replace the one for `instead_of`; return the stored one.

        As with seals, the serial read alone says which write succeeded.
        """
        if instead_of is None:
            cql, values = _CLAIM, CLAIMS.values(ClaimRow.of(claim))
        else:
            cql = _REPLACE_CLAIM
            values = (claim.sitting, claim.claimed_at, claim.exam, claim.student, instead_of)
        await self._execute(lambda on: on.prepared[cql].bind(values))
        key = (claim.exam, claim.student)
        rows = await self._read(CLAIMS, _READ_CLAIM, *key, consistency=ConsistencyLevel.LOCAL_SERIAL)
        if not rows:
            raise AnswerLogUnavailableError(f"the claim of exam {claim.exam} by {claim.student} was not confirmed")
        return rows[0].claim()

    async def append_submission(self, sitting: UUID, bucket: int, submission: Submission) -> None:
        """Record a submission."""
        await self._write(SUBMISSIONS, SubmissionRow.of(sitting, bucket, submission))

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """Read one student's rows."""
        return await self._read_rows(_STUDENT, sitting, bucket, student)

    async def read_bucket(self, sitting: UUID, bucket: int) -> Rows:
        """Read all rows of a bucket, page by page."""
        return await self._read_rows(_BUCKET, sitting, bucket)

    async def put_paper_part(self, digest: str, part: str, content: PaperPart) -> None:
        """Store a part of a paper."""
        await self._write(PAPERS, PaperRow.of(digest, part, content))

    async def get_paper_part(self, digest: str, part: str) -> PaperPart | None:
        """Return a part of a paper, or None."""
        rows = await self._read(PAPERS, _READ_PART, digest, part)
        return rows[0].content() if rows else None

    async def seal(self, sitting: UUID, bucket: int, sealed: SealedBucket) -> SealedBucket:
        """Write a bucket's seal unless one exists; return the stored one.

        The result of the conditional write is ignored: the serial read that follows completes or discards writes in
        progress before it returns, so that it alone is authoritative.
        """
        row = SealedRow.of(sitting, bucket, sealed)
        await self._execute(lambda on: on.prepared[_SEAL].bind(SEALED.values(row)))
        winner = await self.read_sealed(sitting, bucket)
        if winner is None:
            raise AnswerLogUnavailableError(f"the seal of sitting {sitting}, bucket {bucket} was not confirmed")
        return sealed if winner == sealed else winner  # equal bytes: `sealed` need not be parsed again

    async def read_sealed(self, sitting: UUID, bucket: int) -> SealedBucket | None:
        """Read a bucket's seal serially, or None; raises ValueError when its bytes do not match its digest."""
        rows = await self._read(SEALED, _READ_SEAL, sitting, bucket, consistency=ConsistencyLevel.LOCAL_SERIAL)
        return rows[0].sealed() if rows else None

    async def ping(self) -> None:
        """Read a row that does not exist, to check that a quorum responds."""
        await self._read(PAPERS, _READ_PART, "ping", "ping")

    async def _append_answers(
        self, table: Table[AnswerRow], sitting: UUID, bucket: int, answers: Sequence[Answer]
    ) -> None:
        """Append through the group commit; the timeout covers the preceding write and this one."""
        rows = [AnswerRow.of(sitting, bucket, answer) for answer in answers]
        try:
            async with asyncio.timeout(2 * self._timeout):
                await self._commits.append((table.name, sitting, bucket), rows)
        except TimeoutError:
            raise AnswerLogUnavailableError(
                f"Cassandra is overloaded: not confirmed within {2 * self._timeout:g} s"
            ) from None

    async def _write_answers(self, lane: Lane, rows: Sequence[AnswerRow]) -> None:
        """Write rows of one partition as one batch, which costs Cassandra no more than a single row."""
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
        """Run one request in the current session; raise the driver's errors as `AnswerLogUnavailableError`."""
        on = await self._sessions.session()
        try:
            async with asyncio.timeout(self._timeout + DRIVER_GRACE):
                request = on.session.execute_async(build(on), paging_state=paging_state)
                return ResultSet(request, await _outcome_of(request))
        except NoHostAvailable as error:
            self._sessions.lost(on)
            raise AnswerLogUnavailableError(describe(error)) from error
        except Unauthorized as error:
            raise AnswerLogUnavailableError(
                f"Cassandra refused it: {error}; `python -m exam_answerlog roles` restores permissions"
            ) from error
        except UNCONFIRMED as error:
            raise AnswerLogUnavailableError(f"Cassandra did not confirm: {error}") from error
        except TimeoutError:
            raise AnswerLogUnavailableError(f"Cassandra did not confirm within {self._timeout:g} s") from None


def _bound(values: tuple[Any, ...]) -> list[Any]:
    """Return values to bind: absent columns stay unset, because a null would write a tombstone."""
    return [UNSET_VALUE if value is None else value for value in values]


def _idempotent(statement: Statement) -> Statement:
    statement.is_idempotent = True
    return statement


def _outcome_of(request: Any) -> asyncio.Future[Any]:  # noqa: ANN401  # the driver has no types
    """Wrap a driver request in a future of the running loop; cancelling the future does not cancel the request."""
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
            if not loop.is_closed():  # after the loop is closed no waiter is left
                raise

    request.add_callbacks(deliver, deliver)
    return outcome
