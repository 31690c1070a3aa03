"""The operator as a whole: who wakes whom."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from exam_core.canonical import JsonObject
from exam_operator import metrics
from exam_operator.clients.errors import UnavailableError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.status import WARM
from exam_operator.model.exam import ExamKey, key_of
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.canary import Canary
from exam_operator.runtime.reconciler import IN_CIRCLES, Reconciler
from exam_operator.runtime.workqueue import WorkQueue

log = structlog.get_logger(__name__)


def utc_now() -> int:
    """This machine's UTC time in µs."""
    return time.time_ns() // 1000


class Operator:
    """Watches, lists and deadlines on one side, reconciling on the other; the queue between them.

    Args:
        kube: the API server.
        queue: which Exam is due when.
        canary: notices when the watch has gone silent.
        inventory: what was seen of all Exams.
        namespaces: whose Exams count; none for all.
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

    def watched(self, body: JsonObject, *, gone: bool) -> None:
        """The watch tells of an Exam."""
        self._canary.watched(body, gone=gone)
        # What a look at it has read or written already is no news.
        if gone or not self._cache.has(body):
            self._queue.add(key_of(body))
        if not gone:
            self._cache.keep(body)

    def wake_warm(self) -> None:
        """Look at every Exam that tells how many solver pods there are."""
        for resource in self._cache:
            if resource.status.get("phase") in WARM:
                self._queue.add(resource.key)

    def live(self) -> str:
        """Why the process should be started anew; empty when it need not."""
        return self._canary.silent(utc_now())

    def ready(self) -> str:
        """Why nothing is done yet; empty when it is."""
        return "" if self._listed else "the Exams have not been listed yet"

    def measure(self) -> None:
        """Set what is measured when somebody looks."""
        metrics.QUEUE.set(len(self._queue))
        metrics.EXAMS.set(len(self._cache))

    async def resync(self) -> None:
        """List everything now and then, and look at all of it: what no event told of is found here."""
        while True:
            try:
                await self._list()
            except UnavailableError as error:
                log.warning("listing is put off", why=str(error))
            await asyncio.sleep(self._resync)

    async def work(self, reconciler: Reconciler) -> None:
        """Reconcile what is due, one after the other, for ever."""
        while True:
            key = await self._queue.take()
            try:
                with metrics.RECONCILE_SECONDS.time():
                    again = await reconciler.reconcile(key)
                if again is not None:
                    self._queue.add(key, utc_now() + again)
            except Exception:
                # One Exam that nobody foresaw must not keep the others from theirs.
                metrics.RECONCILES.labels("fault").inc()
                log.exception("a fault", exam=str(key))
                self._queue.add(key, utc_now() + IN_CIRCLES)
            finally:
                self._queue.done(key)

    async def _list(self) -> None:
        bodies: list[JsonObject] = []
        for namespace in self._namespaces or (None,):
            bodies += await self._kube.exams(namespace)
        self._canary.listed(bodies, utc_now())
        for gone in self._cache.listed(bodies):
            self._queue.forget(gone)
        for body in bodies:
            self._queue.add(key_of(body))
        self._listed = True
