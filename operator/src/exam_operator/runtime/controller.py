"""The controller: connects event sources (watch, full lists, deadlines) to the work queue, and the queue to workers."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from exam_core.canonical import JsonObject
from exam_operator import metrics
from exam_operator.clients.errors import NotLeadingError, UnavailableError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.settled import is_settled
from exam_operator.model.exam import Exam, ExamKey, UnreadableExamError, key_of
from exam_operator.model.status import WARM_PHASES
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.canary import Canary
from exam_operator.runtime.reconciler import Reconciler
from exam_operator.runtime.workqueue import WorkQueue
from exam_runtime.health import CheckResult

log = structlog.get_logger(__name__)


def utc_now() -> int:
    """This machine's UTC time in µs."""
    return time.time_ns() // 1000  # noqa: TID251 - due times and the canary, until web has answered


class Controller:
    """Adds Exams to the work queue and runs the workers that reconcile them.

    Args:
        kube: the API server.
        queue: Exams by the time at which they are due.
        canary: detects a stalled watch.
        cache: all Exams.
        namespaces: the namespaces to list; all when empty.
        resync: seconds between full lists.
    """

    def __init__(
        self,
        kube: KubernetesClient,
        queue: WorkQueue[ExamKey],
        canary: Canary,
        cache: ExamCache,
        *,
        namespaces: Sequence[str],
        resync: float,
    ) -> None:
        self._kube = kube
        self._queue = queue
        self._canary = canary
        self._cache = cache
        self._namespaces = namespaces
        self._resync = resync
        self._listed = False

    def on_watch_event(self, body: JsonObject, *, deleted: bool) -> None:
        """Handle an event of the watch."""
        self._canary.watch_delivered(body, deleted=deleted)
        # A version that reconciling has read or written is not a change.
        if deleted or not self._cache.is_current(body):
            self._queue.add(key_of(body))
        if not deleted:
            self._cache.put(body)

    def requeue_warm(self) -> None:
        """Reconcile every Exam whose status reports the number of ready solver pods."""
        for exam in self._cache:
            if exam.status.phase in WARM_PHASES:
                self._queue.add(exam.key)

    def requeue_all(self) -> None:
        """Reconcile every Exam that is known: this process begins to act."""
        for exam in self._cache:
            self._queue.add(exam.key)

    def check_watch(self) -> CheckResult:
        """Whether the watch delivers what lists show; if not, the process has to be restarted."""
        stalled = self._canary.stalled(utc_now())
        return CheckResult(ok=False, detail=stalled) if stalled else CheckResult(ok=True)

    def check_synced(self) -> CheckResult:
        """Whether all Exams have been listed once."""
        return CheckResult(ok=True) if self._listed else CheckResult(ok=False, detail="no list of Exams has succeeded")

    def update_gauges(self) -> None:
        """Set the gauges that are computed when they are scraped."""
        metrics.QUEUE.set(len(self._queue))
        metrics.EXAMS.set(len(self._cache))

    async def resync(self) -> None:
        """List all Exams periodically and requeue those that may change; runs until cancelled.

        This finds what the watch has missed, and what has changed on the platform.
        """
        while True:
            try:
                await self._list()
            except UnavailableError as error:
                log.warning("list_deferred", error=str(error))
            await asyncio.sleep(self._resync)

    async def work(self, reconciler: Reconciler) -> None:
        """Reconcile the Exams that are due, one after the other; runs until cancelled."""
        while True:
            key = await self._queue.get()
            try:
                with metrics.RECONCILE_SECONDS.time():
                    requeue_after = await reconciler.reconcile(key)
                if requeue_after is not None:
                    self._queue.add(key, utc_now() + requeue_after)
            except NotLeadingError as error:
                # The Lease was lost. The next term of this replica begins with all Exams.
                log.info("reconcile_ended", exam=str(key), error=str(error))
            finally:
                self._queue.done(key)

    async def _list(self) -> None:
        bodies: list[JsonObject] = []
        for namespace in self._namespaces or (None,):
            bodies += await self._kube.list_exams(namespace)
        self._canary.listed(bodies, utc_now())
        due = [key_of(body) for body in bodies if not (self._cache.is_current(body) and _is_settled(body))]
        # An Exam that no longer exists is reconciled once more, which drops what is kept about it.
        due += self._cache.replace_all(bodies)
        for key in due:
            self._queue.add(key)
        self._listed = True


def _is_settled(body: JsonObject) -> bool:
    try:
        return is_settled(Exam.from_json(body), utc_now())
    except UnreadableExamError:
        return False
