"""Buckets of students."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.buckets import ROWS_PER_BUCKET, bucket_of, buckets_for
from exam_core.paper import MAX_QUESTIONS


@pytest.mark.parametrize(
    ("student", "of_7", "of_64"), [(1, 3, 16), (2, 4, 13), (3, 6, 45), (17, 1, 53), (2**53 - 1, 2, 46)]
)
def test_a_students_bucket_is_the_same_in_every_release(student: int, of_7: int, of_64: int) -> None:
    """Answers written by an earlier release are found by this one."""
    assert (bucket_of(student, 7), bucket_of(student, 64)) == (of_7, of_64)


@given(st.integers(0, 2**63 - 1), st.integers(1, 5_000))
def test_every_student_has_a_bucket(student: int, buckets: int) -> None:
    """Every student's bucket is one of the sitting's."""
    assert 0 <= bucket_of(student, buckets) < buckets


@pytest.mark.parametrize("first", [1, 1_000_000])
def test_students_spread_evenly(first: int) -> None:
    """Students with consecutive ids spread over the buckets."""
    students_per_bucket = Counter(bucket_of(student, 16) for student in range(first, first + 8_000))
    assert len(students_per_bucket) == 16
    assert all(400 <= students <= 600 for students in students_per_bucket.values())


@pytest.mark.parametrize("questions", [1, 8, 20, 60, 200, MAX_QUESTIONS])
@pytest.mark.parametrize("candidates", [1, 30, 2_000, 6_000])
def test_buckets_stay_below_the_limit_of_rows(candidates: int, questions: int) -> None:
    """A partition stays within its size, for any paper and despite uneven hashing."""
    buckets = buckets_for(candidates=candidates, questions=questions)
    students_per_bucket = Counter(bucket_of(student, buckets) for student in range(candidates))
    rows = max(students_per_bucket.values()) * questions * 4
    # A few students above the average matter where a student has thousands of rows.
    assert rows <= max(ROWS_PER_BUCKET, 6 * questions * 4)


def test_few_answers_need_one_bucket() -> None:
    """A small sitting has one bucket, also when no candidates are expected."""
    assert buckets_for(candidates=30, questions=20) == 1
    assert buckets_for(candidates=0, questions=0) == 1
    assert buckets_for(candidates=2_000, questions=20) == 32
