"""Buckets: the partitions of a sitting's answers, each holding some of its students."""

import hashlib
from math import ceil, sqrt

ROWS_PER_BUCKET = 10_000
"""A Cassandra partition stays below this many rows."""


def bucket_of(student: int, buckets: int) -> int:
    """Return the bucket (0 … buckets-1) of a student; the same in every process and release."""
    return int.from_bytes(hashlib.sha256(b"exam-bucket\0%d" % student).digest()[:8]) % buckets


def buckets_for(*, candidates: int, questions: int, changes: int = 4) -> int:
    """Return the number of buckets that keeps each below `ROWS_PER_BUCKET` rows.

    Args:
        candidates: the number of students who may attend.
        questions: the size of the paper, in which an essay counts for several questions (`exam_core.paper.Paper.size`).
        changes: the average number of rows per answer, with changed answers and retries.
    """
    students, rows = max(1, candidates), max(1, questions) * changes
    # Half full on average leaves capacity for more students or changes than estimated.
    half_full = -(-students * rows // (ROWS_PER_BUCKET // 2))
    # Hashing puts n ± √n students into a bucket, which matters when buckets hold few: reserve space for n + 4√n.
    capacity = ROWS_PER_BUCKET / rows
    uneven = ceil(students / (sqrt(capacity + 4) - 2) ** 2)
    return max(1, half_full, uneven)
