"""Save answers and submissions: admit, append, acknowledge.

An acknowledged answer is graded, and this module decides which answers are acknowledged. `plan` is pure: from the
cached attempt, the decision and the admission it derives the outcome of each answer. `AnswerService` does the I/O
around it: the paper and the attempt are read before the admission, the append follows it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError
from exam_core.answers import Answer, Submission
from exam_core.buckets import bucket_of
from exam_core.deadlines import Deadline
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting
from exam_core.tokens import Attempt
from exam_solver.attempts.admission import Decision, decide
from exam_solver.attempts.cache import AttemptCache, CachedAttempt
from exam_solver.attempts.plan import AnswerRequest, CandidateAnswer, Plan, not_known_saved, plan, validate
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import Admitted
from exam_solver.papers.loader import PaperLoader
from exam_solver.papers.shown import LoadedPaper

MAX_ANSWERS: Final = 100
"""Answers in one request."""


class AnswerMetrics(Protocol):
    """Counts answers by outcome."""

    def count_answers(self, outcome: str, *, reason: str = "", count: int = 1) -> None:
        """Count answers: ``acknowledged``, ``repeated``, ``late``, ``refused`` (with a reason) or ``unsaved``."""


@dataclass(frozen=True, slots=True)
class AnswerResults:
    """The outcome of each answer, in the order of the request, and the deadline that they were judged by."""

    outcomes: Sequence[Answer | Problem]
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Judged:
    """A plan, and what it was derived from."""

    student: int
    admitted: Admitted
    sitting: ScheduledSitting
    cached: CachedAttempt
    decision: Decision
    planned: Plan

    @property
    def bucket(self) -> int:
        """The bucket of the attempt's student."""
        return bucket_of(self.student, self.sitting.buckets)


