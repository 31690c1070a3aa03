"""Which bucket of a sitting a student's answers live in."""

import hashlib
from math import ceil, sqrt

ROWS_PER_BUCKET = 10_000
"""A Cassandra partition stays below this many rows."""


def bucket_of(student: int, buckets: int) -> int:
    """The bucket (0 … buckets-1) of a student; the same in every process and release."""
    return int.from_bytes(hashlib.sha256(b"exam-bucket\0%d" % student).digest()[:8]) % buckets


def buckets_for(*, candidates: int, questions: int, changes: int = 4) -> int:
    """How many buckets keep each under `ROWS_PER_BUCKET` rows.

    Args:
        candidates: how many students may sit.
        questions: how many questions the paper has.
        changes: how many rows an answer takes on average, changes of mind and retries included.
    """
    students, rows = max(1, candidates), max(1, questions) * changes
    # Half full on average leaves room for more students or changes than foreseen.
    half_full = -(-students * rows // (ROWS_PER_BUCKET // 2))
    # Hashing puts n ± √n students into a bucket, which matters where a bucket holds few: n + 4√n of them have room.
    room = ROWS_PER_BUCKET / rows
    uneven = ceil(students / (sqrt(room + 4) - 2) ** 2)
    return max(1, half_full, uneven)
