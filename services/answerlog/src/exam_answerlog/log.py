"""The answer log's interface for solver, web and grader.

`exam_answerlog.cassandra` implements it on Cassandra, `exam_answerlog.testing.memory` in memory for tests; one contract
suite (`tests/contract/answerlog`) runs against both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from exam_core.answers import Answer, Claim, Start, Submission
from exam_core.fold import SealedBucket


class AnswerLogUnavailableError(Exception):
    """The store did not confirm in time. The rows may or may not be written; writing them again is safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of one student or one bucket, without late answers."""

    answers: tuple[Answer, ...]
    starts: tuple[Start, ...]
    submissions: tuple[Submission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPart:
    """A part of the students' half of a paper: the paper itself (``paper``) or an image (its digest)."""

    content_type: str
    data: bytes


class AnswerLog(Protocol):
    """Append-only answers, attempts and submissions; papers; seals.

    Every method raises `AnswerLogUnavailableError` when the store does not confirm in time.
    """

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write answers of one bucket durably (LOCAL_QUORUM); idempotent.

        When it returns all of them are written; when it raises any of them may be.
        """

    async def append_late(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Store late answers where no seal reads them."""

    async def append_start(self, sitting: UUID, bucket: int, start: Start) -> None:
        """Record the start of an attempt."""

    async def claim(self, claim: Claim, *, instead_of: UUID | None = None) -> Claim:
        """Store a claim unless there is one of the student and exam; return the stored one, read serially.

        With `instead_of`, replace the claim that is for that sitting, unless it has changed.
        """

    async def append_submission(self, sitting: UUID, bucket: int, submission: Submission) -> None:
        """Record a submission."""

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """Read one student's rows (LOCAL_QUORUM)."""

    async def read_bucket(self, sitting: UUID, bucket: int) -> Rows:
        """Read all rows of a bucket (LOCAL_QUORUM), for the seal."""

    async def put_paper_part(self, digest: str, part: str, content: PaperPart) -> None:
        """Store a part of a paper; idempotent."""

    async def get_paper_part(self, digest: str, part: str) -> PaperPart | None:
        """Return a part of a paper, or None."""

    async def seal(self, sitting: UUID, bucket: int, sealed: SealedBucket) -> SealedBucket:
        """Write a bucket's seal unless one exists; return the stored one, read serially.

        Raises ValueError when the stored seal was altered.
        """

    async def read_sealed(self, sitting: UUID, bucket: int) -> SealedBucket | None:
        """Return a bucket's seal, or None; raises ValueError when its bytes do not match its digest."""

    async def ping(self) -> None:
        """Return when a quorum of the store responds."""
