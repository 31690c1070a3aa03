"""What the answer log keeps, as typed rows, and the tables that keep them."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from exam_answerlog.log import PaperPart
from exam_answerlog.model import BigInt, Blob, Int, SmallInt, Table, Text, Uuid
from exam_core.answers import Answer, AnswerValue, Start, Submission
from exam_core.fold import SealedBucket


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer. Its key holds all that makes it this event, so that the same write twice is one row.

    The deadline and the epoch are not in it: one solver takes one request at one instant under one of each.
    """

    sitting: Uuid
    bucket: Int
    student: BigInt
    question: SmallInt
    seq: BigInt
    request: Uuid
    received_at: BigInt
    solver: Uuid
    deadline_at: BigInt
    choice: BigInt | None
    value: Text | None
    epoch: BigInt

    @classmethod
    def of(cls, sitting: UUID, bucket: int, answer: Answer) -> Self:
        """The row that records an answer."""
        return cls(
            sitting,
            bucket,
            answer.student,
            answer.question,
            answer.seq,
            answer.answer_id,
            answer.received_at,
            answer.solver,
            answer.deadline_at,
            answer.answer.choice,
            answer.answer.value,
            answer.epoch,
        )

    def answer(self) -> Answer:
        """The answer that the row records."""
        return Answer(
            student=self.student,
            question=self.question,
            seq=self.seq,
            answer_id=self.request,
            received_at=self.received_at,
            deadline_at=self.deadline_at,
            solver=self.solver,
            epoch=self.epoch,
            answer=AnswerValue(choice=self.choice, value=self.value),
        )


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A student began. Two solvers may both record it; the earliest start wins when it is read."""

    sitting: Uuid
    bucket: Int
    student: BigInt
    started_at: BigInt
    solver: Uuid
    epoch: BigInt
    seed: BigInt

    @classmethod
    def of(cls, sitting: UUID, bucket: int, start: Start) -> Self:
        """The row that records a start."""
        return cls(sitting, bucket, start.student, start.started_at, start.solver, start.epoch, start.seed)

    def start(self) -> Start:
        """The start that the row records."""
        return Start(
            student=self.student,
            started_at=self.started_at,
            solver=self.solver,
            epoch=self.epoch,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """A student said that they are done."""

    sitting: Uuid
    bucket: Int
    student: BigInt
    submitted_at: BigInt
    solver: Uuid
    epoch: BigInt

    @classmethod
    def of(cls, sitting: UUID, bucket: int, submission: Submission) -> Self:
        """The row that records a submission."""
        return cls(sitting, bucket, submission.student, submission.submitted_at, submission.solver, submission.epoch)

    def submission(self) -> Submission:
        """The submission that the row records."""
        return Submission(student=self.student, submitted_at=self.submitted_at, solver=self.solver, epoch=self.epoch)


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A part of the students' half of a paper; each part a partition of its own, for images may be large."""

    digest: Text
    part: Text
    content_type: Text
    data: Blob

    @classmethod
    def of(cls, digest: str, part: str, content: PaperPart) -> Self:
        """The row that holds a part."""
        return cls(digest, part, content.content_type, content.data)

    def content(self) -> PaperPart:
        """The part that the row holds."""
        return PaperPart(content_type=self.content_type, data=self.data)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A bucket's seal. `n`, how many answers count, is for people who look; what is trusted is checked by digest."""

    sitting: Uuid
    bucket: Int
    n: Int
    digest: Blob
    data: Blob

    @classmethod
    def of(cls, sitting: UUID, bucket: int, sealed: SealedBucket) -> Self:
        """The row that holds a seal."""
        return cls(sitting, bucket, sealed.count, bytes.fromhex(sealed.digest), sealed.data)

    def sealed(self) -> SealedBucket:
        """The seal that the row holds; ValueError when its bytes are not those that were sealed."""
        sealed = SealedBucket(self.data)
        if sealed.digest != self.digest.hex():
            raise ValueError(
                f"the seal of sitting {self.sitting}, bucket {self.bucket} was altered: "
                f"its digest is {self.digest.hex()}, but its bytes have {sealed.digest}"
            )
        return sealed


@dataclass(frozen=True, slots=True)
class SchemaVersionRow:
    """A migration that was applied; `digest` is of its statements, so that history cannot be rewritten unseen."""

    version: Int
    name: Text
    digest: Text


@dataclass(frozen=True, slots=True)
class SchemaLockRow:
    """Who is migrating; the row expires, so that a migration that was killed blocks the next one only for a while."""

    name: Text
    holder: Uuid


_BUCKET = ("sitting", "bucket")
_ANSWER_ORDER = ("student", "question", "seq", "request", "received_at", "solver")

ANSWERS = Table("answers", AnswerRow, partition=_BUCKET, clustering=_ANSWER_ORDER)
ANSWERS_LATE = Table("answers_late", AnswerRow, partition=_BUCKET, clustering=_ANSWER_ORDER)
"""Kept for people to look into; no seal reads it."""
ATTEMPTS = Table("attempts", AttemptRow, partition=_BUCKET, clustering=("student", "started_at", "solver"))
SUBMISSIONS = Table("submissions", SubmissionRow, partition=_BUCKET, clustering=("student", "submitted_at", "solver"))
PAPERS = Table("papers", PaperRow, partition=("digest", "part"))
SEALED = Table("sealed", SealedRow, partition=_BUCKET)
"""Written by LWT only, so that one set of answers counts whoever seals."""
SCHEMA_VERSION = Table("schema_version", SchemaVersionRow, partition=("version",))
SCHEMA_LOCK = Table("schema_lock", SchemaLockRow, partition=("name",))

TABLES: tuple[Table[Any], ...] = (ANSWERS, ANSWERS_LATE, ATTEMPTS, SUBMISSIONS, PAPERS, SEALED)
BOOKKEEPING: tuple[Table[Any], ...] = (SCHEMA_VERSION, SCHEMA_LOCK)
"""What migrations need to exist before the first of them runs."""
