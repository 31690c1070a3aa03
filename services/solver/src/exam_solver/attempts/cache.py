"""What this process remembers of attempts, so that an answer needs no read: loaded from the log at first contact.

It is memory, not truth. Another process may know more, and the seal decides by what is in the log; here it serves to
refuse what is older than what a student already has, to acknowledge a repeated answer again, and to bound rows.
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

Place = tuple[UUID, int]
"""Sitting and student."""


class Remembered:
    """One attempt.

    Attributes:
        saved: by question the highest answer that is known to be counted unless a higher one comes.
        pending: what is being written, by question and seq.
        late: requests that were kept as late.
        rows: how many rows the attempt has in the log, as far as known.
        start: the start that holds.
        submitted_at: when the student first said they are done, if they did.
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
        """The highest seq saved for any question; a device goes on above it."""
        return max((answer.seq for answer in self.saved.values()), default=0)

    def learn(self, rows: Rows, *, student: int) -> None:
        """Add what the log holds of the student."""
        self.save(fold_answers(rows.answers).values())
        self.rows = max(self.rows, len(rows.answers))
        held = (*rows.starts, *(() if self.start is None else (self.start,)))
        self.start = earliest_start(start for start in held if start.student == student)
        for submission in rows.submissions:
            self.submit(submission.submitted_at)

    def begin(self, answers: Sequence[Answer]) -> None:
        """Note answers that are about to be written."""
        self.rows += len(answers)
        for answer in answers:
            self.pending[answer.question, answer.seq] = answer.answer_id

    def end(self, answers: Sequence[Answer]) -> None:
        """Note that writing ended, one way or the other."""
        for answer in answers:
            if self.pending.get((answer.question, answer.seq)) == answer.answer_id:
                del self.pending[answer.question, answer.seq]

    def save(self, answers: Iterable[Answer]) -> None:
        """Note answers that are known to be in time and saved."""
        for answer in answers:
            known = self.saved.get(answer.question)
            if known is None or answer.rank > known.rank:
                self.saved[answer.question] = answer

    def submit(self, submitted_at: int) -> None:
        """Note a submission that is known to be saved; the earliest holds."""
        self.submitted_at = submitted_at if self.submitted_at is None else min(submitted_at, self.submitted_at)


class Attempts:
    """The attempts that this process remembers.

    Reads run as admissions do: registered in flight under a valid lease. So what a read finds at a sitting that was
    scheduled is in the log before the sitting can be sealed, and may be acknowledged again, even after the deadline.
    """

    def __init__(self, *, keeper: LeaseKeeper, log: AnswerLog, capacity: int) -> None:
        self._keeper = keeper
        self._log = log
        self._remembered: Lru[Place, Remembered] = Lru(capacity)
        self._reads: SingleFlight[Place, Remembered] = SingleFlight()

    async def recall(self, sitting: UUID, student: int) -> Remembered:
        """What is known of an attempt, read from the log when nothing is remembered."""
        place = (sitting, student)
        remembered = self._remembered.get(place)
        if remembered is None:
            remembered = await self._reads.run(place, lambda: self.read(sitting, student))
        return remembered

    async def read(self, sitting: UUID, student: int) -> Remembered:
        """What is known of an attempt after a read of the log, because another process may have been asked too.

        Raises:
            Problem: UNAVAILABLE when the lease did not hold.
            AnswerLogUnavailableError: the log did not answer.
        """
        admitted = self._keeper.admit()
        scheduled = admitted.sitting(sitting)

        async def work() -> Remembered:
            rows = await self._log.read_student(sitting, bucket_of(student, scheduled.buckets), student)
            if not self._keeper.unbroken(admitted):
                raise no_lease()
            remembered = self._remembered.get((sitting, student)) or Remembered()
            if scheduled.state is State.SCHEDULED:
                remembered.learn(rows, student=student)
            self._remembered.put((sitting, student), remembered)
            return remembered

        return await self._keeper.carry(admitted, work)
