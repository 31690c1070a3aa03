"""Writing degrees."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction

from exam_core.commitments import DegreeContent, degree_member
from exam_core.inclusion import BucketRoot
from exam_core.numbers import decimal_text
from exam_web.sittings.models import LedgerEntry, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreeRow:
    """One student's result as the grader computed it; `points` has a decimal string or None per question."""

    student: int
    total: Decimal
    maximum: Decimal
    points: Sequence[str | None]
    answered: int
    started_at: datetime | None
    submitted_at: datetime | None

    def content(self) -> DegreeContent:
        """What a proof shows of it."""
        return DegreeContent(
            student=self.student,
            total=decimal_text(self.total),
            maximum=decimal_text(self.maximum),
            answered=self.answered,
            points=tuple(self.points),
        )


def chunk_record(*, revision: Revision, chunk: int, degrees: Sequence[DegreeRow]) -> bool:
    """Record a graded chunk: its ledger row and its degrees in one transaction; False if the ledger has it.

    The ledger row is inserted first: of two graders of one chunk, the second blocks there until the first commits.
    """
    with transaction.atomic():
        entry = LedgerEntry(revision=revision, chunk=chunk, degrees=len(degrees))
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO sittings_ledgerentry (revision_id, chunk, degrees, graded_at)"
                " VALUES (%s, %s, %s, clock_timestamp()) ON CONFLICT DO NOTHING",
                [entry.revision_id, entry.chunk, entry.degrees],
            )
            if cursor.rowcount == 0:
                return False
            cursor.execute(
                "CREATE TEMPORARY TABLE graded (student_id bigint, total numeric, maximum numeric, points jsonb,"
                " answered int, started_at timestamptz, submitted_at timestamptz) ON COMMIT DROP"
            )
            with cursor.copy("COPY graded FROM STDIN") as copy:
                for row in degrees:
                    copy.write_row(
                        (
                            row.student,
                            row.total,
                            row.maximum,
                            json.dumps(row.points),
                            row.answered,
                            row.started_at,
                            row.submitted_at,
                        )
                    )
            cursor.execute(
                "INSERT INTO degrees_degree (revision_id, student_id, total, maximum, points, answered, started_at,"
                " submitted_at, graded_at)"
                " SELECT %s, student_id, total, maximum, points, answered, started_at, submitted_at, clock_timestamp()"
                # The join drops students who were deleted since, who would fail the foreign key of the whole chunk.
                " FROM graded JOIN users_user ON users_user.id = student_id ORDER BY student_id"
                " ON CONFLICT (revision_id, student_id) DO UPDATE SET total = excluded.total,"
                " maximum = excluded.maximum, points = excluded.points, answered = excluded.answered,"
                " started_at = excluded.started_at, submitted_at = excluded.submitted_at,"
                " graded_at = excluded.graded_at RETURNING student_id",
                [revision.pk],
            )
            recorded = {student for (student,) in cursor.fetchall()}
            # What is stated about the revision is what was recorded, without students who were deleted.
            root = _tree_root(revision, chunk, [row for row in degrees if row.student in recorded])
            cursor.execute(
                "UPDATE sittings_ledgerentry SET degrees = %s, tree_root = %s WHERE revision_id = %s AND chunk = %s",
                [root.students, root.root, revision.pk, chunk],
            )
    return True


def _tree_root(revision: Revision, chunk: int, degrees: Sequence[DegreeRow]) -> BucketRoot:
    secret = bytes(revision.sitting.proof_secret)
    contents = (row.content() for row in sorted(degrees, key=lambda row: row.student))
    return BucketRoot.of(
        chunk, [degree_member(secret, revision.sitting_id, revision.number, content) for content in contents]
    )
