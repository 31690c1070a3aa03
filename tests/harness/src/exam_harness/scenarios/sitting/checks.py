"""Bring together what the oracle judges by: the book, the stores' raw contents, the degrees as people see them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cassandra.cluster import Session

from exam_harness.faults.solver_crash import Killed
from exam_harness.oracle.checker import (
    LoggedAnswer,
    Mismatch,
    SeenDegree,
    SittingFacts,
    judge_degrees,
    judge_log,
    judge_receipts,
    judge_seal,
)
from exam_harness.oracle.document import Document
from exam_harness.oracle.history import Book
from exam_harness.oracle.receipts import read_keys
from exam_harness.oracle.seal import Seal, read_seal
from exam_harness.scenarios.sitting.store_readers import Postgres, SealRecord, logged, raw_seal

KEYSPACE = "exam"
REVISION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """One of the run's sittings; instants and spans in µs."""

    id: str
    name: str
    document: Document
    opens_at: int
    closes_at: int
    duration: int
    multiple: str
    """How multiple-choice questions are scored."""
    extra: Mapping[str, int]
    """Accommodations by username."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What lies in the stores of one sitting, and the degrees as students and doctors are shown them."""

    scheduled: Scheduled
    record: SealRecord
    seal: Seal
    log: Mapping[LoggedAnswer, UUID]
    degrees: Sequence[SeenDegree]


def collect(scheduled: Scheduled, *, postgres: Postgres, cassandra: Session, shown: Sequence[SeenDegree]) -> Evidence:
    """Read a sitting's stores."""
    record = postgres.seal(scheduled.id)
    raw = raw_seal(cassandra, KEYSPACE, scheduled.id, record.buckets)
    return Evidence(
        scheduled=scheduled,
        record=record,
        seal=read_seal(scheduled.id, raw, buckets=record.buckets, root=record.root),
        log=logged(cassandra, KEYSPACE, scheduled.id, record.buckets),
        degrees=[*shown, *postgres.degrees(scheduled.id, REVISION)],
    )


def judge_sitting(
    book: Book, evidence: Evidence, *, jwks: Mapping[str, Any], ids: Mapping[str, int]
) -> Iterator[Mismatch]:
    """Everything that the oracle has to say of one sitting; `ids` are the students' by username."""
    scheduled = evidence.scheduled
    facts = SittingFacts(
        id=scheduled.id,
        name=scheduled.name,
        document=scheduled.document,
        closes_at=scheduled.closes_at,
        duration=scheduled.duration,
        extra={ids[username]: extra for username, extra in scheduled.extra.items()},
        multiple=scheduled.multiple,
    )
    yield from judge_receipts(book, facts, evidence.seal, read_keys(jwks))
    yield from judge_seal(book, facts, evidence.seal)
    yield from judge_log(book, facts, evidence.log)
    yield from judge_degrees(book, facts, evidence.seal, evidence.degrees)


def degree_of(source: str, row: Mapping[str, Any], ids: Mapping[str, int]) -> SeenDegree:
    """A degree as the API shows it; `ids` are the students' by username."""
    return SeenDegree(
        source=source,
        student=ids[row["student"]],
        total=row["total"],
        maximum=row["maximum"],
        points=tuple(row["points"]),
        answered=row["answered"],
    )


def acknowledged_by(book: Book, evidence: Sequence[Evidence], killed: Killed) -> int:
    """How many answers the killed solver had acknowledged: those whose very row it wrote."""
    return sum(
        each.log.get(_row(entry.said.student, entry.said.question, entry.said.seq, entry.received_at)) == killed.holder
        for each in evidence
        for entry in book.every()
        if entry.said.sitting == each.scheduled.id
    )


def _row(student: int, question: int, seq: int, received_at: int) -> LoggedAnswer:
    return LoggedAnswer(student, question, seq, received_at)
