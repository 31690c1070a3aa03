"""Collects the transcript of a sitting: what its clients recorded and what the stores hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from cassandra.cluster import Session

from exam_harness.faults.schedule import Schedule
from exam_harness.oracle.seal import RawBucket
from exam_harness.oracle.transcript import Degree, LoggedRow, Transcript
from exam_harness.oracle.windows import Operation, Window
from exam_harness.scenarios.nemesis.client import Recorder
from exam_harness.scenarios.nemesis.platform import LEASE_TTL_MS, Platform
from exam_harness.scenarios.nemesis.publication import Publication

_KEYSPACE: Final = "exam"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """A sitting as it was provisioned."""

    id: str
    name: str
    document: str
    window: Window
    row_limit: int


def collect(
    platform: Platform,
    sitting: Provisioned,
    recorder: Recorder,
    operations: list[Operation],
    keys: Mapping[str, Any],
    publication: Publication,
    schedule: Schedule,
) -> Transcript:
    """Read the stores directly, past all proxies."""
    stack = platform.stack
    with psycopg.connect(stack.postgres.dsn(), autocommit=True) as postgres, stack.cassandra.session() as session:
        reader = _PostgresRows(postgres, sitting.id)
        buckets, root, last = reader.sitting(sitting.window)
        return Transcript(
            sitting=sitting.id,
            document=sitting.document,
            paper=recorder.paper,
            first=sitting.window,
            last=last,
            operations=operations,
            row_limit=sitting.row_limit,
            buckets=buckets,
            root=root,
            digests=reader.digests(),
            sealed=list(_sealed(session, sitting.id, buckets)),
            rows=[*_rows(session, sitting.id, buckets, late=False), *_rows(session, sitting.id, buckets, late=True)],
            degrees=reader.degrees(),
            keys=keys,
            statement_keys=publication.keys,
            seal_proofs=publication.seal,
            degree_proofs=publication.degrees,
            calls=recorder.calls,
            remarks=[*recorder.remarks, *publication.remarks],
            writes_delayed=schedule.delays_writes,
            clock_stepped=schedule.stepped > 0,
            lease_ttl=LEASE_TTL_MS * 1_000,
        )


class _PostgresRows:
    """Reads one sitting from PostgreSQL as its superuser."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], sitting: str) -> None:
        self._connection = connection
        self._sitting = sitting

    def sitting(self, first: Window) -> tuple[int, str, Window]:
        """The number of buckets, the root of the seal, and the window now."""
        ((buckets, root, closes_at, stopped_at),) = self._read(
            "SELECT buckets, seal_digest, (extract(epoch FROM closes_at) * 1000000)::bigint,"
            " (extract(epoch FROM stopped_at) * 1000000)::bigint FROM sittings_sitting WHERE id = %s"
        )
        pauses = self._read(
            "SELECT (extract(epoch FROM began_at) * 1000000)::bigint, (extract(epoch FROM ended_at) * 1000000)::bigint"
            " FROM sittings_sittingpause WHERE sitting_id = %s ORDER BY began_at"
        )
        extra = self._read(
            "SELECT student_id, (extract(epoch FROM extra) * 1000000)::bigint FROM sittings_accommodation"
            " WHERE sitting_id = %s"
        )
        window = Window(
            opens_at=first.opens_at,
            closes_at=closes_at,
            duration=first.duration,
            pauses=tuple(pauses),
            stopped_at=stopped_at,
            extra=dict(extra),
        )
        return buckets, root or "", window

    def digests(self) -> dict[int, str]:
        """The recorded digest of each bucket."""
        return dict(self._read("SELECT bucket, digest FROM sittings_sealedbucket WHERE sitting_id = %s"))

    def degrees(self) -> list[Degree]:
        """The degrees of the first revision."""
        rows = self._read(
            "SELECT d.student_id, d.total::text, d.maximum::text, d.points FROM degrees_degree d"
            " JOIN sittings_revision r ON r.id = d.revision_id WHERE r.sitting_id = %s AND r.number = 1"
        )
        return [
            Degree(student=student, total=total, maximum=maximum, points=tuple(points))
            for student, total, maximum, points in rows
        ]

    def _read(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, (self._sitting,)).fetchall()


def _sealed(session: Session, sitting: str, buckets: int) -> Iterator[RawBucket]:
    statement = session.prepare(f"SELECT digest, data FROM {_KEYSPACE}.sealed WHERE sitting = ? AND bucket = ?")  # noqa: S608
    for bucket in range(buckets):
        row = session.execute(statement, (UUID(sitting), bucket)).one()
        if row is not None:
            yield RawBucket(bucket, row.digest.hex(), bytes(row.data))


def _rows(session: Session, sitting: str, buckets: int, *, late: bool) -> Iterator[LoggedRow]:
    table = "answers_late" if late else "answers"
    statement = session.prepare(
        f"SELECT student, question, seq, received_at, deadline_at FROM {_KEYSPACE}.{table}"  # noqa: S608
        " WHERE sitting = ? AND bucket = ?"
    )
    for bucket in range(buckets):
        for row in session.execute(statement, (UUID(sitting), bucket)):
            yield LoggedRow(
                student=row.student,
                question=row.question,
                seq=row.seq,
                received_at=row.received_at,
                deadline_at=row.deadline_at,
                late=late,
            )
