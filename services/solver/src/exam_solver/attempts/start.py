"""Starting an attempt, and finding it again on another device or after a crash.

The earliest start holds, whichever process recorded it; deadline and order of questions follow from it.
"""

from dataclasses import dataclass
from uuid import UUID

from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError
from exam_core.answers import Start
from exam_core.buckets import bucket_of
from exam_core.deadlines import Deadline
from exam_core.schedule import ScheduledSitting
from exam_core.shuffle import seed_of
from exam_core.tokens import Access
from exam_solver.attempts.admission import check_not_over, deadline_of, judge_start
from exam_solver.attempts.cache import Attempts, Remembered
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import Admitted, no_lease
from exam_solver.papers.loader import PaperShelf, ShelvedPaper


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt under way. `created`: this call began it."""

    created: bool
    now: int
    start: Start
    deadline: Deadline
    paper: ShelvedPaper
    remembered: Remembered


class StartService:
    """Begins attempts and resumes them."""

    def __init__(self, *, keeper: LeaseKeeper, log: AnswerLog, papers: PaperShelf, attempts: Attempts) -> None:
        self._keeper = keeper
        self._log = log
        self._papers = papers
        self._attempts = attempts

    async def begin(self, access: Access, sitting_id: UUID) -> Begun:
        """Resume the student's attempt, or start it.

        The level is checked at the start only, so that a student who moves to another year keeps what was begun.

        Raises:
            Problem: NOT_FOUND, CANCELLED, STARTS_OVER, WRONG_LEVEL, NOT_OPEN_YET, PAUSED, UNAVAILABLE.
            AnswerLogUnavailableError: the log did not answer; trying again is safe.
        """
        admitted = self._keeper.admit()
        sitting = admitted.sitting(sitting_id)
        check_not_over(sitting)
        if admitted.now < sitting.window.opens_at:
            _judge(admitted, sitting, access)  # nobody can have begun: the log need not be asked
        # Whatever can fail comes before the start is recorded, because then the student's time runs.
        paper = await self._papers.paper(sitting.paper)
        remembered = await self._attempts.read(sitting_id, access.subject)
        created = remembered.start is None and await self._start(access, sitting_id, remembered)
        if remembered.start is None:
            raise AnswerLogUnavailableError("a start was written but cannot be read")
        return Begun(
            created=created,
            now=self._keeper.time(),
            start=remembered.start,
            deadline=deadline_of(
                self._keeper.sitting(sitting_id), student=access.subject, started_at=remembered.start.started_at
            ),
            paper=paper,
            remembered=remembered,
        )

    async def _start(self, access: Access, sitting_id: UUID, remembered: Remembered) -> bool:
        """Record a start; whether it is the one that holds."""
        admitted = self._keeper.admit()
        sitting = admitted.sitting(sitting_id)
        _judge(admitted, sitting, access)
        start = Start(
            student=access.subject,
            started_at=admitted.now,
            solver=admitted.admission.holder,
            epoch=admitted.admission.epoch,
            seed=seed_of(sitting.id, access.subject),
        )

        async def work() -> None:
            bucket = bucket_of(access.subject, sitting.buckets)
            await self._log.append_start(sitting.id, bucket, start)
            rows = await self._log.read_student(sitting.id, bucket, access.subject)
            if not self._keeper.unbroken(admitted):
                raise no_lease()
            remembered.learn(rows, student=access.subject)

        await self._keeper.carry(admitted, work)
        return remembered.start == start


def _judge(admitted: Admitted, sitting: ScheduledSitting, access: Access) -> None:
    judge_start(sitting, level=access.level, now=admitted.now, lease_age=admitted.lease_age)
