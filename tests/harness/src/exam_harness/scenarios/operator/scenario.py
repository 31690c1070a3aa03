"""The operator demo's scenario: sample Exams on a control plane, while the operator is killed and restarted twice."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from exam_harness.environments.control_plane.operator_namespace import OperatorNamespace
from exam_harness.scenarios.exam_resources import NAMESPACE, ExamScenario, Timing
from exam_harness.scenarios.operator.settings import Settings
from exam_harness.scenarios.reporting.progress import Step
from exam_harness.scenarios.sitting.accounts import Accounts
from exam_harness.scenarios.sitting.checks import ScheduledSitting
from exam_harness.scenarios.sitting.samples import Sample
from exam_harness.scenarios.sitting.store_readers import PostgresReader, Stores

_LEAD_SECONDS = 14
"""From applying to opening: the operator creates the sittings and starts solver pods."""
_PREWARM_SECONDS = 7
_TIMEOUT_SECONDS = 60
_RESYNC_SECONDS = 5
"""The operator learns of a doctor's publication only with a resync; shorter than its default, because the run waits."""


class OperatorDemo(ExamScenario):
    """One run on a running stack and a control plane with the Exam CRD; the accounts are loaded already.

    Args:
        settings: the run's size.
        operator_namespace: the namespace in which the operator runs.
        accounts: of two levels, those of the samples.
        samples: the Exams to apply.
        echo: prints the output of kubectl.
    """

    def __init__(
        self,
        settings: Settings,
        operator_namespace: OperatorNamespace,
        accounts: Accounts,
        samples: Sequence[Sample],
        echo: Callable[[str], None],
    ) -> None:
        stack, control_plane = operator_namespace.stack, operator_namespace.control_plane
        self.postgres = PostgresReader(stack.postgres.dsn())
        super().__init__(
            stack,
            accounts,
            samples=samples,
            cluster=control_plane,
            operator_namespace=operator_namespace.namespace,
            timing=Timing(
                window=settings.seconds,
                lead=_LEAD_SECONDS,
                prewarm=_PREWARM_SECONDS,
                timeout=_TIMEOUT_SECONDS,
            ),
            clock=self.postgres.now,
            kubectl_env=control_plane.kubectl_env(),
            log=stack.logs / "kubectl-get-exams.log",
            echo=echo,
            seed=settings.seed,
        )
        self.settings = settings
        self.kills: list[str] = []
        """The phases in which the operator was killed."""
        self._stack = stack
        self._control_plane = control_plane
        self._operator = operator_namespace.operator(env={"EXAM_OPERATOR_RESYNC_SECONDS": f"{_RESYNC_SECONDS}"})

    async def load(self, step: Step) -> None:
        """Start the operator and load the exams."""
        step.update("starting the operator")
        self._operator.start()
        await asyncio.to_thread(self._operator.await_ready)
        step.update("loading exams")
        self.load_exams()
        self._control_plane.create_namespace(NAMESPACE)

    def detail(self) -> str:
        """Whether the operator was killed."""
        return ", operator killed" if self.kills else ""

    async def inject_fault(self) -> None:
        """Kill the operator."""
        await self._kill("Open")

    async def await_graded(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Wait until all Exams are graded; kill the operator once more as soon as all are being graded."""
        del scheduled
        async with asyncio.timeout(self.timing.timeout):
            await self.await_phase(step, "Grading")
            await self._kill("Grading")
            await self.await_phase(step, "Graded", "Published")

    @contextmanager
    def open_stores(self) -> Iterator[Stores]:
        """Open the stack's stores."""
        with self._stack.cassandra.session() as session:
            yield Stores(self.postgres, session)

    def close(self) -> None:
        """Stop the operator."""
        self._operator.stop()
        super().close()

    async def _kill(self, phase: str) -> None:
        """Kill the operator (SIGKILL) and start it again, as Kubernetes would."""
        self._operator.kill()
        self.kills.append(phase)
        self._operator.start()
        await asyncio.to_thread(self._operator.await_ready)
