"""The API's bodies, for its OpenAPI document.

They validate nothing: `exam_core.answers` validates requests against the paper, which a schema cannot express, and
responses are written as bytes.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """Base of the bodies."""

    model_config = ConfigDict(extra="allow")


class Problem(Described):
    """A refusal (RFC 9457): `type` ends with its slug in the catalogue, `detail` describes what to do."""

    type: str = Field(examples=["https://examplatform.dev/problems/deadline-passed"])
    title: str
    status: int
    detail: str
    instance: str


class Derivation(Described):
    """How a deadline is computed: ``min(started_at + duration, closes_at) + extra + paused``, at most a stop."""

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
    """The display order: `questions[i]` is the number of the question shown i-th, and likewise for its lists.

    `choices[q]` has the order of question q's choices, stems or items, `targets[q]` that of its targets; without any
    targets in the paper it is left out. `sections[s]` has the questions of section s, in the order of `questions`;
    without sections in the paper it is left out.
    """

    questions: list[int] = Field(description="the questions of this attempt, which may not be all of the paper's")
    choices: list[list[int]]
    targets: list[list[int]] | None = None
    sections: list[list[int]] | None = None


class SavedAnswer(Described):
    """A saved answer, in the member of the question's kind; blank is an empty list or object, or null."""

    question: int
    seq: int
    choices: list[int] | None = None
    value: str | None = None
    pairs: dict[str, int] | None = None
    order: list[int] | None = None


class StartBody(Described):
    """What a start may need; nothing for most sittings, and nothing to resume."""

    access_code: str | None = Field(None, max_length=64, description="that of a sitting which has one")


class AttemptBody(Described):
    """An attempt in progress."""

    sitting: str
    student: int
    attempt_token: str
    started_at: str
    now: str
    deadline: Deadline
    order: Order
    paper_digest: str = Field(description="of the whole paper, with the questions of all attempts")
    paper: dict[str, Any] = Field(description="its questions that are not for this attempt are null")
    answers: list[SavedAnswer]
    highest_seq: int = Field(description="the seq of the next answer must be above it")
    submitted_at: str | None


class AnswerBody(Described):
    """One answer, in the member of the question's kind. Blank is `[]`, `{}` or `null`."""

    seq: int = Field(ge=1, description="increases with each change of an answer")
    choices: list[int] | None = Field(None, description="single, true-false (0 is true), multiple: numbers of choices")
    value: str | None = Field(None, description="numeric, text, essay; a number as text", examples=["3.14"])
    pairs: dict[str, int | None] | None = Field(
        None, description="matching: the number of a target for the number of each stem", examples=[{"0": 3, "1": 1}]
    )
    order: list[int] | None = Field(None, description="ordering: the numbers of all items, first one first")


class NumberedAnswerBody(AnswerBody):
    """One answer of a batch."""

    question: int


class AnswersBody(Described):
    """A batch of answers."""

    answers: list[NumberedAnswerBody] = Field(min_length=1, max_length=100)


class AcknowledgedBody(Described):
    """A saved answer, and the signed receipt for it."""

    question: int
    seq: int
    received_at: str
    deadline: Deadline
    receipt: str


class ResultBody(Described):
    """The outcome of one answer of a batch: a receipt or a problem."""

    question: int
    seq: Any
    status: int
    received_at: str | None = None
    receipt: str | None = None
    problem: Problem | None = None


class ResultsBody(Described):
    """The outcomes of a batch, in the order of the request."""

    results: list[ResultBody]
    deadline: Deadline


class SubmittedBody(Described):
    """When the student first submitted; answers in time still count."""

    submitted_at: str
    deadline: Deadline


class TimeBody(Described):
    """The platform's time and the sitting's window."""

    now: str
    opens_at: str
    closes_at: str
    deadline: Deadline | None = None


class KeySet(Described):
    """Public keys (RFC 7517) that verify receipts."""

    keys: list[dict[str, Any]]


class HealthBody(Described):
    """The result of a probe: each check, and what it found."""

    status: str
    checks: dict[str, Any]
