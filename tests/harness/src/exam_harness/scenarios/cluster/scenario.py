"""The cluster's scenario: sample Exams applied to a real cluster, with faults while they are open and graded."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from exam_harness.environments.cluster.access import ClusterAccess
from exam_harness.environments.cluster.deploy import NAMESPACE as PLATFORM_NAMESPACE
from exam_harness.environments.cluster.replica_counts import ReplicaCounts, count_ready_replicas
from exam_harness.scenarios.exam_resources import NAMESPACE, ExamOutcome, ExamScenario, Timing, accounts_for
from exam_harness.scenarios.reporting.progress import Progress, Step
from exam_harness.scenarios.runner import SittingResult, run_scenario
from exam_harness.scenarios.sitting.checks import ScheduledSitting
from exam_harness.scenarios.sitting.samples import read_samples
from exam_harness.scenarios.sitting.store_readers import PostgresReader, Stores

_LEAD_SECONDS = 34
"""From applying to opening; most of it is for the solver pods to become ready."""
_PREWARM_SECONDS = 28
"""An autoscaler syncs every few seconds, and pods that start together on two cores are slow to become ready."""
_TIMEOUT_SECONDS = 150

Fault = Callable[["ClusterScenario"], Awaitable[None]]


async def no_fault(scenario: "ClusterScenario") -> None:
    """Inject nothing."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of a run."""

    students: int = 120
    seconds: int = 45
    seed: int = 2026
    fault_at: float = 0.4
    """When the fault is injected, as a share of the window."""
    extra_replicas: int = 1
    """How many solver pods the autoscaler may add to those that the candidates require."""


@dataclass(frozen=True, kw_only=True)
class ClusterResult:
    """The outcome of a run in a cluster.

    Attributes:
        sitting: the outcome of the sittings.
        exams: what the operator did.
        students: number of students, absent ones included.
        replicas: ready solver pods over time.
        floor: the number of solver pods that the candidates require.
        ungraded: Exams that were not graded yet when the fault during grading had been injected.
    """

    sitting: SittingResult
    exams: ExamOutcome
    students: int
    replicas: ReplicaCounts
    floor: int
    ungraded: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The faults of a run: one in the middle of the window, and one as soon as all sittings are being graded."""

    while_open: Fault = field(default=no_fault)
    while_grading: Fault = field(default=no_fault)


class ClusterScenario(ExamScenario):
    """One run in a cluster.

    Args:
        access: the platform.
        folder: receives the log of `kubectl get exams`.
        echo: prints the output of kubectl, and the faults.
        size: the run's size.
        suffix: appended to the names of exams and accounts; a cluster keeps those of earlier runs.
        faults: what to inject.
    """

    def __init__(
        self,
        access: ClusterAccess,
        folder: Path,
        echo: Callable[[str], None],
        *,
        size: Size | None = None,
        suffix: str = "",
        faults: Faults | None = None,
    ) -> None:
        self.size = size or Size()
        samples = read_samples(suffix=suffix)
        super().__init__(
            access,
            accounts_for(samples, self.size.students, suffix=suffix),
            samples=samples,
            cluster=access.cluster,
            operator_namespace=PLATFORM_NAMESPACE,
            timing=Timing(
                window=self.size.seconds,
                lead=_LEAD_SECONDS,
                prewarm=_PREWARM_SECONDS,
                timeout=_TIMEOUT_SECONDS,
            ),
            # The clock of this machine is that of the node.
            clock=lambda: time.time_ns() // 1000,
            kubectl_env=access.cluster.subprocess_env,
            log=folder / "kubectl-get-exams.log",
            echo=echo,
            seed=self.size.seed,
        )
        self.cluster = access.cluster
        self.faults = faults or Faults()
        self.fault_at = self.size.fault_at
        self.floor = math.ceil(sum(sample.candidates / sample.candidates_per_replica for sample in samples))
        self.max_replicas = self.floor + self.size.extra_replicas
        self.replicas = ReplicaCounts()
        self.ungraded: list[str] = []
        self._access = access

    async def run(self, progress: Progress) -> ClusterResult:
        """Run the sittings."""
        sitting = await run_scenario(self, progress)
        return ClusterResult(
            sitting=sitting,
            exams=self.outcome,
            students=len(self.accounts.students),
            replicas=self.replicas,
            floor=self.floor,
            ungraded=self.ungraded,
        )

    async def load(self, step: Step) -> None:
        """Load accounts and exams, and create the namespace of the Exams."""
        step.update(f"{len(self.accounts.students)} students")
        await asyncio.to_thread(self._load)

    @contextmanager
    def observe(self) -> Iterator[None]:
        """Watch the Exams, and count the ready solver pods."""
        with count_ready_replicas(self.cluster) as self.replicas, super().observe():
            yield

    def detail(self) -> str:
        """The number of solver pods."""
        return f", {self.replicas.latest} of {self.floor} solver pods ready"

    async def inject_fault(self) -> None:
        """Inject the fault of the open sitting."""
        await self.faults.while_open(self)

    async def await_graded(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Wait until all Exams are graded, and inject the fault of the grading as soon as it has begun."""
        del scheduled
        async with asyncio.timeout(self.timing.timeout):
            await self.await_phase(step, "Grading", "Graded", "Published")
            await self.faults.while_grading(self)
            self.ungraded = self.not_reached("Graded", "Published")
            await self.await_phase(step, "Graded", "Published")

    async def publish(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Reconnect to web, whose pod may have been replaced, and publish."""
        await asyncio.to_thread(self._access.reconnect)
        await super().publish(scheduled, step)

    @contextmanager
    def open_stores(self) -> Iterator[Stores]:
        """Open the cluster's stores through forwarded ports."""
        with self._access.forwarded("postgres", 5432) as port, self._access.cassandra() as session:
            yield Stores(PostgresReader(self._access.dsn(port)), session)

    def _load(self) -> None:
        self.client.load_accounts(self.accounts)
        self.load_exams()
        if NAMESPACE not in self.cluster.kubectl("get", "namespaces", "--output=name"):
            self.cluster.kubectl("create", "namespace", NAMESPACE)
