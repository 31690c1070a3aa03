"""Plan answers: which are acknowledged again, refused, or written, given a cached attempt and an admission. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from exam_core.answers import Answer, AnswerValue, answer_id_of, parse_answer, parse_seq
from exam_core.lease import Admission
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Attempt
from exam_solver.attempts.admission import Verdict
from exam_solver.attempts.cache import Remembered


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer as a client sent it, unchecked."""

    question: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proposed:
    """One answer that the paper takes."""

    place: int
    question: int
    seq: int
    value: AnswerValue
    answer_id: UUID

    @property
    def slot(self) -> tuple[int, int]:
        """The question and seq that only one content may have."""
        return (self.question, self.seq)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of each answer, by place: settled at once, or first to be written as fresh or as late."""

    settled: dict[int, Answer | Problem]
    fresh: dict[int, Answer]
    late: dict[int, Answer]


def propose(paper: Paper, attempt: Attempt, place: int, asked: Asked) -> Proposed:
    """Check one answer against the paper.

    Raises:
        Problem: what is wrong with it.
    """
    seq = parse_seq(asked.body)
    value = parse_answer(paper, asked.question, asked.body)
    answer_id = answer_id_of(
        sitting=attempt.sitting, student=attempt.student, question=asked.question, seq=seq, answer=value
    )
    return Proposed(place, asked.question, seq, value, answer_id)


def plan(
    remembered: Remembered,
    proposals: Sequence[Proposed],
    verdict: Verdict,
    admission: Admission,
    *,
    student: int,
    max_rows: int,
) -> Plan:
    """Decide about answers that the paper takes.

    What is saved already is acknowledged again, at any time: it came in time once. Anything else needs the deadline,
    a seq that rises above what is saved, and room.
    """
    planned = Plan({}, {}, {})
    rows = remembered.rows + len(remembered.late)
    pending = dict(remembered.pending)
    for proposed in proposals:
        place = proposed.place
        saved = remembered.saved.get(proposed.question)
        if saved is not None and saved.answer_id == proposed.answer_id:
            planned.settled[place] = saved
        elif verdict.refusal is not None:
            if verdict.late and proposed.answer_id not in remembered.late and rows < max_rows:
                planned.late[place] = _stamped(proposed, verdict, admission, student)
                rows += 1
            else:
                planned.settled[place] = verdict.refusal
        elif saved is not None and proposed.seq <= saved.seq:
            planned.settled[place] = _too_low(proposed, saved.seq)
        elif pending.get(proposed.slot, proposed.answer_id) != proposed.answer_id:
            planned.settled[place] = _too_low(proposed, proposed.seq)
        elif rows >= max_rows:
            planned.settled[place] = _too_many(rows)
        else:
            planned.fresh[place] = _stamped(proposed, verdict, admission, student)
            pending[proposed.slot] = proposed.answer_id
            rows += 1
    return planned


def _stamped(proposed: Proposed, verdict: Verdict, admission: Admission, student: int) -> Answer:
    return Answer(
        student=student,
        question=proposed.question,
        seq=proposed.seq,
        answer_id=proposed.answer_id,
        received_at=admission.received_at,
        deadline_at=verdict.deadline_at,
        solver=admission.holder,
        epoch=admission.epoch,
        answer=proposed.value,
    )


def _too_low(proposed: Proposed, highest: int) -> Problem:
    return Problem(
        ProblemKind.SEQ_TOO_LOW,
        f"question {proposed.question}: seq {proposed.seq} does not rise above {highest}; go on above it",
        question=proposed.question,
        highest_seq=highest,
    )


def _too_many(rows: int) -> Problem:
    return Problem(
        ProblemKind.TOO_MANY_ANSWERS, f"this attempt has saved {rows} answers, changes included; it may save no more"
    )