class AnswerService:
    """Saves answers and submissions of attempts."""

    def __init__(
        self,
        *,
        keeper: LeaseKeeper,
        log: AnswerLog,
        papers: PaperLoader,
        attempts: AttemptCache,
        metrics: AnswerMetrics,
        rows_per_question: int,
    ) -> None:
        self._keeper = keeper
        self._log = log
        self._papers = papers
        self._attempts = attempts
        self._metrics = metrics
        self._rows_per_question = rows_per_question

    async def save(self, attempt: Attempt, requests: Sequence[AnswerRequest]) -> AnswerResults:
        """Save answers and return the outcome of each.

        Raises:
            Problem: a refusal that concerns all of them: unknown or cancelled sitting, no lease.
        """
        loaded = await self._papers.paper(self._keeper.sitting(attempt.sitting).paper)
        drawn = await self._drawn(attempt, loaded)
        outcomes: dict[int, Answer | Problem] = {}
        candidates: list[CandidateAnswer] = []
        for index, request in enumerate(requests):
            try:
                candidates.append(validate(loaded.paper, attempt, index, request, drawn=drawn))
            except Problem as problem:
                outcomes[index] = problem
        judged = await self._judge(attempt, candidates, max_rows=self._rows_per_question * loaded.paper.given)
        # Since the admission nothing was awaited, and nothing is until the answers are registered as in flight.
        planned, decision = judged.planned, judged.decision
        judged.cached.seqs = planned.seqs
        outcomes |= planned.settled
        self._count_settled(outcomes.values(), decision)
        if planned.fresh:
            outcomes |= await self._append(judged, planned.fresh)
        elif planned.late:
            outcomes |= await self._append_late(judged, planned.late)
        return AnswerResults([outcomes[index] for index in range(len(requests))], decision.deadline)

    async def _drawn(self, attempt: Attempt, loaded: LoadedPaper) -> Collection[int] | None:
        """The questions that the attempt got, None for all: by the start that holds, by which the seal counts."""
        if not loaded.paper.draws:
            return None
        start = (await self._cached(attempt)).start
        return loaded.drawn(attempt.seed if start is None else start.seed)

    async def _judge(self, attempt: Attempt, candidates: Sequence[CandidateAnswer], *, max_rows: int) -> Judged:
        """Admit and plan; read the log first where the cached attempt does not suffice."""
        cached = await self._cached(attempt) if candidates else CachedAttempt()
        current = unavailable = False
        while True:
            admitted = self._keeper.admit()
            sitting = admitted.sitting(attempt.sitting)
            decision = _decide(attempt, sitting, admitted)
            planned = plan(
                cached,
                candidates,
                decision,
                admitted.admission,
                student=attempt.student,
                max_rows=max_rows,
                current=current or cached.sealed,
            )
            if not planned.unread or unavailable:
                break
            try:
                cached, current = await self._attempts.reload(attempt.sitting, attempt.student), True
            except AnswerLogUnavailableError:
                unavailable = True
        if planned.unread:
            problem = not_known_saved("the answer store did not respond in time")
            planned.settled |= dict.fromkeys(planned.unread, problem)
        return Judged(attempt.student, admitted, sitting, cached, decision, planned)

    async def submit(self, attempt: Attempt) -> tuple[int, Deadline]:
        """Record that the student has finished; return the first submission's time and the deadline for changes.

        Raises:
            Problem: LATE, PAUSED, and those of `save`.
        """
        cached = await self._cached(attempt)
        if cached.submitted_at is None and not cached.sealed:
            # Another process may have recorded a submission, whose time holds, also if it is too late for one now.
            with _not_known_saved_on_error():
                cached = await self._attempts.reload(attempt.sitting, attempt.student)
        admitted = self._keeper.admit()
        sitting = admitted.sitting(attempt.sitting)
        decision = _decide(attempt, sitting, admitted)
        if cached.submitted_at is None:
            if decision.late and cached.submission_undecided:
                raise not_known_saved("the submission may have been saved in time")
            if decision.refusal is not None:
                raise decision.refusal
            await self._append_submission(admitted, sitting, cached, attempt.student)
        return cached.submitted_at or admitted.now, decision.deadline

    async def _append_submission(
        self, admitted: Admitted, sitting: ScheduledSitting, cached: CachedAttempt, student: int
    ) -> None:
        submission = Submission(
            student=student,
            submitted_at=admitted.now,
            solver=admitted.admission.holder,
            epoch=admitted.admission.epoch,
        )

        async def append() -> None:
            with _not_known_saved_on_error():
                await self._log.append_submission(sitting.id, bucket_of(student, sitting.buckets), submission)
            self._check_lease_held(admitted)
            cached.add_submission(submission.submitted_at)

        await self._keeper.run_tracked(admitted, append)

    async def _append(self, judged: Judged, fresh: Mapping[int, Answer]) -> Mapping[int, Answer | Problem]:
        answers = tuple(fresh.values())
        judged.cached.add_pending(answers)

        async def append() -> None:
            saved = False
            try:
                with _not_known_saved_on_error():
                    await self._log.append_answers(judged.sitting.id, judged.bucket, answers)
                self._check_lease_held(judged.admitted)
                saved = True
            finally:
                judged.cached.end_pending(answers, saved=saved)
                self._metrics.count_answers("acknowledged" if saved else "unsaved", count=len(answers))

        try:
            await self._keeper.run_tracked(judged.admitted, append)
        except Problem as problem:
            return dict.fromkeys(fresh, problem)
        return fresh

    async def _append_late(self, judged: Judged, late: Mapping[int, Answer]) -> Mapping[int, Problem]:
        answers = tuple(late.values())

        async def append() -> None:
            with _not_known_saved_on_error():
                await self._log.append_late(judged.sitting.id, judged.bucket, answers)
            judged.cached.late.update(answer.answer_id for answer in answers)
            self._metrics.count_answers("late", count=len(answers))

        try:
            await self._keeper.run_tracked(judged.admitted, append)
        except Problem as problem:
            return dict.fromkeys(late, problem)
        return dict.fromkeys(late, judged.decision.refusal) if judged.decision.refusal else {}

    async def _cached(self, attempt: Attempt) -> CachedAttempt:
        with _not_known_saved_on_error():
            return await self._attempts.get(attempt.sitting, attempt.student)

    def _check_lease_held(self, admitted: Admitted) -> None:
        """The gap rule: an answer that was admitted under a lease that lapsed since may be missing from the seal."""
        if not self._keeper.held_since(admitted):
            raise not_known_saved("the lease lapsed while the answer was written")

    def _count_settled(self, outcomes: Iterable[Answer | Problem], decision: Decision) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Answer):
                self._metrics.count_answers("repeated")
            elif outcome.kind is ProblemKind.NOT_KNOWN_SAVED:
                self._metrics.count_answers("unsaved")
            elif not (decision.late and outcome is decision.refusal):
                self._metrics.count_answers("refused", reason=outcome.kind.slug)


def _decide(attempt: Attempt, sitting: ScheduledSitting, admitted: Admitted) -> Decision:
    return decide(
        sitting,
        student=attempt.student,
        started_at=attempt.started_at,
        now=admitted.now,
        as_of=admitted.as_of,
        lease_ttl=admitted.snapshot.lease.ttl,
    )


@contextmanager
def _not_known_saved_on_error() -> Iterator[None]:
    """Raise NOT_KNOWN_SAVED for a read or a write that the answer log did not confirm."""
    try:
        yield
    except AnswerLogUnavailableError as error:
        raise not_known_saved("the answer store did not respond in time") from error
