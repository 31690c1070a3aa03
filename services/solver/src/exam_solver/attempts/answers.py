"""Answers: admit, append, acknowledge. An acknowledged answer is graded; this module is where that is decided.

`plan` is pure: given what is remembered, the verdict and the admission, it says what becomes of each answer. Around it
`AnswerService` does what costs time: the paper and the attempt before the admission, the append after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError
from exam_core.answers import Answer, Submission
from exam_core.buckets import bucket_of
from exam_core.deadlines import Deadline
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting
from exam_core.tokens import Attempt
from exam_solver.attempts.admission import Verdict, judge
from exam_solver.attempts.cache import Attempts, Remembered
from exam_solver.attempts.plan import Asked, Proposed, plan, propose
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import Admitted
from exam_solver.papers.loader import PaperShelf

MAX_TOGETHER: Final = 100
"""Answers in one request."""
RETRY_AFTER: Final = 1


class Tally(Protocol):
    """Who counts what became of answers."""

    def answered(self, outcome: str, *, reason: str = "", count: int = 1) -> None:
        """Answers that were ``acknowledged``, ``repeated``, ``late``, ``refused`` (and why) or ``unsaved``."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of each answer, in the order they were sent, and the deadline they were judged by."""

    outcomes: Sequence[Answer | Problem]
    deadline: Deadline


class AnswerService:
    """Takes answers and submissions of attempts."""

    def __init__(
        self,
        *,
        keeper: LeaseKeeper,
        log: AnswerLog,
        papers: PaperShelf,
        attempts: Attempts,
        tally: Tally,
        rows_per_question: int,
    ) -> None:
        self._keeper = keeper
        self._log = log
        self._papers = papers
        self._attempts = attempts
        self._tally = tally
        self._rows_per_question = rows_per_question

    async def answer(self, attempt: Attempt, asked: Sequence[Asked]) -> Answered:
        """Save answers and say what became of each.

        Raises:
            Problem: what concerns all of them alike: no such sitting, cancelled, no lease.
        """
        paper = (await self._papers.paper(self._keeper.sitting(attempt.sitting).paper)).paper
        outcomes: dict[int, Answer | Problem] = {}
        proposals: list[Proposed] = []
        for place, one in enumerate(asked):
            try:
                proposals.append(propose(paper, attempt, place, one))
            except Problem as problem:
                outcomes[place] = problem
        remembered = await self._recall(attempt) if proposals else Remembered()
        # From here on nothing is awaited until the answers are registered as in flight.
        admitted = self._keeper.admit()
        sitting = admitted.sitting(attempt.sitting)
        verdict = self._judge(attempt, sitting, admitted)
        planned = plan(
            remembered,
            proposals,
            verdict,
            admitted.admission,
            student=attempt.student,
            max_rows=self._rows_per_question * len(paper.questions),
        )
        outcomes |= planned.settled
        self._count_settled(outcomes.values(), verdict)
        if planned.fresh:
            outcomes |= await self._append(admitted, sitting, remembered, planned.fresh)
        elif planned.late:
            outcomes |= await self._append_late(admitted, sitting, remembered, planned.late, verdict)
        return Answered([outcomes[place] for place in range(len(asked))], verdict.deadline)

    async def submit(self, attempt: Attempt) -> tuple[int, Deadline]:
        """Note that a student says they are done: when they first did, and the deadline until which they may go on.

        Raises:
            Problem: LATE, PAUSED and what `answer` raises.
        """
        remembered = await self._recall(attempt)
        admitted = self._keeper.admit()
        sitting = admitted.sitting(attempt.sitting)
        verdict = self._judge(attempt, sitting, admitted)
        if remembered.submitted_at is None:
            if verdict.refusal is not None:
                raise verdict.refusal
            await self._append_submission(admitted, sitting, remembered, attempt.student)
        return remembered.submitted_at or admitted.now, verdict.deadline

    async def _append_submission(
        self, admitted: Admitted, sitting: ScheduledSitting, remembered: Remembered, student: int
    ) -> None:
        submission = Submission(
            student=student,
            submitted_at=admitted.now,
            solver=admitted.admission.holder,
            epoch=admitted.admission.epoch,
        )

        async def work() -> None:
            try:
                await self._log.append_submission(sitting.id, bucket_of(student, sitting.buckets), submission)
            except AnswerLogUnavailableError as error:
                raise _not_known_saved("the answer store did not confirm in time") from error
            self._check_unbroken(admitted)
            remembered.submit(submission.submitted_at)

        await self._keeper.carry(admitted, work)

    def _judge(self, attempt: Attempt, sitting: ScheduledSitting, admitted: Admitted) -> Verdict:
        return judge(
            sitting,
            student=attempt.student,
            started_at=attempt.started_at,
            now=admitted.now,
            lease_age=admitted.lease_age,
        )

    async def _recall(self, attempt: Attempt) -> Remembered:
        try:
            return await self._attempts.recall(attempt.sitting, attempt.student)
        except AnswerLogUnavailableError as error:
            raise _not_known_saved("the answer store does not answer") from error

    async def _append(
        self, admitted: Admitted, sitting: ScheduledSitting, remembered: Remembered, fresh: Mapping[int, Answer]
    ) -> Mapping[int, Answer | Problem]:
        answers = tuple(fresh.values())
        remembered.begin(answers)

        async def work() -> None:
            outcome = "unsaved"
            try:
                await self._log.append_answers(sitting.id, bucket_of(answers[0].student, sitting.buckets), answers)
                self._check_unbroken(admitted)
                remembered.save(answers)
                outcome = "acknowledged"
            except AnswerLogUnavailableError as error:
                raise _not_known_saved("the answer store did not confirm in time") from error
            finally:
                remembered.end(answers)
                self._tally.answered(outcome, count=len(answers))

        try:
            await self._keeper.carry(admitted, work)
        except Problem as problem:
            return dict.fromkeys(fresh, problem)
        return fresh

    async def _append_late(
        self,
        admitted: Admitted,
        sitting: ScheduledSitting,
        remembered: Remembered,
        late: Mapping[int, Answer],
        verdict: Verdict,
    ) -> Mapping[int, Problem]:
        answers = tuple(late.values())

        async def work() -> None:
            try:
                await self._log.append_late(sitting.id, bucket_of(answers[0].student, sitting.buckets), answers)
            except AnswerLogUnavailableError as error:
                raise _not_known_saved("the answer store did not confirm in time") from error
            remembered.late.update(answer.answer_id for answer in answers)
            self._tally.answered("late", count=len(answers))

        try:
            await self._keeper.carry(admitted, work)
        except Problem as problem:
            return dict.fromkeys(late, problem)
        return dict.fromkeys(late, verdict.refusal) if verdict.refusal else {}

    def _check_unbroken(self, admitted: Admitted) -> None:
        """The gap rule: what was admitted under a lease that did not hold may be missed by the seal."""
        if not self._keeper.unbroken(admitted):
            raise _not_known_saved("the lease did not hold while it was written")

    def _count_settled(self, outcomes: Iterable[Answer | Problem], verdict: Verdict) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Answer):
                self._tally.answered("repeated")
            elif not (verdict.late and outcome is verdict.refusal):
                self._tally.answered("refused", reason=outcome.kind.slug)


def _not_known_saved(why: str) -> Problem:
    return Problem(ProblemKind.NOT_KNOWN_SAVED, f"{why}; send the same answer again", retry_after=RETRY_AFTER)
