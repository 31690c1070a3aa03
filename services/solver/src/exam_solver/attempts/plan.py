"""Plan a batch of answers: which are acknowledged again, refused, or written. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, answer_id_of, parse_answer, parse_seq
from exam_core.lease import Admission
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Attempt
from exam_solver.attempts.admission import Decision
from exam_solver.attempts.cache import CachedAttempt
from exam_solver.attempts.seqs import SeqRun

RETRY_AFTER: Final = 1


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


@dataclass(slots=True)
class Plan:
    """The outcome of each answer by index.

    Attributes:
        settled: decided without a write.
        fresh: to be written.
        late: to be kept as late.
        unread: undecided until the log is read, because another process may have written to it.
        seqs: the seqs seen once the plan is carried out.
    """

    seqs: SeqRun
    settled: dict[int, Answer | Problem] = field(default_factory=dict)
    fresh: dict[int, Answer] = field(default_factory=dict)
    late: dict[int, Answer] = field(default_factory=dict)
    unread: set[int] = field(default_factory=set)


def validate(
    paper: Paper, attempt: Attempt, index: int, request: AnswerRequest, *, drawn: Collection[int] | None
) -> CandidateAnswer:
    """Validate one answer against the paper, of which the attempt got the questions `drawn`, or all (None).

    Raises:
        Problem: the answer is not valid.
    """
    seq = parse_seq(request.body)
    value = parse_answer(paper, request.question, request.body, drawn=drawn)
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
    current: bool,
) -> Plan:
    """Decide the outcome of each valid answer.

    An answer that is saved already is acknowledged again at any time, because it was in time once. Any other needs an
    open deadline, a seq above the saved one, and a free row. Content that is saved already needs no row; therefore it
    is not late either when it is sent again: the receipt of the saved row is all that there is to say.

    Args:
        cached: the attempt.
        candidates: the answers, in the order of the request.
        decision: whether the attempt may be answered.
        admission: the admission that answers are stamped with.
        student: the attempt's student.
        max_rows: how many rows the attempt may have.
        current: whether the attempt was read from the log for this request. Otherwise another process may have saved
            the answer, or a higher one, and only what cannot change by that is decided.
    """
    planner = _Planner(cached, decision, admission, student=student, max_rows=max_rows, current=current)
    for candidate in candidates:
        planner.add(candidate)
    return planner.planned


class _Planner:
    """Plans one answer after the other; the later ones of a request see the earlier ones."""

    def __init__(
        self,
        cached: CachedAttempt,
        decision: Decision,
        admission: Admission,
        *,
        student: int,
        max_rows: int,
        current: bool,
    ) -> None:
        self.planned = Plan(cached.seqs.copy())
        self._cached = cached
        self._decision = decision
        self._admission = admission
        self._student = student
        self._free_rows = max_rows - cached.rows
        self._max_rows = max_rows
        self._pending = dict(cached.pending)
        self._current = current

    def add(self, candidate: CandidateAnswer) -> None:
        saved = self._cached.saved.get(candidate.question)
        if saved is not None and saved.answer_id == candidate.answer_id:
            self._settle(candidate, saved)
        elif saved is not None and candidate.seq <= saved.seq:
            self._settle(candidate, _seq_too_low(candidate, saved.seq))
        elif self._decision.refusal is not None:
            self._add_refused(candidate, saved, self._decision.refusal)
        elif self._pending.get(candidate.slot, candidate.answer_id) != candidate.answer_id:
            self._settle(candidate, _seq_too_low(candidate, candidate.seq))
        else:
            self._add_admitted(candidate, saved)

    def _add_refused(self, candidate: CandidateAnswer, saved: Answer | None, refusal: Problem) -> None:
        cached = self._cached
        same = saved if saved is not None and saved.answer == candidate.value else None
        if not self._decision.late:
            self._settle(candidate, refusal)
        elif not self._current:
            self.planned.unread.add(candidate.index)
        elif candidate.answer_id in cached.unconfirmed or candidate.answer_id in cached.undecided:
            self._settle(candidate, not_known_saved("the answer may have been saved in time"))
        elif same is not None:
            # It may have been acknowledged as unchanged before, with this receipt and without a row of its own.
            self._settle(candidate, same)
        elif (candidate.question, candidate.value) in cached.undecided_values:
            self._settle(candidate, not_known_saved("the same content may have been saved in time"))
        elif candidate.answer_id in cached.late or self._free_rows <= 0:
            self._settle(candidate, refusal)
        else:
            self.planned.late[candidate.index] = self._stamped(candidate)
            self._free_rows -= 1

    def _add_admitted(self, candidate: CandidateAnswer, saved: Answer | None) -> None:
        unchanged = saved is not None and self._unchanged(candidate, saved)
        full = self._free_rows <= 0
        if (unchanged or full or self.planned.seqs.skipped(candidate.seq)) and not self._current:
            self.planned.unread.add(candidate.index)
            self.planned.seqs.add(candidate.seq)
            # If the log cannot be read it stays undecided, and may be saved when it is sent again.
            self.planned.seqs.break_at(candidate.seq)
            return
        if saved is not None and unchanged:
            self._settle(candidate, saved)
        elif full:
            self._settle(candidate, _too_many_answers(self._max_rows))
            return
        else:
            self.planned.fresh[candidate.index] = self._stamped(candidate)
            self._pending[candidate.slot] = candidate.answer_id
            self._free_rows -= 1
        self.planned.seqs.add(candidate.seq)

    def _unchanged(self, candidate: CandidateAnswer, saved: Answer) -> bool:
        """Whether the saved answer has the same content and no other one to the question can be under way."""
        return (
            candidate.value == saved.answer
            and self.planned.seqs.unbroken(after=saved.seq, before=candidate.seq)
            and all(question != candidate.question for question, _ in self._pending)
        )

    def _settle(self, candidate: CandidateAnswer, outcome: Answer | Problem) -> None:
        self.planned.settled[candidate.index] = outcome

    def _stamped(self, candidate: CandidateAnswer) -> Answer:
        return Answer(
            student=self._student,
            question=candidate.question,
            seq=candidate.seq,
            answer_id=candidate.answer_id,
            received_at=self._admission.received_at,
            deadline_at=self._decision.deadline_at,
            solver=self._admission.holder,
            epoch=self._admission.epoch,
            answer=candidate.value,
        )


def _seq_too_low(candidate: CandidateAnswer, highest: int) -> Problem:
    return Problem(
        ProblemKind.SEQ_TOO_LOW,
        f"question {candidate.question}: seq {candidate.seq} is not above {highest}; send a higher seq",
        question=candidate.question,
        highest_seq=highest,
    )


def _too_many_answers(max_rows: int) -> Problem:
    return Problem(
        ProblemKind.TOO_MANY_ANSWERS,
        f"this attempt has reached its limit of {max_rows} saved answers, changes included; those that are saved count",
    )


def not_known_saved(reason: str) -> Problem:
    """The problem NOT_KNOWN_SAVED: the answer may or may not be saved."""
    return Problem(ProblemKind.NOT_KNOWN_SAVED, f"{reason}; send the same answer again", retry_after=RETRY_AFTER)
