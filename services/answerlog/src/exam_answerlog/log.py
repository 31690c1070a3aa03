"""The answer log's interface for solver, web and grader.

`exam_answerlog.cassandra` implements it on Cassandra, `exam_answerlog.testing.memory` in memory for tests; one contract
suite (`tests/contract/answerlog`) runs against both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from exam_core.answers import Answer, Start, Submission
from exam_core.fold import SealedBucket


class AnswerLogUnavailableError(Exception):
    """The store did not confirm in time. What was written may or may not be there; writing again is safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Everything the log holds of one student or one bucket; late answers are never among them."""

    answers: tuple[Answer, ...]
    starts: tuple[Start, ...]
    submissions: tuple[Submission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPart:
    """A part of the students' half of a paper: ``paper`` or an image's digest."""

    content_type: str
    data: bytes


class AnswerLog(Protocol):
    """Append-only answers, attempts and submissions; papers; seals.

    Every method raises `AnswerLogUnavailableError` when the store does not confirm in time.
    """

    async def append_answers(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Write answers of one bucket durably (LOCAL_QUORUM); idempotent.

        All of them are written when it returns; when it raises, any of them may be.
        """

    async def append_late(self, sitting: UUID, bucket: int, answers: Sequence[Answer]) -> None:
        """Keep answers that came too late, where no seal reads."""

    async def append_start(self, sitting: UUID, bucket: int, start: Start) -> None:
        """Record that a student began."""

    async def append_submission(self, sitting: UUID, bucket: int, submission: Submission) -> None:
        """Record that a student said they are done."""

    async def read_student(self, sitting: UUID, bucket: int, student: int) -> Rows:
        """What one student did (LOCAL_QUORUM)."""

    async def read_bucket(self, sitting: UUID, bucket: int) -> Rows:
        """What everyone in a bucket did (LOCAL_QUORUM), for the seal."""

    async def put_paper_part(self, digest: str, part: str, content: PaperPart) -> None:
        """Store a part of a paper; idempotent."""

    async def get_paper_part(self, digest: str, part: str) -> PaperPart | None:
        """A part of a paper, or None."""

    async def seal(self, sitting: UUID, bucket: int, sealed: SealedBucket) -> SealedBucket:
        """Write a bucket's seal unless there is one; return the one that holds, as read serially.

        Raises ValueError when the one that holds was altered.
        """

    async def read_sealed(self, sitting: UUID, bucket: int) -> SealedBucket | None:
        """A bucket's seal, or None; raises ValueError when bytes and stored digest disagree."""

    async def ping(self) -> None:
        """Return when the store, as a quorum, answers."""
