"""Scales the Deployments of solver, web and grader to the demand of all sittings.

There is one autoscaler and one disruption budget for each Deployment, not one per sitting.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND
from exam_operator import metrics
from exam_operator.clients.errors import ConflictError, NotLeadingError, UnavailableError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.demand import Demand, PlatformLimits, PodRange, demand, solvers_wanted
from exam_operator.decide.manifests import autoscaler, disruption_budget
from exam_operator.decide.pod_faults import pod_fault
from exam_operator.model.exam import Exam, ExamKey
from exam_operator.model.observed import PodFault, SolverCapacity
from exam_operator.runtime.cache import ExamCache

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
"""Poll interval while pods are not ready, or after an error."""
BATCH_SECONDS = 0.25
"""How long changes are collected: hundreds of sittings that end together are one change of demand."""


class Deployments(NamedTuple):
    """The namespace and the names of the Deployments that are scaled."""

    namespace: str
    solvers: str
    graders: str
    web: str


class _Solvers(NamedTuple):
    """The solver pods as last observed."""

    kept: int
    ready: int
    fault: PodFault | None


class Scaling:
    """Writes the demand to the autoscalers and tracks how many solver pods are ready.

    Args:
        kube: the API server.
        cache: all Exams.
        now: the platform's time in µs.
        deployments: what is scaled.
        limits: what the platform allows.
        resync: seconds after which everything is applied again, whether it has changed or not.
    """

    def __init__(
        self,
        kube: KubernetesClient,
        cache: ExamCache,
        now: Callable[[], int],
        deployments: Deployments,
        limits: PlatformLimits,
        *,
        resync: float,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._now = now
        self._deployments = deployments
        self._limits = limits
        self._resync = resync
        self._on_change: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()
        self._applied: dict[str, tuple[float, JsonObject]] = {}
        self._changed = False
        self._solvers: _Solvers | None = None

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call a function whenever the number of ready or reserved solver pods has changed, or their fault."""
        self._on_change = on_change

    def wake(self) -> None:
        """Recompute the demand now: something that it depends on has changed."""
        self._wake.set()

    def open_sittings(self) -> tuple[ExamKey, ...]:
        """The Exams whose sittings are open now, from their pre-warming until their drain."""
        return self._demand(self._now()).open_sittings

    def capacity(self, exam: Exam, now: int) -> SolverCapacity | None:
        """The solver pods for one sitting at an instant (platform's time, µs); None before the first observation."""
        if self._solvers is None:
            return None
        return SolverCapacity(
            # The demand of now, not the one last written: a sitting that begins to warm up is not ready with the old
            # pods.
            needed=self._demand(now).solvers.needed,
            limit=self._limits.solvers,
            ready=self._solvers.ready,
            kept=self._solvers.kept,
            wanted=solvers_wanted(exam),
            fault=self._solvers.fault,
        )

    async def run(self) -> None:
        """Scale until cancelled. Starts when all Exams are listed: a new process must not lower others' capacity."""
        await self._cache.wait_synced()
        # Another replica may have applied something else since this one last led.
        self._applied.clear()
        while True:
            self._wake.clear()
            self._changed = False
            wanted = self._demand(self._now())
            try:
                ready = await self._apply(wanted)
            except (UnavailableError, ConflictError, NotLeadingError) as error:
                log.warning("scaling_deferred", error=str(error))
                ready = None
            wait = self._resync
            # After a change, look once more: an autoscaler may have scaled between the read and the write, and its
            # maximum must not fall below the present number of pods.
            if ready is None or ready < wanted.solvers.floor or self._changed:
                wait = min(wait, RETRY_SECONDS)
            if wanted.changes_at is not None:
                wait = min(wait, max(0.0, (wanted.changes_at - self._now()) / SECOND))
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(BATCH_SECONDS)

    def _demand(self, now: int) -> Demand:
        return demand(self._cache, now, self._limits)

    async def _apply(self, wanted: Demand) -> int:
        """Apply autoscalers and budgets; returns how many solver pods are ready."""
        solver = await self._scale(self._deployments.solvers, wanted.solvers, wanted.open_sittings)
        ready = 0 if solver is None else _ready_replicas(solver)
        fault = await self._solver_fault(solver) if ready < wanted.solvers.floor else None
        metrics.SOLVERS_WANTED.set(wanted.solvers.needed)
        metrics.SOLVERS_READY.set(ready)
        solvers = _Solvers(wanted.solvers.floor, ready, fault)
        if solvers != self._solvers:
            self._solvers = solvers
            reason = None if fault is None else fault.reason
            log.info("solver_capacity_changed", wanted=wanted.solvers.needed, ready=ready, fault=reason)
            self._on_change()
        await self._scale(self._deployments.web, wanted.web, wanted.open_sittings)
        # Graders serve no students: they are scaled down and evicted at any time.
        await self._scale(self._deployments.graders, wanted.graders, ())
        return ready

    async def _solver_fault(self, solver: JsonObject | None) -> PodFault | None:
        pods = [] if solver is None else await self._kube.list_pods(solver)
        return pod_fault(self._deployments.solvers, self._deployments.namespace, solver, pods)

    async def _scale(self, name: str, pods: PodRange, open_sittings: Sequence[ExamKey]) -> JsonObject | None:
        """Apply the autoscaler and budget of a Deployment; returns the Deployment, None when it does not exist."""
        deployment = await self._kube.get_deployment(name)
        if deployment is None:
            log.warning("deployment_not_found", deployment=name)
            return None
        await self._apply_changed(self._kube.apply_autoscaler, autoscaler(deployment, pods, keep=bool(open_sittings)))
        await self._apply_changed(self._kube.apply_disruption_budget, disruption_budget(deployment, open_sittings))
        return deployment

    async def _apply_changed(self, apply: Callable[[JsonObject], Awaitable[None]], body: JsonObject) -> None:
        """Apply an object, unless this process has applied the same one within the resync interval."""
        key = f"{body['kind']}/{body['metadata']['name']}"
        clock = asyncio.get_running_loop().time
        at, last = self._applied.get(key, (0.0, None))
        if last == body and clock() < at + self._resync:
            return
        await apply(body)
        self._changed |= last != body
        self._applied[key] = (clock(), body)


def _ready_replicas(deployment: JsonObject) -> int:
    """The ready pods, without those that are being scaled down."""
    ready: int = deployment.get("status", {}).get("readyReplicas", 0)
    replicas: int = deployment["spec"].get("replicas", 1)
    return min(ready, replicas)
