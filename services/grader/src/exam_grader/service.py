"""What a grader process does, put together from its parts once a process."""

from collections.abc import Callable, Iterator
from uuid import UUID

import structlog
from celery import Celery

from exam_core.problems import Problem
from exam_grader import metrics
from exam_grader.answerlog import Store
from exam_grader.broker.redis_broker import Broker
from exam_grader.coordination.coordinator import LOST_RACE, Coordinator, Phase, Report, Tell
from exam_grader.coordination.lock import SittingLock
from exam_grader.coordination.progress import Progress
from exam_grader.coordination.sitting import DjangoSitting, Tools
from exam_grader.grading.chunk import grade_chunk, ledger_full
from exam_grader.settings import GraderSettings
from exam_web.sittings import selectors, services
from exam_web.sittings.models import Revision

log = structlog.get_logger(__name__)


class Grader:
    """Everything the commands and tasks call."""

    def __init__(self, environment: GraderSettings, store: Store, app: Celery, broker: Broker) -> None:
        self.environment = environment
        self._store = store
        self._app = app
        self._broker = broker

    def begin(self) -> None:
        """Begin to connect; called in each process that grades, after it was forked."""
        self._store.open()

    def find(self, name_or_id: str) -> UUID:
        """The id of a sitting; raises Problem when there is none."""
        return selectors.sitting_named(name_or_id).id

    def coordinator(
        self,
        sitting: UUID,
        number: int,
        *,
        tell: Tell,
        halt: Callable[[], bool] = lambda: False,
        stop: bool = False,
        local: bool = False,
        parallelism: int | None = None,
    ) -> Coordinator:
        """A coordinator for one revision of one sitting."""
        tools = Tools(
            app=self._app,
            broker=self._broker,
            store=self._store,
            stall_seconds=self.environment.grader_stall_seconds,
            seal_parallelism=parallelism or self.environment.grader_seal_parallelism,
        )
        return Coordinator(
            desk=DjangoSitting(tools, sitting, number),
            number=number,
            tell=tell,
            halt=halt,
            stop=stop,
            local=local,
            stall_seconds=self.environment.grader_stall_seconds,
            reenqueued=metrics.REENQUEUED.inc,
        )

    def coordinate(self, sitting: UUID, number: int) -> Report:
        """Carry a sitting as far as it goes now; leave it to another coordinator that is at it."""
        with SittingLock(self.environment.database_dsn, sitting) as lock:
            if not lock.take():
                return Report(phase=Phase.WAITING, text="another coordinator is at work on it")
            return self.coordinator(sitting, number, tell=Progress(None)).advance()

    def grade_chunk(self, sitting: UUID, number: int, chunk: int) -> bool:
        """Grade one chunk; False when the ledger had it already."""
        return grade_chunk(self._store, self._revision(sitting, number), chunk)

    def ledger_full(self, sitting: UUID, number: int) -> bool:
        """Whether all chunks of a revision are graded."""
        return ledger_full(self._revision(sitting, number))

    def close_due(self) -> Iterator[tuple[UUID, int]]:
        """Close what is over; then every (sitting, revision number) that is on its way to degrees."""
        for sitting in selectors.sittings_due():
            try:
                services.sitting_close(sitting=sitting.id)
            except Problem as problem:
                if problem.kind not in LOST_RACE:
                    raise
                log.info("somebody else was faster", sitting=str(sitting.id), why=problem.detail)
        yield from selectors.revisions_unfinished()

    def _revision(self, sitting: UUID, number: int) -> Revision:
        return Revision.objects.select_related("sitting").get(sitting=sitting, number=number)
