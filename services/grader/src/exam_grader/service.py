"""The grader's service: what commands and tasks call, composed once per process."""

from collections.abc import Iterator
from uuid import UUID

import structlog
from celery import Celery

from exam_core.problems import Problem
from exam_grader import metrics
from exam_grader.answerlog import SyncAnswerLog
from exam_grader.broker.redis_broker import RedisBroker
from exam_grader.coordination.coordinator import CONFLICT_KINDS, Coordinator
from exam_grader.coordination.lock import SittingLock
from exam_grader.coordination.port import OnReport, Phase, Report, StopRequested
from exam_grader.coordination.progress import Progress
from exam_grader.coordination.sitting import DjangoSitting, SittingDependencies
from exam_grader.grading.chunk import grade_chunk, is_ledger_complete
from exam_grader.settings import GraderSettings
from exam_web.sittings import selectors, services
from exam_web.sittings.models import Revision

log = structlog.get_logger(__name__)


class GraderService:
    """Coordinates sittings and grades chunks."""

    def __init__(self, settings: GraderSettings, answerlog: SyncAnswerLog, app: Celery, broker: RedisBroker) -> None:
        self.settings = settings
        self._answerlog = answerlog
        self._app = app
        self._broker = broker

    def connect(self) -> None:
        """Start connecting to the answer log; called in each worker process after the fork."""
        self._answerlog.connect()

    def find_sitting(self, name_or_id: str) -> UUID:
        """The id of a sitting; raises Problem NOT_FOUND."""
        return selectors.sitting_named(name_or_id).id

    def coordinator(
        self,
        sitting: UUID,
        number: int,
        *,
        on_report: OnReport,
        stop_requested: StopRequested = lambda: False,
        stop: bool = False,
        local: bool = False,
        parallelism: int | None = None,
    ) -> Coordinator:
        """Create a coordinator for one revision of one sitting."""
        dependencies = SittingDependencies(
            app=self._app,
            broker=self._broker,
            answerlog=self._answerlog,
            stall_seconds=self.settings.grader_stall_seconds,
            seal_parallelism=parallelism or self.settings.grader_seal_parallelism,
        )
        return Coordinator(
            sitting=DjangoSitting(dependencies, sitting, number),
            number=number,
            on_report=on_report,
            stop_requested=stop_requested,
            stop=stop,
            local=local,
            stall_seconds=self.settings.grader_stall_seconds,
            on_reenqueue=metrics.REENQUEUED.inc,
        )

    def coordinate(self, sitting: UUID, number: int) -> Report:
        """Advance a sitting as far as possible now; do nothing while another coordinator holds its lock."""
        with SittingLock(self.settings.database_dsn, sitting) as lock:
            if not lock.acquire():
                return Report(phase=Phase.WAITING, text="another coordinator holds the lock")
            return self.coordinator(sitting, number, on_report=Progress(None)).advance()

    def grade_chunk(self, sitting: UUID, number: int, chunk: int) -> bool:
        """Grade one chunk; returns False if the ledger already has it."""
        return grade_chunk(self._answerlog, self._revision(sitting, number), chunk)

    def is_ledger_complete(self, sitting: UUID, number: int) -> bool:
        """Whether all chunks of a revision are graded."""
        return is_ledger_complete(self._revision(sitting, number))

    def close_due(self) -> Iterator[tuple[UUID, int]]:
        """Close sittings that are over, then yield (sitting, revision number) of all unfinished revisions."""
        services.leases_delete_expired()
        for sitting in selectors.sittings_due():
            try:
                services.sitting_close(sitting=sitting.id)
            except Problem as problem:
                if problem.kind not in CONFLICT_KINDS:
                    raise
                log.info("close_conflicted", sitting=str(sitting.id), detail=problem.detail)
        yield from selectors.revisions_unfinished()

    def _revision(self, sitting: UUID, number: int) -> Revision:
        return Revision.objects.select_related("sitting").get(sitting=sitting, number=number)
