"""Start an attempt, or resume it on another device or after a crash.

The latest start holds, whichever process recorded it; the deadline, the questions and their order follow from it.
"""

from dataclasses import dataclass
from uuid import UUID

from exam_answerlog.log import AnswerLog, AnswerLogUnavailableError
from exam_core.answers import Start
from exam_core.buckets import bucket_of
from exam_core.deadlines import Deadline
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import ScheduledSitting
from exam_core.shuffle import seed_of
from exam_core.tokens import Access
from exam_solver.attempts.admission import check_may_start, check_not_over, deadline_of
from exam_solver.attempts.cache import AttemptCache, CachedAttempt
from exam_solver.attempts.claims import ExamClaims
from exam_solver.attempts.codes import CodeChecker
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.snapshot import Admitted, no_lease
from exam_solver.papers.loader import PaperLoader
from exam_solver.papers.shown import LoadedPaper


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedAttempt:
    """An attempt in progress; `created` is true if this call started it."""

    created: bool
    now: int
    start: Start
    deadline: Deadline
    paper: LoadedPaper
    cached: CachedAttempt


class StartService:
    """Starts and resumes attempts.

    Args:
        keeper: the lease.
        log: the answer log.
        papers: the papers.
        attempts: the cached attempts.
        codes: checks access codes.
        seed_secret: the secret of the order of questions, which all solvers share. A start records the seed, so that a
            resume needs no secret.
    """

    def __init__(
        self,
        *,
        keeper: LeaseKeeper,
        log: AnswerLog,
        papers: PaperLoader,
        attempts: AttemptCache,
        codes: CodeChecker,
        seed_secret: bytes,
    ) -> None:
        self._keeper = keeper
        self._codes = codes
        self._log = log
        self._claims = ExamClaims(log)
        self._papers = papers
        self._attempts = attempts
        self._seed_secret = seed_secret

    async def start_or_resume(
        self, access: Access, sitting_id: UUID, *, address: str, code: str | None = None
    ) -> StartedAttempt:
        """Resume the student's attempt, or start it.

        Level, named students and access code are checked at the start only, so that a student who moves to another year
        keeps a started attempt. The address is checked here alone, where the paper is handed out: an answer is never
        lost because a device in the room got another address.

        Args:
            access: the student.
            sitting_id: the sitting.
            address: the client's address.
            code: the access code that the student sent.

        Raises:
            Problem: NOT_FOUND, CANCELLED, STARTS_OVER, WRONG_LEVEL, NOT_OPEN_YET, PAUSED, ADDRESS_NOT_ALLOWED,
                NOT_NAMED, ACCESS_CODE_REQUIRED, ACCESS_CODE_WRONG, TOO_MANY_REQUESTS, ALREADY_ATTEMPTED, UNAVAILABLE.
            AnswerLogUnavailableError: the log did not respond; retrying is safe.
        """
        admitted = self._keeper.admit()
        sitting = admitted.sitting(sitting_id)
        check_not_over(sitting)
        if admitted.now < sitting.window.opens_at:
            _check_may_start(admitted, sitting, access)  # no attempt can exist yet, so the log need not be read
        sitting.entry.check_address(address)
        # All that can fail is done before the start is recorded, because from then on the student's time runs.
        paper = await self._papers.paper(sitting.paper)
        cached = await self._attempts.reload(sitting_id, access.subject)
        created = cached.start is None and await self._start(access, sitting_id, cached, code)
        if cached.start is None:
            raise AnswerLogUnavailableError("a start was written but cannot be read")
        return StartedAttempt(
            created=created,
            now=self._keeper.time(),
            start=cached.start,
            deadline=deadline_of(
                self._keeper.sitting(sitting_id), student=access.subject, started_at=cached.start.started_at
            ),
            paper=paper,
            cached=cached,
        )

    async def _start(self, access: Access, sitting_id: UUID, cached: CachedAttempt, code: str | None) -> bool:
        """Record a start; return whether it is the one that holds."""
        admitted = self._keeper.admit()
        sitting = admitted.sitting(sitting_id)
        _check_may_start(admitted, sitting, access)
        await self._codes.check(sitting, student=access.subject, code=code)
        checked, admitted = sitting.entry.code, self._keeper.admit()
        sitting = admitted.sitting(sitting_id)
        _check_may_start(admitted, sitting, access)
        if sitting.entry.code != checked:
            raise Problem(
                ProblemKind.UNAVAILABLE, "the access code of the sitting was changed just now; try again", retry_after=1
            )
        start = Start(
            student=access.subject,
            started_at=admitted.now,
            solver=admitted.admission.holder,
            epoch=admitted.admission.epoch,
            seed=seed_of(self._seed_secret, sitting.id, access.subject),
        )

        async def append() -> None:
            # Part of the work in flight: a sitting is not sealed while a claim of it may still become a start.
            await self._claims.claim(sitting, student=access.subject, now=admitted.now)
            bucket = bucket_of(access.subject, sitting.buckets)
            await self._log.append_start(sitting.id, bucket, start)
            rows = await self._log.read_student(sitting.id, bucket, access.subject)
            if not self._keeper.held_since(admitted):
                raise no_lease()
            cached.merge(rows, student=access.subject)

        await self._keeper.run_tracked(admitted, append)
        return cached.start == start


def _check_may_start(admitted: Admitted, sitting: ScheduledSitting, access: Access) -> None:
    check_may_start(sitting, level=access.level, now=admitted.now, as_of=admitted.as_of)
    sitting.entry.check_student(access.subject)
