"""The fold: reduces all rows of a bucket to the set of answers that counts, and encodes that set as a seal.

Independent of order: the same rows in any order, with any repetitions, give the same bytes. Where a paper draws
questions, the seal states which ones each student got, so that grading and its verification need no seed.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self
from uuid import UUID

from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, Submission
from exam_core.canonical import Json, JsonObject, canonical, digest, digest_of
from exam_core.paper import Paper
from exam_core.shuffle import drawn

FORMAT: Final = 1
FORMAT_OF_DRAWS: Final = 2
"""The format of a bucket with drawn questions; a release that grades every question of the paper refuses it."""
READABLE: Final = (FORMAT, FORMAT_OF_DRAWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedAnswer:
    """The answer to a question that counts."""

    question: int
    seq: int
    answer_id: UUID
    received_at: int
    answer: AnswerValue

    def to_json(self) -> list[Json]:
        """The row that the seal holds."""
        return [
            self.question,
            self.seq,
            str(self.answer_id),
            self.received_at,
            self.answer.choice,
            self.answer.value,
        ]

    @classmethod
    def from_json(cls, row: Sequence[Any]) -> Self:
        """The inverse of `to_json`."""
        question, seq, answer_id, received_at, choice, value = row
        return cls(
            question=question,
            seq=seq,
            answer_id=UUID(answer_id),
            received_at=received_at,
            answer=AnswerValue(choice=choice, value=value),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAttempt:
    """One student's attempt as sealed. Absent students have none; an attempt without answers is a blank one."""

    student: int
    started_at: int | None
    submitted_at: int | None
    answers: tuple[CountedAnswer, ...]
    drawn: tuple[int, ...] | None = None
    """The questions that the student got, in ascending order; None where the paper draws none."""

    def to_json(self) -> dict[str, Json]:
        """The member that the seal holds."""
        body: dict[str, Json] = {
            "student": self.student,
            "started_at": self.started_at,
            "submitted_at": self.submitted_at,
            "answers": [answer.to_json() for answer in self.answers],
        }
        return body if self.drawn is None else body | {"drawn": list(self.drawn)}

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(
            student=body["student"],
            started_at=body["started_at"],
            submitted_at=body["submitted_at"],
            answers=tuple(map(CountedAnswer.from_json, body["answers"])),
            drawn=tuple(body["drawn"]) if "drawn" in body else None,
        )


@dataclass(frozen=True)
class SealedBucket:
    """One bucket of a seal: its canonical bytes, and what can be computed from them."""

    data: bytes

    @classmethod
    def of(cls, *, sitting: UUID, bucket: int, students: tuple[SealedAttempt, ...]) -> Self:
        """Encode the attempts of a bucket; they are kept, so that the bytes need not be parsed again."""
        sealed = cls(
            canonical(
                {
                    "format": FORMAT if all(attempt.drawn is None for attempt in students) else FORMAT_OF_DRAWS,
                    "sitting": str(sitting),
                    "bucket": bucket,
                    "students": [attempt.to_json() for attempt in students],
                }
            )
        )
        vars(sealed)["students"] = students
        return sealed

    @cached_property
    def digest(self) -> str:
        """The digest of the bytes, which graders verify before they use them."""
        return digest(self.data)

    @cached_property
    def students(self) -> tuple[SealedAttempt, ...]:
        """The attempts in the bucket, in the order of the students' ids."""
        content = json.loads(self.data)
        if content["format"] not in READABLE:
            known = " or ".join(map(str, READABLE))
            raise ValueError(f"seal format {content['format']!r} is not {known}: this release cannot read it")
        return tuple(SealedAttempt.from_json(attempt) for attempt in content["students"])

    @cached_property
    def count(self) -> int:
        """The number of answers that count."""
        return sum(len(attempt.answers) for attempt in self.students)


def fold_answers(answers: Iterable[Answer]) -> dict[tuple[int, int], Answer]:
    """Select the answer that counts per (student, question): in time, with the highest (seq, received_at, answer_id).

    The deadline is not derived again: each answer is compared with the deadline it was admitted under.
    """
    counted: dict[tuple[int, int], Answer] = {}
    for answer in answers:
        place = (answer.student, answer.question)
        if answer.in_time and (place not in counted or answer.rank > counted[place].rank):
            counted[place] = answer
    return counted


def latest_start(starts: Iterable[Start]) -> Start | None:
    """Select the start that holds for a student: the latest, ties broken by the solver's id.

    There is more than one only where the write of one had not arrived when another began. Whichever the student was
    shown, one that arrives later can then only give time.
    """
    return max(starts, key=lambda start: (start.started_at, start.solver), default=None)


def seal_bucket(
    *,
    sitting: UUID,
    bucket: int,
    paper: Paper | None,
    answers: Iterable[Answer],
    starts: Iterable[Start],
    submissions: Iterable[Submission],
) -> SealedBucket:
    """Fold one bucket into the form that is written once and graded from.

    The start that holds decides which questions its student got; answers to others do not count. Without a paper, every
    student got all of them.
    """
    started: dict[int, list[Start]] = {}
    for start in starts:
        started.setdefault(start.student, []).append(start)
    submitted: dict[int, int] = {}
    for submission in submissions:
        submitted[submission.student] = min(
            submission.submitted_at, submitted.get(submission.student, submission.submitted_at)
        )
    counted: dict[int, list[CountedAnswer]] = {student: [] for student in (*started, *submitted)}
    for (student, question), answer in sorted(fold_answers(answers).items()):
        counted.setdefault(student, []).append(
            CountedAnswer(
                question=question,
                seq=answer.seq,
                answer_id=answer.answer_id,
                received_at=answer.received_at,
                answer=answer.answer,
            )
        )
    return SealedBucket.of(
        sitting=sitting,
        bucket=bucket,
        students=tuple(
            _sealed(paper, student, latest_start(started.get(student, ())), submitted.get(student), kept)
            for student, kept in sorted(counted.items())
        ),
    )


def _sealed(
    paper: Paper | None, student: int, start: Start | None, submitted_at: int | None, kept: Sequence[CountedAnswer]
) -> SealedAttempt:
    got = None
    if paper is not None and paper.draws:
        # Without a start, what was accepted is all that is known to have been drawn.
        got = drawn(paper, start.seed) if start else tuple(answer.question for answer in kept)
    return SealedAttempt(
        student=student,
        started_at=start.started_at if start else None,
        submitted_at=submitted_at,
        answers=tuple(answer for answer in kept if got is None or answer.question in got),
        drawn=got,
    )


def root_digest(sitting: UUID, bucket_digests: Iterable[str]) -> str:
    """Compute the digest of a whole seal, over its buckets' digests in order; published when the sitting is sealed."""
    return digest_of({"format": FORMAT, "sitting": str(sitting), "buckets": list(bucket_digests)})
