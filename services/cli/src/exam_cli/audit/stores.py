"""Reads a sitting from PostgreSQL and Cassandra."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.settings import CassandraSettings
from exam_cli.audit.records import BucketRecord, ChunkRecord, RevisionRecord, SittingRecord, StoredBucket
from exam_core.commitments import DegreeContent
from exam_core.instants import to_micros
from exam_core.numbers import decimal_text

Connection = psycopg.Connection[DictRow]


class NotSealedError(Exception):
    """There is no such sitting, or it is not sealed."""


def read_sitting(database: str, name: str) -> Mapping[str, Any]:
    """Read everything that PostgreSQL holds of a sealed sitting, in one snapshot, as the members of `SittingRecord`.

    Raises:
        NotSealedError: there is no such sitting, or it is not sealed.
        psycopg.Error: the database does not respond.
    """
    with psycopg.connect(database, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        row = connection.execute(
            "SELECT * FROM sittings_sitting WHERE name = %(name)s OR id::text = %(name)s", {"name": name}
        ).fetchone()
        if row is None or row["sealed_at"] is None:
            raise NotSealedError(f"sitting {name!r} not found" if row is None else f"sitting {name!r} is not sealed")
        keys = connection.execute("SELECT digest, body FROM sittings_paperkey WHERE paper_id = %s", [row["paper_id"]])
        return {
            "id": row["id"],
            "name": row["name"],
            "paper": row["paper_id"],
            "paper_body": _paper(connection, row["paper_id"]),
            "key": row["key_id"],
            "keys": {key["digest"]: bytes(key["body"]) for key in keys},
            "buckets": row["buckets"],
            "closed_at": to_micros(row["closed_at"]),
            "drained_at": to_micros(row["drained_at"]),
            "sealed_at": to_micros(row["sealed_at"]),
            "seal": row["seal_digest"],
            "secret": bytes(row["proof_secret"]),
            "records": _buckets(connection, row["id"]),
            "revisions": _revisions(connection, row["id"]),
            "students": frozenset(user["id"] for user in connection.execute("SELECT id FROM users_user")),
        }


async def read_stored(settings: CassandraSettings, sitting: UUID, buckets: int) -> tuple[StoredBucket, ...]:
    """Read every bucket's rows and seal from Cassandra; raises as `exam_answerlog.log.AnswerLog`."""
    answers = CassandraAnswerLog.connect(settings)
    try:
        return tuple([await _stored(answers, sitting, bucket) for bucket in range(buckets)])
    finally:
        await answers.close()


def record_of(rows: Mapping[str, Any], stored: tuple[StoredBucket, ...]) -> SittingRecord:
    """Combine what both stores hold."""
    return SittingRecord(**rows, stored=stored)


async def _stored(log: CassandraAnswerLog, sitting: UUID, bucket: int) -> StoredBucket:
    rows = await log.read_bucket(sitting, bucket)
    try:
        sealed = await log.read_sealed(sitting, bucket)
        seal = None if sealed is None else sealed.data
    except ValueError:
        # The bytes do not match the digest beside them: the audit reports a seal that is not intact.
        seal = None
    return StoredBucket(answers=rows.answers, starts=rows.starts, submissions=rows.submissions, seal=seal)


def _paper(connection: Connection, digest: str) -> bytes:
    (row,) = connection.execute("SELECT body FROM sittings_paper WHERE digest = %s", [digest])
    return bytes(row["body"])


def _buckets(connection: Connection, sitting: UUID) -> tuple[BucketRecord, ...]:
    rows = connection.execute(
        "SELECT bucket, answers, students, digest, tree_root FROM sittings_sealedbucket"
        " WHERE sitting_id = %s ORDER BY bucket",
        [sitting],
    )
    return tuple(BucketRecord(**row) for row in rows)


def _revisions(connection: Connection, sitting: UUID) -> tuple[RevisionRecord, ...]:
    rows = connection.execute(
        "SELECT id, number, key_id, policy, policy_digest, chunks, finished_at FROM sittings_revision"
        " WHERE sitting_id = %s ORDER BY number",
        [sitting],
    ).fetchall()
    return tuple(
        RevisionRecord(
            number=row["number"],
            key=row["key_id"],
            policy=row["policy"],
            policy_digest=row["policy_digest"],
            chunks=row["chunks"],
            finished_at=_micros(row["finished_at"]),
            ledger=_ledger(connection, row["id"]),
            degrees=_degrees(connection, row["id"]),
        )
        for row in rows
    )


def _ledger(connection: Connection, revision: int) -> tuple[ChunkRecord, ...]:
    rows = connection.execute(
        "SELECT chunk, degrees, tree_root FROM sittings_ledgerentry WHERE revision_id = %s ORDER BY chunk", [revision]
    )
    return tuple(ChunkRecord(**row) for row in rows)


def _degrees(connection: Connection, revision: int) -> tuple[DegreeContent, ...]:
    rows = connection.execute(
        "SELECT student_id, total, maximum, answered, points FROM degrees_degree"
        " WHERE revision_id = %s ORDER BY student_id",
        [revision],
    )
    return tuple(
        DegreeContent(
            student=row["student_id"],
            total=decimal_text(row["total"]),
            maximum=decimal_text(row["maximum"]),
            answered=row["answered"],
            points=tuple(row["points"]),
        )
        for row in rows
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
