"""What lies in the stores, read with plain drivers and statements: the oracle must not see it through our models."""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from cassandra.cluster import Session

from exam_harness.oracle.checker import LoggedAnswer, SeenDegree
from exam_harness.oracle.seal import RawBucket


@dataclass(frozen=True, slots=True)
class SealRecord:
    """What PostgreSQL says of a sitting's seal; instants in µs."""

    buckets: int
    root: str
    closed_at: int | None
    drained_at: int | None
    sealed_at: int | None

    @property
    def events(self) -> dict[str, int]:
        """What has happened to the sitting, and when."""
        known = {"closing": self.closed_at, "drained": self.drained_at, "sealed": self.sealed_at}
        return {name: at for name, at in known.items() if at is not None}


class Postgres:
    """Reads PostgreSQL as its superuser."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def now(self) -> int:
        """The platform's time (µs)."""
        ((now,),) = self._rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(now)

    def leases(self) -> dict[UUID, int]:
        """When each solver process last renewed (µs)."""
        rows = self._rows("SELECT holder, (extract(epoch FROM renewed_at) * 1000000)::bigint FROM sittings_solverlease")
        return dict(rows)

    def seal(self, sitting: str) -> SealRecord:
        """A sitting's seal as recorded."""
        ((buckets, root, *instants),) = self._rows(
            "SELECT buckets, seal_digest, (extract(epoch FROM closed_at) * 1000000)::bigint,"
            " (extract(epoch FROM drained_at) * 1000000)::bigint, (extract(epoch FROM sealed_at) * 1000000)::bigint"
            " FROM sittings_sitting WHERE id = %s",
            sitting,
        )
        return SealRecord(buckets, root, *instants)

    def degrees(self, sitting: str, revision: int) -> list[SeenDegree]:
        """Every degree of a sitting's revision."""
        rows = self._rows(
            "SELECT d.student_id, d.total::text, d.maximum::text, d.points, d.answered FROM degrees_degree d"
            " JOIN sittings_revision r ON r.id = d.revision_id WHERE r.sitting_id = %s AND r.number = %s",
            sitting,
            revision,
        )
        return [
            SeenDegree(
                source="database",
                student=student,
                total=total,
                maximum=maximum,
                points=tuple(points),
                answered=answered,
            )
            for student, total, maximum, points, answered in rows
        ]

    def students(self) -> dict[str, int]:
        """Every student's id by username."""
        return dict(self._rows("SELECT username, id FROM users_user WHERE kind = 'student'"))

    def _rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()


def raw_seal(session: Session, keyspace: str, sitting: str, buckets: int) -> list[RawBucket]:
    """A sitting's sealed buckets, bytes and stored digests."""
    read = session.prepare(f"SELECT digest, data FROM {keyspace}.sealed WHERE sitting = ? AND bucket = ?")  # noqa: S608
    found = ((bucket, session.execute(read, (UUID(sitting), bucket)).one()) for bucket in range(buckets))
    return [RawBucket(bucket, row.digest.hex(), bytes(row.data)) for bucket, row in found if row is not None]


def logged(session: Session, keyspace: str, sitting: str, buckets: int) -> dict[LoggedAnswer, UUID]:
    """Every answer of the append-only log, and the solver process that wrote it."""
    read = session.prepare(
        f"SELECT student, question, seq, received_at, solver FROM {keyspace}.answers"  # noqa: S608
        " WHERE sitting = ? AND bucket = ?"
    )
    return {
        LoggedAnswer(row.student, row.question, row.seq, row.received_at): row.solver
        for bucket in range(buckets)
        for row in session.execute(read, (UUID(sitting), bucket))
    }
