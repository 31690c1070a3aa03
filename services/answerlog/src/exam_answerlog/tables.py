"""The answer log's rows and tables."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from exam_answerlog.log import PaperPart
from exam_answerlog.model import BigInt, Blob, Int, SmallInt, Table, Text, Uuid
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Claim, Start, Submission
from exam_core.fold import SealedBucket


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer; its id is the column `request`. The key identifies the event, so that a repeated write is one row.

    The deadline and the epoch are not part of the key: a solver admits an answer at one instant under one of each.
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
        """Return the row of an answer."""
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
        """Return the answer."""
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
    """The start of an attempt. Two solvers may both record one; the latest start holds when it is read."""

    sitting: Uuid
    bucket: Int
    student: BigInt
    started_at: BigInt
    solver: Uuid
    epoch: BigInt
    seed: BigInt

    @classmethod
    def of(cls, sitting: UUID, bucket: int, start: Start) -> Self:
        """Return the row of a start."""
        return cls(sitting, bucket, start.student, start.started_at, start.solver, start.epoch, start.seed)

    def start(self) -> Start:
        """Return the start."""
        return Start(
            student=self.student,
            started_at=self.started_at,
            solver=self.solver,
            epoch=self.epoch,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """The sitting in which a student takes an exam."""

    exam: BigInt
    student: BigInt
    sitting: Uuid
    claimed_at: BigInt

    @classmethod
    def of(cls, claim: Claim) -> Self:
        """Return the row of a claim."""
        return cls(claim.exam, claim.student, claim.sitting, claim.claimed_at)

    def claim(self) -> Claim:
        """Return the claim."""
        return Claim(exam=self.exam, student=self.student, sitting=self.sitting, claimed_at=self.claimed_at)


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """A submission."""

    sitting: Uuid
    bucket: Int
    student: BigInt
    submitted_at: BigInt
    solver: Uuid
    epoch: BigInt

    @classmethod
    def of(cls, sitting: UUID, bucket: int, submission: Submission) -> Self:
        """Return the row of a submission."""
        return cls(sitting, bucket, submission.student, submission.submitted_at, submission.solver, submission.epoch)

    def submission(self) -> Submission:
        """Return the submission."""
        return Submission(student=self.student, submitted_at=self.submitted_at, solver=self.solver, epoch=self.epoch)


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A part of the students' half of a paper; each part is a partition, because images may be large."""

    digest: Text
    part: Text
    content_type: Text
    data: Blob

    @classmethod
    def of(cls, digest: str, part: str, content: PaperPart) -> Self:
        """Return the row of a part."""
        return cls(digest, part, content.content_type, content.data)

    def content(self) -> PaperPart:
        """Return the part."""
        return PaperPart(content_type=self.content_type, data=self.data)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A bucket's seal. `n`, the number of answers that count, is informational; the digest is what is verified."""

    sitting: Uuid
    bucket: Int
    n: Int
    digest: Blob
    data: Blob

    @classmethod
    def of(cls, sitting: UUID, bucket: int, sealed: SealedBucket) -> Self:
        """Return the row of a seal."""
        return cls(sitting, bucket, sealed.count, bytes.fromhex(sealed.digest), sealed.data)

    def sealed(self) -> SealedBucket:
        """Return the seal; raises ValueError when its bytes do not match its digest."""
        sealed = SealedBucket(self.data)
        if sealed.digest != self.digest.hex():
            raise ValueError(
                f"the seal of sitting {self.sitting}, bucket {self.bucket} was altered: "
                f"its digest is {self.digest.hex()}, but its bytes have {sealed.digest}"
            )
        return sealed


@dataclass(frozen=True, slots=True)
class SchemaVersionRow:
    """An applied migration; `digest` is that of its statements, so that a later change of them is detected."""

    version: Int
    name: Text
    digest: Text


@dataclass(frozen=True, slots=True)
class SchemaLockRow:
    """The lock of a running migration; it expires, so that a killed migration blocks the next one only for a while."""

    name: Text
    holder: Uuid


_BUCKET = ("sitting", "bucket")
_ANSWER_ORDER = ("student", "question", "seq", "request", "received_at", "solver")

ANSWERS = Table("answers", AnswerRow, partition=_BUCKET, clustering=_ANSWER_ORDER)
ANSWERS_LATE = Table("answers_late", AnswerRow, partition=_BUCKET, clustering=_ANSWER_ORDER)
"""For inspection; no seal reads it."""
ATTEMPTS = Table("attempts", AttemptRow, partition=_BUCKET, clustering=("student", "started_at", "solver"))
SUBMISSIONS = Table("submissions", SubmissionRow, partition=_BUCKET, clustering=("student", "submitted_at", "solver"))
PAPERS = Table("papers", PaperRow, partition=("digest", "part"))
SEALED = Table("sealed", SealedRow, partition=_BUCKET)
"""Written by LWT only, so that concurrent sealers agree on one set of answers."""
SCHEMA_VERSION = Table("schema_version", SchemaVersionRow, partition=("version",))
SCHEMA_LOCK = Table("schema_lock", SchemaLockRow, partition=("name",))

CLAIMS = Table("attempt_claims", ClaimRow, partition=("exam", "student"))
"""Written by LWT only, so that of two starts in two sittings one succeeds."""

FIRST_TABLES: tuple[Table[Any], ...] = (ANSWERS, ANSWERS_LATE, ATTEMPTS, SUBMISSIONS, PAPERS, SEALED)
"""Those of the first migration."""
TABLES: tuple[Table[Any], ...] = (*FIRST_TABLES, CLAIMS)
BOOKKEEPING: tuple[Table[Any], ...] = (SCHEMA_VERSION, SCHEMA_LOCK)
"""Tables that migrations need before the first of them runs."""
