"""The fold: from everything a bucket holds to the set of answers that counts, and its sealed form.

Order-independent: any order of the same rows, with any repeats, gives the same bytes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from exam_core.answers import Answer, AnswerValue, Start, Submission
from exam_core.canonical import Json, canonical, digest, digest_of

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedAnswer:
    """The one answer to a question that counts."""

    question: int
    seq: int
    answer_id: UUID
    received_at: int
    answer: AnswerValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Sat:
    """What one student did in a sitting: absent students have none, blank ones have no answers."""

    student: int
    started_at: int | None
    submitted_at: int | None
    answers: tuple[CountedAnswer, ...]


@dataclass(frozen=True)
class SealedBucket:
    """One bucket of a seal: its canonical bytes, the number of counted answers and the bytes' digest."""

    data: bytes

    @cached_property
    def digest(self) -> str:
        """What graders check before they trust the bytes."""
        return digest(self.data)

    @cached_property
    def students(self) -> tuple[Sat, ...]:
        """Everyone who sat, by id."""
        content = json.loads(self.data)
        if content["format"] != FORMAT:
            raise ValueError(f"seal format {content['format']!r} is not {FORMAT}: this release cannot read it")
        return tuple(_sat_from_json(sat) for sat in content["students"])

    @cached_property
    def count(self) -> int:
        """How many answers count."""
        return sum(len(sat.answers) for sat in self.students)


def fold_answers(answers: Iterable[Answer]) -> dict[tuple[int, int], Answer]:
    """Per (student, question) the answer that counts: in time, and the highest (seq, received_at, answer_id).

    The deadline is never derived again: each answer is judged by the one it was admitted under.
    """
    counted: dict[tuple[int, int], Answer] = {}
    for answer in answers:
        place = (answer.student, answer.question)
        if answer.in_time and (place not in counted or answer.rank > counted[place].rank):
            counted[place] = answer
    return counted


def earliest_start(starts: Iterable[Start]) -> Start | None:
    """The start that holds for a student: the earliest, ties broken by the solver's id."""
    return min(starts, key=lambda start: (start.started_at, start.solver), default=None)


def seal_bucket(
    *, sitting: UUID, bucket: int, answers: Iterable[Answer], starts: Iterable[Start], submissions: Iterable[Submission]
) -> SealedBucket:
    """Fold one bucket into the form that is written once and graded from."""
    counted = fold_answers(answers)
    started: dict[int, int] = {}
    for start in starts:
        started[start.student] = min(start.started_at, started.get(start.student, start.started_at))
    submitted: dict[int, int] = {}
    for submission in submissions:
        submitted[submission.student] = min(
            submission.submitted_at, submitted.get(submission.student, submission.submitted_at)
        )
    by_student: dict[int, list[Json]] = {student: [] for student in (*started, *submitted)}
    for (student, question), answer in sorted(counted.items()):
        by_student.setdefault(student, []).append(
            [
                question,
                answer.seq,
                str(answer.answer_id),
                answer.received_at,
                answer.answer.choice,
                answer.answer.value,
            ]
        )
    return SealedBucket(
        canonical(
            {
                "format": FORMAT,
                "sitting": str(sitting),
                "bucket": bucket,
                "students": [
                    {
                        "student": student,
                        "started_at": started.get(student),
                        "submitted_at": submitted.get(student),
                        "answers": kept,
                    }
                    for student, kept in sorted(by_student.items())
                ],
            }
        )
    )


def root_digest(sitting: UUID, bucket_digests: Iterable[str]) -> str:
    """The digest of a whole seal: of its buckets' digests in order; published when the sitting is sealed."""
    return digest_of({"format": FORMAT, "sitting": str(sitting), "buckets": list(bucket_digests)})


def _sat_from_json(body: Mapping[str, Any]) -> Sat:
    return Sat(
        student=body["student"],
        started_at=body["started_at"],
        submitted_at=body["submitted_at"],
        answers=tuple(
            CountedAnswer(
                question=question,
                seq=seq,
                answer_id=UUID(answer_id),
                received_at=received_at,
                answer=AnswerValue(choice=choice, value=value),
            )
            for question, seq, answer_id, received_at, choice, value in body["answers"]
        ),
    )
