"""The API's bodies as OpenAPI describes them.

They describe and do not check: requests are checked against the paper by `exam_core.answers`, which knows more than a
schema can say, and answers are written as bytes.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """A body that is described."""

    model_config = ConfigDict(extra="allow")


class Problem(Described):
    """A refusal (RFC 9457): `type` ends with its slug in the catalogue, `detail` says what to do."""

    type: str = Field(examples=["https://examplatform.dev/problems/deadline-passed"])
    title: str
    status: int
    detail: str
    instance: str


class Derivation(Described):
    """How a deadline comes about: ``min(started_at + duration, closes_at) + extra + paused``, cut by a stop."""

    started_at: str
    duration_us: int
    closes_at: str
    limited_by: str = Field(description="`duration` or `closes_at`")
    extra_us: int
    paused_us: int
    stopped_at: str | None


class Deadline(Described):
    """A personal deadline; `at` is null while a pause lasts."""

    at: str | None
    derivation: Derivation


class Order(Described):
    """How to show the paper: `questions[i]` is the number of the question shown i-th, `choices[q]` likewise."""

    questions: list[int]
    choices: list[list[int]]


class SavedAnswer(Described):
    """An answer as it is saved; blank: an empty list, or null."""

    question: int
    seq: int
    choices: list[int] | None = None
    value: str | None = None


class AttemptBody(Described):
    """An attempt under way."""

    sitting: str
    student: int
    attempt_token: str
    started_at: str
    now: str
    deadline: Deadline
    order: Order
    paper_digest: str
    paper: dict[str, Any]
    answers: list[SavedAnswer]
    highest_seq: int = Field(description="a device numbers its next answer above it")
    submitted_at: str | None


class AnswerBody(Described):
    """One answer: choices by their numbers in the paper, or a number as text. Blank: `[]` or `null`."""

    seq: int = Field(ge=1, description="rises with each change of mind")
    choices: list[int] | None = None
    value: str | None = Field(None, examples=["3.14"])


class NumberedAnswerBody(AnswerBody):
    """An answer among several."""

    question: int


class AnswersBody(Described):
    """Several answers at once."""

    answers: list[NumberedAnswerBody] = Field(min_length=1, max_length=100)


class AcknowledgedBody(Described):
    """An answer that counts, and the signed statement that it does."""

    question: int
    seq: int
    received_at: str
    deadline: Deadline
    receipt: str


class ResultBody(Described):
    """What became of one answer among several: a receipt or a problem."""

    question: int
    seq: Any
    status: int
    received_at: str | None = None
    receipt: str | None = None
    problem: Problem | None = None


class ResultsBody(Described):
    """What became of several answers, in the order they were sent."""

    results: list[ResultBody]
    deadline: Deadline


class SubmittedBody(Described):
    """When the student first said they are done; answers in time still count."""

    submitted_at: str
    deadline: Deadline


class TimeBody(Described):
    """The platform's clock beside the sitting's window."""

    now: str
    opens_at: str
    closes_at: str
    deadline: Deadline | None = None


class KeySet(Described):
    """Public keys (RFC 7517) that check receipts."""

    keys: list[dict[str, Any]]


class HealthBody(Described):
    """A probe's answer: every check and what it found."""

    status: str
    checks: dict[str, Any]
