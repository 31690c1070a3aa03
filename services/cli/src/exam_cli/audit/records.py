"""What the stores hold of a sitting, as read by an auditor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from exam_core.answers import Answer, Start, Submission
from exam_core.commitments import DegreeContent


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRecord:
    """The record of a sealed bucket in PostgreSQL."""

    bucket: int
    answers: int
    students: int
    digest: str
    tree_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBucket:
    """A bucket in Cassandra: the rows of the answer log, and the bytes of the seal (None if none are intact)."""

    answers: Sequence[Answer]
    starts: Sequence[Start]
    submissions: Sequence[Submission]
    seal: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRecord:
    """A ledger entry in PostgreSQL."""

    chunk: int
    degrees: int
    tree_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRecord:
    """A revision in PostgreSQL with its ledger and degrees; instants in µs."""

    number: int
    key: str
    policy: Mapping[str, Any]
    policy_digest: str
    chunks: int
    finished_at: int | None
    ledger: Sequence[ChunkRecord]
    degrees: Sequence[DegreeContent]


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingRecord:
    """A sealed sitting; instants in µs, keys by their recorded digests."""

    id: UUID
    name: str
    paper: str
    paper_body: bytes
    key: str
    keys: Mapping[str, bytes]
    buckets: int
    closed_at: int
    drained_at: int
    sealed_at: int
    seal: str
    secret: bytes
    records: Sequence[BucketRecord]
    stored: Sequence[StoredBucket]
    revisions: Sequence[RevisionRecord]
    students: frozenset[int]
    """All students who have an account: one who was deleted before the grading has no degree."""
