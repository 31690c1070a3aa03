"""Plan a batch of answers: which are acknowledged again, refused, or written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from exam_core.answers import Answer, AnswerValue, answer_id_of, parse_answer, parse_seq
from exam_core.lease import Admission
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Attempt
from exam_solver.attempts.admission import Decision
from exam_solver.attempts.cache import CachedAttempt


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """One answer as a client sent it, not validated."""

    question: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CandidateAnswer:
    """One answer that is valid for its paper; `index` is its position in the request."""

    index: int
    question: int
    seq: int
    value: AnswerValue
    answer_id: UUID

    @property
    def slot(self) -> tuple[int, int]:
        """The question and seq, under which only one value may be written."""
        return (self.question, self.seq)


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of each answer by index: settled without a write, or to be written as fresh or as late."""

    settled: dict[int, Answer | Problem]
    fresh: dict[int, Answer]
    late: dict[int, Answer]


def validate(paper: Paper, attempt: Attempt, index: int, request: AnswerRequest) -> CandidateAnswer:
    """Validate one answer against the paper.

    Raises:
        Problem: the answer is not valid.
    """
    seq = parse_seq(request.body)
    value = parse_answer(paper, request.question, request.body)
    answer_id = answer_id_of(
        sitting=attempt.sitting, student=attempt.student, question=request.question, seq=seq, answer=value
    )
    return CandidateAnswer(index, request.question, seq, value, answer_id)


def plan(
    cached: CachedAttempt,
    candidates: Sequence[CandidateAnswer],
    decision: Decision,
    admission: Admission,
    *,
    student: int,
    max_rows: int,
) -> Plan:
    """Decide the outcome of each valid answer.

    An answer that is saved already is acknowledged again at any time, because it was in time once. Any other needs an
    open deadline, a seq above the saved one, and a free row.
    """
    planned = Plan({}, {}, {})
    rows = cached.rows + len(cached.late)
    pending = dict(cached.pending)
    for candidate in candidates:
        index = candidate.index
        saved = cached.saved.get(candidate.question)
        if saved is not None and saved.answer_id == candidate.answer_id:
            planned.settled[index] = saved
        elif decision.refusal is not None:
            if decision.late and candidate.answer_id not in cached.late and rows < max_rows:
                planned.late[index] = _stamp(candidate, decision, admission, student)
                rows += 1
            else:
                planned.settled[index] = decision.refusal
        elif saved is not None and candidate.seq <= saved.seq:
            planned.settled[index] = _seq_too_low(candidate, saved.seq)
        elif pending.get(candidate.slot, candidate.answer_id) != candidate.answer_id:
            planned.settled[index] = _seq_too_low(candidate, candidate.seq)
        elif rows >= max_rows:
            planned.settled[index] = _too_many_answers(rows)
        else:
            planned.fresh[index] = _stamp(candidate, decision, admission, student)
            pending[candidate.slot] = candidate.answer_id
            rows += 1
    return planned


def _stamp(candidate: CandidateAnswer, decision: Decision, admission: Admission, student: int) -> Answer:
    return Answer(
        student=student,
        question=candidate.question,
        seq=candidate.seq,
        answer_id=candidate.answer_id,
        received_at=admission.received_at,
        deadline_at=decision.deadline_at,
        solver=admission.holder,
        epoch=admission.epoch,
        answer=candidate.value,
    )


def _seq_too_low(candidate: CandidateAnswer, highest: int) -> Problem:
    return Problem(
        ProblemKind.SEQ_TOO_LOW,
        f"question {candidate.question}: seq {candidate.seq} is not above {highest}; send a higher seq",
        question=candidate.question,
        highest_seq=highest,
    )


def _too_many_answers(rows: int) -> Problem:
    return Problem(
        ProblemKind.TOO_MANY_ANSWERS, f"this attempt has saved {rows} answers, changes included; it may save no more"
    )
