"""Readers of PostgreSQL and Cassandra with plain drivers and SQL: the oracle must not depend on the models of web."""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from cassandra.cluster import Session

from exam_harness.oracle.checker import LoggedAnswer, ObservedDegree
from exam_harness.oracle.seal import RawBucket


@dataclass(frozen=True, slots=True)
class Stores:
    """Readers of the stores of one platform: PostgreSQL, and a Cassandra session as superuser."""

    postgres: "PostgresReader"
    cassandra: Session


@dataclass(frozen=True, slots=True)
class SealRecord:
    """A sitting's seal as recorded in PostgreSQL; instants in µs."""

    buckets: int
    root: str
    closed_at: int | None
    drained_at: int | None
    sealed_at: int | None

    @property
    def events(self) -> dict[str, int]:
        """The transitions that have happened, with their instants."""
        instants = {"closing": self.closed_at, "drained": self.drained_at, "sealed": self.sealed_at}
        return {name: at for name, at in instants.items() if at is not None}


class PostgresReader:
    """Reads PostgreSQL as its superuser."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def now(self) -> int:
        """The platform's time (µs)."""
        ((now,),) = self._rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(now)

    def leases(self) -> dict[UUID, int]:
        """The last renewal of each solver's lease (µs), by holder."""
        rows = self._rows("SELECT holder, (extract(epoch FROM renewed_at) * 1000000)::bigint FROM sittings_solverlease")
        return dict(rows)

    def seal(self, sitting: str) -> SealRecord:
        """The record of a sitting's seal."""
        ((buckets, root, *instants),) = self._rows(
            "SELECT buckets, seal_digest, (extract(epoch FROM closed_at) * 1000000)::bigint,"
            " (extract(epoch FROM drained_at) * 1000000)::bigint, (extract(epoch FROM sealed_at) * 1000000)::bigint"
            " FROM sittings_sitting WHERE id = %s",
            sitting,
        )
        return SealRecord(buckets, root, *instants)

    def degrees(self, sitting: str, revision: int) -> list[ObservedDegree]:
        """All degrees of a sitting's revision."""
        rows = self._rows(
            "SELECT d.student_id, d.total::text, d.maximum::text, d.points, d.answered FROM degrees_degree d"
            " JOIN sittings_revision r ON r.id = d.revision_id WHERE r.sitting_id = %s AND r.number = %s",
            sitting,
            revision,
        )
        return [
            ObservedDegree(
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
        """The ids of all students by username."""
        return dict(self._rows("SELECT username, id FROM users_user WHERE kind = 'student'"))

    def _rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()


def read_raw_buckets(session: Session, keyspace: str, sitting: str, buckets: int) -> list[RawBucket]:
    """A sitting's sealed buckets: raw bytes and stored digests."""
    statement = session.prepare(f"SELECT digest, data FROM {keyspace}.sealed WHERE sitting = ? AND bucket = ?")  # noqa: S608
    rows = ((bucket, session.execute(statement, (UUID(sitting), bucket)).one()) for bucket in range(buckets))
    return [RawBucket(bucket, row.digest.hex(), bytes(row.data)) for bucket, row in rows if row is not None]


def read_answer_log(session: Session, keyspace: str, sitting: str, buckets: int) -> dict[LoggedAnswer, UUID]:
    """Every answer of the append-only log, with the lease holder id of the solver that wrote it."""
    statement = session.prepare(
        f"SELECT student, question, seq, received_at, solver FROM {keyspace}.answers"  # noqa: S608
        " WHERE sitting = ? AND bucket = ?"
    )
    return {
        LoggedAnswer(row.student, row.question, row.seq, row.received_at): row.solver
        for bucket in range(buckets)
        for row in session.execute(statement, (UUID(sitting), bucket))
    }
