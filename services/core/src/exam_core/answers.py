"""Answers: validate what a client sends against the paper, and the events that record it.

Every event is append-only. `answer_id` is derived from an answer's content, so that a retry has the same id
whichever solver takes it, and another body is another answer.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from exam_core.answer_value import AnswerValue
from exam_core.canonical import canonical
from exam_core.messages import shown
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.wire import members_of

MAX_SEQ = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """States in which sitting a student takes an exam; there is one of a student and exam."""

    exam: int
    student: int
    sitting: UUID
    claimed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The start of a student's attempt; the latest start in a sitting holds."""

    student: int
    started_at: int
    solver: UUID
    epoch: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An append-only answer as admitted by a solver process.

    `received_at` and `deadline_at` are instants (µs): the time of admission and the personal deadline that applied.
    `solver` is the holder of the lease at admission, `epoch` the highest epoch that the holder had read.
    """

    student: int
    question: int
    seq: int
    answer_id: UUID
    received_at: int
    deadline_at: int
    solver: UUID
    epoch: int
    answer: AnswerValue

    @property
    def in_time(self) -> bool:
        """Whether it was received by the deadline that it was admitted under."""
        return self.received_at <= self.deadline_at

    @property
    def rank(self) -> tuple[int, int, UUID]:
        """The order among answers to one question: the highest one counts."""
        return (self.seq, self.received_at, self.answer_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A student's declaration that they have finished; further answers are still accepted."""

    student: int
    submitted_at: int
    solver: UUID
    epoch: int


def answer_id_of(*, sitting: UUID, student: int, question: int, seq: int, answer: AnswerValue) -> UUID:
    """Derive an answer's id from its content, so that every retry has the same id."""
    # The canonical form of [sitting, student, question, seq, answer]; the answer's own form is reused.
    content = canonical([str(sitting), student, question, seq])[:-1] + b"," + answer.canonical + b"]"
    name = bytearray(hashlib.sha256(b"exam-request\0" + content).digest()[:16])
    # RFC 9562's version 8 (a name of one's own making), which Python 3.11 cannot set itself.
    name[6] = 0x80 | name[6] & 0x0F
    name[8] = 0x80 | name[8] & 0x3F
    return UUID(bytes=bytes(name))


def parse_seq(body: Mapping[str, Any]) -> int:
    """Parse the sequence number, from 1, which the device increments with each changed answer.

    Raises:
        Problem: INVALID; MALFORMED when the body is not a JSON object.
    """
    seq = members_of(body).get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= MAX_SEQ:
        raise Problem(ProblemKind.INVALID, f"seq must be a whole number from 1 to {MAX_SEQ}, not {shown(seq)}")
    return seq


def parse_answer(
    paper: Paper, question: int, body: Mapping[str, Any], *, drawn: Collection[int] | None = None
) -> AnswerValue:
    """Validate what a client sent for a question, in the form of its kind, like ``{"choices": [...]}``.

    An empty list or object and a null value are a blank answer. Every JSON value gives an answer or a Problem.

    Args:
        paper: the paper.
        question: the question's number.
        body: what the client sent.
        drawn: the questions that the student got, None for all.

    Raises:
        Problem: UNKNOWN_QUESTION, UNKNOWN_CHOICE, TOO_MANY_CHOICES, BAD_NUMBER, WRONG_ANSWER_KIND, INVALID, or
            MALFORMED when the body is not a JSON object.
    """
    body = members_of(body)
    if not 0 <= question < len(paper.questions):
        raise Problem(
            ProblemKind.UNKNOWN_QUESTION,
            f"question {shown(question)} is not in this paper: it has questions 0 to {len(paper.questions) - 1}",
        )
    if drawn is not None and question not in drawn:
        raise Problem(ProblemKind.UNKNOWN_QUESTION, f"question {question} was not drawn for this attempt")
    return paper.questions[question].half.parse(question, body)
