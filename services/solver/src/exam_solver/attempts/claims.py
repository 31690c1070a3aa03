"""One attempt per student and exam: a student who has begun in one sitting starts in no other one of the exam.

Sittings have partitions of their own, and solvers know of other solvers' starts only by the log. So a start first
claims the exam for its sitting, by the one kind of write of which exactly one succeeds, and is recorded only if the
claim is its own.
"""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from exam_answerlog.log import AnswerLog
from exam_core.answers import Claim, Start
from exam_core.buckets import bucket_of
from exam_core.fold import latest_start
from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import Attempts, OtherSitting, ScheduledSitting, State

_FINISHED = frozenset({State.SEALED, State.CANCELLED})
"""States in which no start can be acknowledged any more, or in which it does not count."""


class ExamClaims:
    """Claims exams for the sittings in which students begin them."""

    def __init__(self, log: AnswerLog) -> None:
        self._log = log

    async def claim(self, sitting: ScheduledSitting, *, student: int, now: int) -> None:
        """Claim the sitting's exam for it, unless the exam allows an attempt in each sitting.

        A claim that led to no start, because a process was killed in between, is replaced once its sitting is finished.

        Raises:
            Problem: ALREADY_ATTEMPTED, with the other sitting and when its attempt began; UNAVAILABLE while this solver
                does not know the other sitting.
            AnswerLogUnavailableError: the log did not respond; retrying is safe.
        """
        exam = sitting.exam
        if exam is None or exam.attempts is Attempts.EACH_SITTING:
            return
        others = {other.id: other for other in exam.others}
        await self._check_others(others, student)
        own = Claim(exam=exam.id, student=student, sitting=sitting.id, claimed_at=now)
        stored = await self._log.claim(own)
        while stored.sitting != sitting.id:
            other = others.get(stored.sitting)
            if other is None:
                raise Problem(
                    ProblemKind.UNAVAILABLE,
                    "you began this exam in a sitting of which this solver does not know yet; try again",
                    retry_after=1,
                )
            await self._check_others({other.id: other}, student)
            if other.state not in _FINISHED:
                raise _claimed(stored)
            stored = await self._log.claim(own, instead_of=other.id)

    async def _check_others(self, others: Mapping[UUID, OtherSitting], student: int) -> None:
        """Check that the student has begun in none of these sittings, those of a release without claims included."""
        counting = [other for other in others.values() if other.state is not State.CANCELLED]
        for other, start in zip(
            counting, await asyncio.gather(*(self._start_in(other, student) for other in counting)), strict=True
        ):
            if start is not None:
                raise already_attempted(other.id, start.started_at)

    async def _start_in(self, other: OtherSitting, student: int) -> Start | None:
        rows = await self._log.read_student(other.id, bucket_of(student, other.buckets), student)
        return latest_start(rows.starts)


def already_attempted(other: UUID, started_at: int) -> Problem:
    """The problem of a student who has begun the exam in another sitting."""
    return Problem(
        ProblemKind.ALREADY_ATTEMPTED,
        f"you began this exam at {rfc3339(started_at)} in another sitting ({other}), and it allows one attempt: ask"
        " your teacher if you are to take it again",
        sitting=str(other),
        started_at=rfc3339(started_at),
    )


def _claimed(claim: Claim) -> Problem:
    """The problem of a student whose start in another sitting is under way, or was interrupted."""
    return Problem(
        ProblemKind.ALREADY_ATTEMPTED,
        f"you asked to begin this exam at {rfc3339(claim.claimed_at)} in another sitting ({claim.sitting}), and it"
        " allows one attempt: continue there; if that never began, you can begin here once that sitting is sealed",
        sitting=str(claim.sitting),
        started_at=rfc3339(claim.claimed_at),
    )
