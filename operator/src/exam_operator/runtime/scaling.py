"""Scales the solver and grader Deployments to the demand of all sittings.

There are two autoscalers and two disruption budgets in all, not one per sitting.
"""

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
from exam_operator.model.exam import Exam
from exam_operator.model.observed import SolverCapacity
from exam_operator.runtime.cache import ExamCache

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
"""Poll interval while pods are not ready, or after an error."""
BATCH_SECONDS = 0.25
"""How long changes are collected: hundreds of sittings that end together are one change of demand."""


class Scaling:
    """Writes the demand to the autoscalers and tracks how many solver pods are ready.

    Args:
        kube: the API server.
        cache: all Exams.
        now: the platform's time in µs.
        namespace: the namespace of the Deployments.
        solvers: the name of the solver's Deployment.
        graders: the name of the grader's Deployment.
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
        self._on_change: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()
        self._kept_and_ready: tuple[int, int] | None = None

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call a function whenever the number of ready or reserved solver pods has changed."""
        self._on_change = on_change

    def wake(self) -> None:
        """Recompute the demand now: something that it depends on has changed."""
        self._wake.set()

    def capacity(self, exam: Exam, now: int) -> SolverCapacity | None:
        """The solver pods for one sitting at an instant (platform's time, µs); None before the first observation."""
        if self._kept_and_ready is None:
            return None
        kept, ready = self._kept_and_ready
        # The demand of now, not the one last written: a sitting that begins to warm up is not ready with the old pods.
        floor = self._demand(now).solvers
        return SolverCapacity(floor=floor, ready=ready, kept=kept, wanted=solvers_wanted(exam))

    async def run(self, *, resync: float) -> None:
        """Scale until cancelled. Starts when all Exams are listed: a new process must not lower others' capacity."""
        await self._cache.wait_synced()
        while True:
            self._wake.clear()
            wanted = self._demand(self._now())
            try:
                ready = await self._apply(wanted)
            except (UnavailableError, ConflictError) as error:
                log.warning("scaling_deferred", error=str(error))
                ready = None
            wait = resync
            if ready is None or ready < wanted.solvers:
                wait = RETRY_SECONDS
            if wanted.changes_at is not None:
                wait = min(wait, max(0.0, (wanted.changes_at - self._now()) / SECOND))
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(BATCH_SECONDS)

    def _demand(self, now: int) -> Demand:
        return demand(self._cache, now, max_jobs=self._max_jobs)

    async def _apply(self, wanted: Demand) -> int:
        """Apply autoscalers and budgets; returns how many solver pods are ready."""
        solver = await self._scale(self._solvers, wanted.solvers, wanted.solver_ceiling)
        await self._scale(self._graders, wanted.graders, wanted.graders)
        ready = 0 if solver is None else _ready_replicas(solver)
        metrics.SOLVERS_WANTED.set(wanted.solvers)
        metrics.SOLVERS_READY.set(ready)
        kept_and_ready = (wanted.solvers, ready)
        if kept_and_ready != self._kept_and_ready:
            self._kept_and_ready = kept_and_ready
            log.info("solver_capacity_changed", wanted=wanted.solvers, ready=ready)
            self._on_change()
        return ready

    async def _scale(self, name: str, floor: int, ceiling: int) -> JsonObject | None:
        """Apply the autoscaler and budget of a Deployment; returns the Deployment, None when it does not exist."""
        deployment = await self._kube.get_deployment(name)
        if deployment is None:
            log.warning("deployment_not_found", deployment=name)
            return None
        current = await self._kube.get_autoscaler(name)
        desired = autoscaler(name, namespace=self._namespace, floor=floor, ceiling=ceiling)
        if current is None or _bounds(current) != _bounds(desired):
            await self._kube.apply_autoscaler(desired)
        if await self._kube.get_disruption_budget(name) is None:
            selector = deployment["spec"]["selector"]
            budget = disruption_budget(name, namespace=self._namespace, selector=selector)
            await self._kube.apply_disruption_budget(budget)
        return deployment


def _ready_replicas(deployment: JsonObject) -> int:
    """The ready pods, without those that are being scaled down."""
    ready: int = deployment.get("status", {}).get("readyReplicas", 0)
    replicas: int = deployment["spec"].get("replicas", 1)
    return min(ready, replicas)


def _bounds(autoscaler: JsonObject) -> tuple[int, int]:
    return autoscaler["spec"].get("minReplicas", 1), autoscaler["spec"]["maxReplicas"]
