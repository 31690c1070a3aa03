"""Answers: validate what a client sends against the paper, and the events that record it.

Every event is append-only. `answer_id` is derived from an answer's content, so that a retry has the same id
whichever solver takes it, and another body is another answer.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from exam_core.canonical import Json, canonical, digest
from exam_core.messages import shown
from exam_core.numbers import NotANumberError, decimal_text, parse_decimal
from exam_core.paper import Paper, Question, QuestionKind, mask_of, numbers_of
from exam_core.problems import Problem, ProblemKind

MAX_SEQ = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""
MAX_NUMBER_TEXT = 64


@dataclass(frozen=True)
class AnswerValue:
    """The content of an answer: either a mask of choices or the text of a number.

    A blank answer, with which a student withdraws an earlier one, is mask 0 or an empty text.
    """

    choice: int | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        if (self.choice is None) == (self.value is None):
            raise ValueError("an answer is either choices or a number")

    @property
    def blank(self) -> bool:
        """Whether the answer withdraws an earlier one."""
        return not self.choice and not self.value

    def to_json(self) -> dict[str, Json]:
        """Return the members that a client sends and receives."""
        if self.choice is not None:
            return {"choices": list(numbers_of(self.choice))}
        return {"value": self.value or None}

    @cached_property
    def canonical(self) -> bytes:
        """The canonical form of `to_json`, computed once: the answer's id and its receipt are both derived from it."""
        return canonical(self.to_json())

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical form, which a receipt carries."""
        return digest(self.canonical)


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
    seq = _members(body).get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq <= MAX_SEQ:
        raise Problem(ProblemKind.INVALID, f"seq must be a whole number from 1 to {MAX_SEQ}, not {shown(seq)}")
    return seq


def parse_answer(paper: Paper, question: int, body: Mapping[str, Any]) -> AnswerValue:
    """Validate what a client sent for a question: ``{"choices": [...]}`` or ``{"value": "3.14"}``.

    An empty list or a null value is a blank answer. Every JSON value gives an answer or a Problem.

    Raises:
        Problem: UNKNOWN_QUESTION, UNKNOWN_CHOICE, TOO_MANY_CHOICES, BAD_NUMBER, WRONG_ANSWER_KIND, INVALID, or
            MALFORMED when the body is not a JSON object.
    """
    body = _members(body)
    if not 0 <= question < len(paper.questions):
        raise Problem(
            ProblemKind.UNKNOWN_QUESTION,
            f"question {shown(question)} is not in this paper: it has questions 0 to {len(paper.questions) - 1}",
        )
    target = paper.questions[question]
    expected = "value" if target.kind is QuestionKind.NUMERIC else "choices"
    other = "choices" if expected == "value" else "value"
    if expected not in body or other in body:
        raise Problem(
            ProblemKind.WRONG_ANSWER_KIND,
            f"question {question} is {target.kind.value}: send {expected!r} and not {other!r}",
            question=question,
        )
    if target.kind is QuestionKind.NUMERIC:
        return AnswerValue(value=_parse_number(question, body["value"]))
    return AnswerValue(choice=_parse_choices(question, target, body["choices"]))


def _parse_choices(number: int, target: Question, chosen: object) -> int:
    if not isinstance(chosen, list) or not all(isinstance(c, int) and not isinstance(c, bool) for c in chosen):
        raise Problem(ProblemKind.INVALID, f"question {number}: choices must be a list of choice numbers")
    if unknown := [c for c in chosen if not 0 <= c < target.choices]:
        raise Problem(
            ProblemKind.UNKNOWN_CHOICE,
            f"question {number} has choices 0 to {target.choices - 1}, not {shown(unknown[0])}",
            question=number,
        )
    if len(set(chosen)) != len(chosen):
        raise Problem(ProblemKind.INVALID, f"question {number}: a choice is given twice", question=number)
    if len(chosen) > target.max_choices:
        raise Problem(
            ProblemKind.TOO_MANY_CHOICES,
            f"question {number} takes at most {target.max_choices} choice(s), not {len(chosen)}",
            question=number,
        )
    return mask_of(chosen)


def _parse_number(number: int, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad_number(number, 'send numbers as text, like "3.14", so that no digit is lost')
    if not value.strip():
        raise _bad_number(number, "the number is empty; send null to withdraw the answer")
    if len(value) > MAX_NUMBER_TEXT:
        raise _bad_number(number, f"the number is longer than {MAX_NUMBER_TEXT} characters")
    try:
        parsed = parse_decimal(value)
    except NotANumberError as error:
        raise _bad_number(number, str(error)) from error
    return decimal_text(parsed)


def _members(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise Problem(ProblemKind.MALFORMED, f"an answer must be a JSON object, not {shown(body)}")
    return body


def _bad_number(question: int, reason: str) -> Problem:
    return Problem(ProblemKind.BAD_NUMBER, f"question {question}: {reason}", question=question)
