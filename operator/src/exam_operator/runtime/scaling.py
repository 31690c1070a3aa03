"""Keeps as many solver pods and graders as all sittings want: two autoscalers and two disruption budgets in all."""

import asyncio
from collections.abc import Callable

import structlog

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_operator import metrics
from exam_operator.clients.errors import ConflictError, UnavailableError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.demand import Demand, demand, solvers_wanted
from exam_operator.decide.manifests import autoscaler, disruption_budget
from exam_operator.decide.status import Capacity
from exam_operator.model.exam import Exam
from exam_operator.runtime.cache import ExamCache

log = structlog.get_logger(__name__)

SOON = 1.0
"""Seconds between looks while pods are awaited, or something failed."""
AT_ONCE = 0.25
"""Seconds for which changes are gathered: hundreds of sittings that end together are one change of demand."""


class Scaling:
    """Carries demand to the autoscalers, and knows how many solver pods are ready.

    Args:
        kube: the API server.
        inventory: all Exams, as last seen.
        now: the platform's time in µs.
        namespace: where the Deployments are.
        solvers: the name of the solver's Deployment.
        graders: the name of the graders' Deployment.
        max_jobs: how many grading Jobs may run at once.
    """

    def __init__(
        self,
        kube: KubernetesClient,
        cache: ExamCache,
        now: Callable[[], int],
        *,
        namespace: str,
        solvers: str,
        graders: str,
        max_jobs: int,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._now = now
        self._namespace = namespace
        self._solvers = solvers
        self._graders = graders
        self._max_jobs = max_jobs
        self._changed: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()
        self._known: tuple[int, int] | None = None

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have somebody called when the number of ready or wanted solver pods has changed."""
        self._changed = changed

    def wake(self) -> None:
        """Look again: something that demand depends on has changed."""
        self._wake.set()

    def capacity(self, resource: Exam, now: int) -> Capacity | None:
        """Solver pods as one sitting sees them at an instant (platform's time, µs); None while nothing is known."""
        if self._known is None:
            return None
        kept, ready = self._known
        # What is wanted by now, not when it was last carried: a sitting that begins to warm up is not ready by that.
        floor = self._demand(now).solvers
        return Capacity(floor=floor, ready=ready, kept=kept, wanted=solvers_wanted(resource))

    async def run(self, *, resync: float) -> None:
        """Keep scaling for ever, once every Exam is known: a new process must not lower what others wanted."""
        await self._cache.complete()
        while True:
            self._wake.clear()
            wanted = self._demand(self._now())
            try:
                ready = await self._carry(wanted)
            except (UnavailableError, ConflictError) as error:
                log.warning("scaling is put off", why=str(error))
                ready = None
            wait = resync
            if ready is None or ready < wanted.solvers:
                wait = SOON
            if wanted.changes_at is not None:
                wait = min(wait, max(0.0, (wanted.changes_at - self._now()) / SECOND))
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(AT_ONCE)

    def _demand(self, now: int) -> Demand:
        return demand(self._cache, now, max_jobs=self._max_jobs)

    async def _carry(self, wanted: Demand) -> int:
        """Make autoscalers and budgets as they should be; how many solver pods are ready."""
        solver = await self._one(self._solvers, wanted.solvers, wanted.solver_ceiling)
        await self._one(self._graders, wanted.graders, wanted.graders)
        ready = 0 if solver is None else _staying(solver)
        metrics.SOLVERS_WANTED.set(wanted.solvers)
        metrics.SOLVERS_READY.set(ready)
        known = (wanted.solvers, ready)
        if known != self._known:
            self._known = known
            log.info("solver pods", wanted=wanted.solvers, ready=ready)
            self._changed()
        return ready

    async def _one(self, deployment: str, floor: int, ceiling: int) -> JsonObject | None:
        """One Deployment's autoscaler and budget; the Deployment, None when there is none."""
        found = await self._kube.deployment(deployment)
        if found is None:
            log.warning("there is no such Deployment: its pods cannot be scaled", deployment=deployment)
            return None
        made = await self._kube.autoscaler(deployment)
        should = autoscaler(deployment, namespace=self._namespace, floor=floor, ceiling=ceiling)
        if made is None or _bounds(made) != _bounds(should):
            await self._kube.apply_autoscaler(should)
        if await self._kube.budget(deployment) is None:
            selector = found["spec"]["selector"]
            await self._kube.apply_budget(disruption_budget(deployment, namespace=self._namespace, selector=selector))
        return found


def _staying(deployment: JsonObject) -> int:
    """Its pods that are ready, without those that are on their way out."""
    ready: int = deployment.get("status", {}).get("readyReplicas", 0)
    wanted: int = deployment["spec"].get("replicas", 1)
    return min(ready, wanted)


def _bounds(made: JsonObject) -> tuple[int, int]:
    return made["spec"].get("minReplicas", 1), made["spec"]["maxReplicas"]
