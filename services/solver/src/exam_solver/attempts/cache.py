"""The attempts that this process has in memory, so that saving an answer needs no read of the log.

An attempt is loaded from the log at the first request for it. The cache is not authoritative: another process may have
written more, and the seal is derived from the log alone. It serves to refuse a seq that is too low, to acknowledge a
repeated answer again, and to bound the rows of an attempt.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from exam_answerlog.log import AnswerLog, Rows
from exam_core.answers import Answer, Start
from exam_core.buckets import bucket_of
from exam_core.fold import earliest_start, fold_answers
from exam_core.schedule import State
from exam_solver.caching.lru import Lru
from exam_solver.caching.single_flight import SingleFlight
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import no_lease

AttemptKey = tuple[UUID, int]
"""Sitting and student."""


class CachedAttempt:
    """One attempt.

    Attributes:
        saved: by question the highest saved answer; it counts unless a higher one is saved.
        pending: the answers being written, by question and seq.
        late: the ids of answers that were kept as late.
        rows: how many rows of the attempt in the log are known.
        start: the start that holds.
        submitted_at: when the student first submitted, if ever.
    """

    __slots__ = ("late", "pending", "rows", "saved", "start", "submitted_at")

    def __init__(self) -> None:
        self.saved: dict[int, Answer] = {}
        self.pending: dict[tuple[int, int], UUID] = {}
        self.late: set[UUID] = set()
        self.rows = 0
        self.start: Start | None = None
        self.submitted_at: int | None = None

    @property
    def highest_seq(self) -> int:
        """The highest seq saved for any question; a device continues above it."""
        return max((answer.seq for answer in self.saved.values()), default=0)

    def merge(self, rows: Rows, *, student: int) -> None:
        """Add the student's rows from the log."""
        self.add_saved(fold_answers(rows.answers).values())
        self.rows = max(self.rows, len(rows.answers))
        starts = (*rows.starts, *(() if self.start is None else (self.start,)))
        self.start = earliest_start(start for start in starts if start.student == student)
        for submission in rows.submissions:
            self.add_submission(submission.submitted_at)

    def add_pending(self, answers: Sequence[Answer]) -> None:
        """Add answers that are about to be written."""
        self.rows += len(answers)
        for answer in answers:
            self.pending[answer.question, answer.seq] = answer.answer_id

    def remove_pending(self, answers: Sequence[Answer]) -> None:
        """Remove answers whose write ended, successfully or not."""
        for answer in answers:
            if self.pending.get((answer.question, answer.seq)) == answer.answer_id:
                del self.pending[answer.question, answer.seq]

    def add_saved(self, answers: Iterable[Answer]) -> None:
        """Add answers that are in time and saved."""
        for answer in answers:
            current = self.saved.get(answer.question)
            if current is None or answer.rank > current.rank:
                self.saved[answer.question] = answer

    def add_submission(self, submitted_at: int) -> None:
        """Add a saved submission; the earliest holds."""
        self.submitted_at = submitted_at if self.submitted_at is None else min(submitted_at, self.submitted_at)


class AttemptCache:
    """A read-through cache of attempts over the answer log.

    Reads are tracked as admissions are: in flight under a valid lease. So a row that a read finds while the sitting is
    scheduled is in the log before the sitting can be sealed, and may be acknowledged again, even after the deadline.
    """

    def __init__(self, *, keeper: LeaseKeeper, log: AnswerLog, capacity: int) -> None:
        self._keeper = keeper
        self._log = log
        self._attempts: Lru[AttemptKey, CachedAttempt] = Lru(capacity)
        self._reads: SingleFlight[AttemptKey, CachedAttempt] = SingleFlight()

    async def get(self, sitting: UUID, student: int) -> CachedAttempt:
        """The attempt, read from the log if it is not cached.

        Raises:
            Problem: UNAVAILABLE when the lease did not hold.
            AnswerLogUnavailableError: the log did not respond.
        """
        key = (sitting, student)
        cached = self._attempts.get(key)
        if cached is None:
            cached = await self._reads.run(key, lambda: self.reload(sitting, student))
        return cached

    async def reload(self, sitting: UUID, student: int) -> CachedAttempt:
        """The attempt after a read of the log, because another process may have written to it.

        Raises:
            Problem: UNAVAILABLE when the lease did not hold.
            AnswerLogUnavailableError: the log did not respond.
        """
        admitted = self._keeper.admit()
        scheduled = admitted.sitting(sitting)

        async def read() -> CachedAttempt:
            rows = await self._log.read_student(sitting, bucket_of(student, scheduled.buckets), student)
            if not self._keeper.held_since(admitted):
                raise no_lease()
            cached = self._attempts.get((sitting, student)) or CachedAttempt()
            if scheduled.state is State.SCHEDULED:
                cached.merge(rows, student=student)
            self._attempts.put((sitting, student), cached)
            return cached

        return await self._keeper.run_tracked(admitted, read)
