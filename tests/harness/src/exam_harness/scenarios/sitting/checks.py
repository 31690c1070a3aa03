"""Collects what the stores and the API have of a sitting, and checks it with the oracle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from exam_harness.faults.solver_crash import Killed
from exam_harness.oracle.checker import (
    LoggedAnswer,
    Mismatch,
    ObservedDegree,
    SittingParameters,
    check_degrees,
    check_log,
    check_receipts,
    check_seal,
)
from exam_harness.oracle.document import Document
from exam_harness.oracle.history import History
from exam_harness.oracle.receipts import parse_keys
from exam_harness.oracle.scoring import ALL_OR_NOTHING
from exam_harness.oracle.seal import Seal, parse_seal
from exam_harness.scenarios.sitting.store_readers import SealRecord, Stores, read_answer_log, read_raw_buckets

KEYSPACE = "exam"
REVISION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSitting:
    """One of the run's sittings; instants and spans in µs."""

    id: str
    name: str
    document: Document
    opens_at: int
    closes_at: int
    duration: int
    multiple: str = ALL_OR_NOTHING
    """How multiple-choice questions are scored."""
    extra: Mapping[str, int] = field(default_factory=dict)
    """Accommodations by username."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingEvidence:
    """What the stores hold of one sitting, and the degrees as students and doctors are shown them."""

    scheduled: ScheduledSitting
    record: SealRecord
    seal: Seal
    log: Mapping[LoggedAnswer, UUID]
    degrees: Sequence[ObservedDegree]


def collect_evidence(
    scheduled: ScheduledSitting, stores: Stores, observed: Sequence[ObservedDegree]
) -> SittingEvidence:
    """Read a sitting's seal, log and degrees from the stores."""
    record = stores.postgres.seal(scheduled.id)
    buckets = read_raw_buckets(stores.cassandra, KEYSPACE, scheduled.id, record.buckets)
    return SittingEvidence(
        scheduled=scheduled,
        record=record,
        seal=parse_seal(scheduled.id, buckets, buckets=record.buckets, root=record.root),
        log=read_answer_log(stores.cassandra, KEYSPACE, scheduled.id, record.buckets),
        degrees=[*observed, *stores.postgres.degrees(scheduled.id, REVISION)],
    )


def check_sitting(
    history: History, evidence: SittingEvidence, *, jwks: Mapping[str, Any], ids: Mapping[str, int]
) -> Iterator[Mismatch]:
    """Every mismatch of one sitting; `ids` are the students' by username."""
    scheduled = evidence.scheduled
    sitting = SittingParameters(
        id=scheduled.id,
        name=scheduled.name,
        document=scheduled.document,
        closes_at=scheduled.closes_at,
        duration=scheduled.duration,
        extra={ids[username]: extra for username, extra in scheduled.extra.items()},
        multiple=scheduled.multiple,
    )
    yield from check_receipts(history, sitting, evidence.seal, parse_keys(jwks))
    yield from check_seal(history, sitting, evidence.seal)
    yield from check_log(history, sitting, evidence.log)
    yield from check_degrees(history, sitting, evidence.seal, evidence.degrees)


def observed_degree(source: str, row: Mapping[str, Any], ids: Mapping[str, int]) -> ObservedDegree:
    """A degree from the API's JSON; `ids` are the students' by username."""
    return ObservedDegree(
        source=source,
        student=ids[row["student"]],
        total=row["total"],
        maximum=row["maximum"],
        points=tuple(row["points"]),
        answered=row["answered"],
    )


def count_acknowledged_by(history: History, evidence: Sequence[SittingEvidence], killed: Killed) -> int:
    """The number of answers acknowledged by the killed solver: those whose acknowledged row it wrote."""
    return sum(
        sitting.log.get(_row(entry.answer.student, entry.answer.question, entry.answer.seq, entry.received_at))
        == killed.holder
        for sitting in evidence
        for entry in history.acknowledgements()
        if entry.answer.sitting == sitting.scheduled.id
    )


def _row(student: int, question: int, seq: int, received_at: int) -> LoggedAnswer:
    return LoggedAnswer(student, question, seq, received_at)
