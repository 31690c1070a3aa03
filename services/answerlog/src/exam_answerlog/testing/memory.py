"""The answer log in memory: a double for tests that stores the same rows and can block or fail on demand."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from exam_answerlog.log import AnswerLog, PaperPart, Rows
from exam_answerlog.model import Table
from exam_answerlog.tables import (
    ANSWERS,
    ANSWERS_LATE,
    ATTEMPTS,
    CLAIMS,
    PAPERS,
    SEALED,
    SUBMISSIONS,
    TABLES,
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


class Hold:
    """Calls that block inside the store until they are released."""

    def __init__(self) -> None:
        self.waiting = 0
        self._arrived = asyncio.Condition()
        self._released = asyncio.Event()

    async def reached(self, calls: int = 1) -> None:
        """Return when this many calls are blocked."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.waiting >= calls)

    def release(self) -> None:
        """Release all calls, later ones too."""
        self._released.set()

    async def wait(self) -> None:
        """Block like a call."""
        async with self._arrived:
            self.waiting += 1
            self._arrived.notify_all()
        try:
            await self._released.wait()
        finally:
            self.waiting -= 1


class MemoryAnswerLog(AnswerLog):
    """An answer log that lasts as long as the object.

    A call blocks while it is held and then raises the configured error, either before anything is written or, like a
    timeout, after.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], Any]] = {table.name: {} for table in TABLES}
        self._error: Exception | None = None
        self._fails_written = False
        self._hold: Hold | None = None

    def fail_with(self, error: Exception | None, *, written: bool = False) -> None:
        """Make every call raise `error` until reset with None; `written`: after it has written."""
        self._error, self._fails_written = error, written

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Block calls that begin inside the context until they are released, at the latest at its end."""
        hold = self._hold = Hold()
        try:
            yield hold
        finally:
            self._hold = None
            hold.release()

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write answers of one bucket."""
        await self._write(ANSWERS, [AnswerRow.of(sitting, bucket, answer) for answer in answers])

    async def append_late(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Store late answers."""
        await self._write(ANSWERS_LATE, [AnswerRow.of(sitting, bucket, answer) for answer in answers])

    async def append_start(self, sitting: UUID, bucket: int, start: Start) -> None:
        """Record the start of an attempt."""
        await self._write(ATTEMPTS, [AttemptRow.of(sitting, bucket, start)])

    async def claim(self, claim: Claim, *, instead_of: UUID | None = None) -> Claim:
        """Store a claim unless there is one, or replace the one for `instead_of`; return the stored one."""
        await self._begin()
        row = ClaimRow.of(claim)
        kept: dict[tuple[Any, ...], ClaimRow] = self.tables[CLAIMS.name]
        stored = kept.setdefault(CLAIMS.key(row), row) if instead_of is None else kept[CLAIMS.key(row)]
        if stored.sitting == instead_of:
            stored = kept[CLAIMS.key(row)] = row
        self._end()
        return stored.claim()

    async def append_submission(self, sitting: UUID, bucket: int, submission: Submission) -> None:
        """Record a submission."""
        await self._write(SUBMISSIONS, [SubmissionRow.of(sitting, bucket, submission)])

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """Read one student's rows."""
        return await self._read(sitting, bucket, student)

    async def read_bucket(self, sitting: UUID, bucket: int) -> Rows:
        """Read all rows of a bucket."""
        return await self._read(sitting, bucket)

    async def put_paper_part(self, digest: str, part: str, content: PaperPart) -> None:
        """Store a part of a paper."""
        await self._write(PAPERS, [PaperRow.of(digest, part, content)])

    async def get_paper_part(self, digest: str, part: str) -> PaperPart | None:
        """Return a part of a paper, or None."""
        await self._begin()
        rows = self._find(PAPERS, digest, part)
        self._end()
        return rows[0].content() if rows else None

    async def seal(self, sitting: UUID, bucket: int, sealed: SealedBucket) -> SealedBucket:
        """Write a bucket's seal unless one exists; return the stored one."""
        await self._begin()
        row = SealedRow.of(sitting, bucket, sealed)
        stored: SealedRow = self.tables[SEALED.name].setdefault(SEALED.key(row), row)
        self._end()
        winner = stored.sealed()
        return sealed if winner == sealed else winner

    async def read_sealed(self, sitting: UUID, bucket: int) -> SealedBucket | None:
        """Return a bucket's seal, or None; raises ValueError when its bytes do not match its digest."""
        await self._begin()
        rows = self._find(SEALED, sitting, bucket)
        self._end()
        return rows[0].sealed() if rows else None

    async def ping(self) -> None:
        """Return unless the store is configured to fail."""
        await self._begin()
        self._end()

    async def _write(self, table: Table[RowT], rows: Sequence[RowT]) -> None:
        await self._begin()
        self.tables[table.name].update({table.key(row): row for row in rows})
        self._end()

    async def _read(self, *key: UUID | int) -> Rows:
        await self._begin()
        rows = Rows(
            answers=tuple(row.answer() for row in self._find(ANSWERS, *key)),
            starts=tuple(row.start() for row in self._find(ATTEMPTS, *key)),
            submissions=tuple(row.submission() for row in self._find(SUBMISSIONS, *key)),
        )
        self._end()
        return rows

    def _find(self, table: Table[RowT], *key: UUID | int | str) -> list[RowT]:
        kept = self.tables[table.name]
        return [kept[place] for place in sorted(kept) if place[: len(key)] == key]

    async def _begin(self) -> None:
        if self._hold is not None:
            await self._hold.wait()
        if self._error is not None and not self._fails_written:
            raise self._error

    def _end(self) -> None:
        if self._error is not None:
            raise self._error
