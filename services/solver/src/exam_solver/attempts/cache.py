"""The attempts that this process has in memory, so that saving an answer needs no read of the log.

An attempt is loaded from the log at the first request for it. The cache is not authoritative: another process may have
written more, and the seal is derived from the log alone. What it has as saved is certain: a repeated answer may be
acknowledged again, a lower seq refused. What it lacks is not: whatever follows from that is decided after a read.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from exam_answerlog.log import AnswerLog, Rows
from exam_core.answers import Answer, Start
from exam_core.buckets import bucket_of
from exam_core.fold import SealedBucket, fold_answers, latest_start
from exam_core.schedule import State
from exam_solver.attempts.seqs import SeqRun
from exam_solver.caching.lru import Lru
from exam_solver.caching.single_flight import SingleFlight
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import no_lease

if TYPE_CHECKING:
    from exam_core.answer_value import AnswerValue

AttemptKey = tuple[UUID, int]
"""Sitting and student."""


class CachedAttempt:
    """One attempt.

    Attributes:
        saved: by question the highest saved answer; it counts unless a higher one is saved.
        pending: the answers being written, by question and seq.
        unconfirmed: the ids of answers whose write has not ended, or failed; they may be saved, now or later.
        undecided: the ids of answers that were found when the sitting was closing; only the seal decides on them.
        undecided_values: the question and the content of each of them.
        late: the ids of answers that were kept as late.
        seqs: the seqs seen.
        start: the start that holds.
        submitted_at: when the student first submitted, if ever.
        submission_undecided: whether a submission was found when the sitting was closing.
        sealed: whether the attempt is as in the seal, so that it cannot change any more.
    """

    __slots__ = (
        "_failed",
        "_rows",
        "late",
        "pending",
        "saved",
        "sealed",
        "seqs",
        "start",
        "submission_undecided",
        "submitted_at",
        "unconfirmed",
        "undecided",
        "undecided_values",
    )

    def __init__(self) -> None:
        self.saved: dict[int, Answer] = {}
        self.pending: dict[tuple[int, int], UUID] = {}
        self.unconfirmed: set[UUID] = set()
        self.undecided: set[UUID] = set()
        self.undecided_values: set[tuple[int, AnswerValue]] = set()
        self.late: set[UUID] = set()
        self.seqs = SeqRun()
        self.start: Start | None = None
        self.submitted_at: int | None = None
        self.submission_undecided = False
        self.sealed = False
        self._rows = 0
        self._failed = 0

    @property
    def highest_seq(self) -> int:
        """The highest seq of any question; a device continues above it."""
        return max(self.seqs.highest, max((answer.seq for answer in self.saved.values()), default=0))

    @property
    def rows(self) -> int:
        """How many rows the attempt has in the log at most, if no other process writes to it.

        A write that failed counts until the log is read again.
        """
        return self._rows + self._failed + len(self.pending) + len(self.late)

    def merge(self, rows: Rows, *, student: int) -> None:
        """Add the student's rows from the log, in which a write that failed before may be found."""
        self.add_saved(fold_answers(rows.answers).values())
        self.unconfirmed.difference_update(answer.answer_id for answer in rows.answers)
        self.seqs.merge((answer.seq, answer.question) for answer in rows.answers)
        in_flight = set(self.pending.values())
        self._rows = max(self._rows, sum(answer.answer_id not in in_flight for answer in rows.answers))
        self._failed = 0
        self._merge_start(rows.starts, student=student)
        for submission in rows.submissions:
            self.add_submission(submission.submitted_at)

    def merge_sealed(self, rows: Rows, sealed: SealedBucket, *, student: int) -> None:
        """Add those of the student's rows that the seal counts; no other can count any more."""
        counted: set[tuple[int, UUID, int]] = set()
        for attempt in sealed.students:
            if attempt.student == student:
                counted.update((answer.question, answer.answer_id, answer.received_at) for answer in attempt.answers)
                self.submitted_at = attempt.submitted_at
        self.add_saved(
            answer for answer in rows.answers if (answer.question, answer.answer_id, answer.received_at) in counted
        )
        self.unconfirmed.clear()
        self.undecided.clear()
        self.undecided_values.clear()
        self.submission_undecided = False
        self.sealed = True

    def add_undecided(self, rows: Rows) -> None:
        """Add rows of the log of which a seal that is being written may have some and lack others."""
        in_time = [answer for answer in rows.answers if answer.in_time]
        self.undecided.update(answer.answer_id for answer in in_time)
        self.undecided_values.update((answer.question, answer.answer) for answer in in_time)
        self.submission_undecided = bool(rows.submissions)

    def add_pending(self, answers: Sequence[Answer]) -> None:
        """Add answers that are about to be written."""
        for answer in answers:
            self.pending[answer.question, answer.seq] = answer.answer_id
            self.unconfirmed.add(answer.answer_id)

    def end_pending(self, answers: Sequence[Answer], *, saved: bool) -> None:
        """Record that a write ended: the answers are saved, or may or may not be."""
        for answer in answers:
            if self.pending.get((answer.question, answer.seq)) == answer.answer_id:
                del self.pending[answer.question, answer.seq]
        if saved:
            self._rows += len(answers)
            self.unconfirmed.difference_update(answer.answer_id for answer in answers)
            self.add_saved(answers)
        else:
            self._failed += len(answers)
            for answer in answers:
                self.seqs.break_at(answer.seq)

    def add_saved(self, answers: Iterable[Answer]) -> None:
        """Add answers that are in time and saved."""
        for answer in answers:
            current = self.saved.get(answer.question)
            if current is None or answer.rank > current.rank:
                self.saved[answer.question] = answer

    def add_submission(self, submitted_at: int) -> None:
        """Add a saved submission; the earliest holds."""
        self.submitted_at = submitted_at if self.submitted_at is None else min(submitted_at, self.submitted_at)

    def _merge_start(self, starts: Iterable[Start], *, student: int) -> None:
        known = () if self.start is None else (self.start,)
        self.start = latest_start(start for start in (*starts, *known) if start.student == student)


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
            bucket = bucket_of(student, scheduled.buckets)
            rows = await self._log.read_student(sitting, bucket, student)
            sealed = await self._log.read_sealed(sitting, bucket) if scheduled.state is State.SEALED else None
            if not self._keeper.held_since(admitted):
                raise no_lease()
            cached = self._attempts.get((sitting, student)) or CachedAttempt()
            if scheduled.state is State.SCHEDULED:
                cached.merge(rows, student=student)
            elif sealed is not None:
                cached.merge_sealed(rows, sealed, student=student)
            else:
                cached.add_undecided(rows)
            self._attempts.put((sitting, student), cached)
            return cached

        return await self._keeper.run_tracked(admitted, read)
