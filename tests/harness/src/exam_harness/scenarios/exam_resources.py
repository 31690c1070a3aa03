"""Sittings that are created by applying Exam resources and run by the operator."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from exam_harness.environments.processes.process import HarnessError
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.scenarios.reporting.progress import Step
from exam_harness.scenarios.reporting.report import Report
from exam_harness.scenarios.runner import DURATION_SHARE, Scenario
from exam_harness.scenarios.sitting.accounts import Accounts, new_accounts
from exam_harness.scenarios.sitting.checks import REVISION, ScheduledSitting, SittingEvidence
from exam_harness.scenarios.sitting.exam_phases import PhaseLog, in_order, watch_exams
from exam_harness.scenarios.sitting.journey import POLL_SECONDS
from exam_harness.scenarios.sitting.platform_client import PlatformAccess
from exam_harness.scenarios.sitting.samples import Sample
from exam_harness.students.clock import SECOND

NAMESPACE = "exams"
CLOSE_WITHIN_MS = 2_000
"""The longest time between a sitting's last deadline and its close; late answers are refused in any case."""


class Kubectl(Protocol):
    """Runs kubectl against a cluster."""

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl and return its output."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long a scenario waits; in seconds.

    Attributes:
        window: how long the sittings are open.
        lead: time between applying the resources and the opening.
        prewarm: time before the opening at which solver pods are started.
        timeout: the longest time for grading, and for publishing.
    """

    window: int
    lead: int
    prewarm: int
    timeout: int


class ExamScenario(Scenario):
    """A scenario whose sittings the operator creates, opens, closes, grades and publishes.

    Args:
        access: the platform.
        accounts: see `accounts_for`.
        samples: the Exams to apply.
        cluster: the cluster to apply them to.
        operator_namespace: the namespace of the operator's Jobs.
        timing: when the sittings open, and how long to wait.
        clock: the platform's time (µs).
        kubectl_env: the environment of the kubectl that watches.
        log: receives the output of `kubectl get exams --watch`.
        echo: prints the same output.
        seed: determines the students' profiles and plans.
    """

    outcome: "ExamOutcome"
    max_replicas: int | None = None
    """The largest number of solver pods; the resource's default when None."""

    def __init__(  # noqa: PLR0913 - what a scenario is made of
        self,
        access: PlatformAccess,
        accounts: Accounts,
        *,
        samples: Sequence[Sample],
        cluster: Kubectl,
        operator_namespace: str,
        timing: Timing,
        clock: Callable[[], int],
        kubectl_env: Mapping[str, str],
        log: Path,
        echo: Callable[[str], None],
        seed: int,
    ) -> None:
        super().__init__(access, accounts, seed=seed)
        self.samples = samples
        self.timing = timing
        self.phases = PhaseLog(clock)
        self.echo = echo
        self._kubectl = cluster.kubectl
        self._kubectl_env = kubectl_env
        self._operator_namespace = operator_namespace
        self._clock = clock
        self._log = log

    def load_exams(self) -> None:
        """Load the exams whose papers do not come with their resources, to be held in the resources' namespace."""
        for sample, doctor in zip(self.samples, self.doctors, strict=True):
            if not sample.as_code:
                self.client.load_exam(sample.text, doctor.username, namespace=NAMESPACE)

    @contextmanager
    def observe(self) -> Iterator[None]:
        """Watch the Exams and record their phases."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with watch_exams(self._kubectl_env, NAMESPACE, self._log, phases=self.phases, echo=self.echo):
            yield

    async def schedule(self, step: Step) -> list[ScheduledSitting]:
        """Apply every sample with a window that opens soon; returns the sittings that the operator creates."""
        opens_at = (self._clock() // SECOND + self.timing.lead) * SECOND
        closes_at = opens_at + self.timing.window * SECOND
        duration = int(self.timing.window * DURATION_SHARE) * SECOND
        for sample, doctor in zip(self.samples, self.doctors, strict=True):
            manifests = sample.scheduled(
                owner=doctor.username,
                opens_at=opens_at,
                closes_at=closes_at,
                duration=duration,
                prewarm=self.timing.prewarm * SECOND,
                max_replicas=self.max_replicas,
            )
            words = ("--namespace", NAMESPACE, "apply", "-f", "-")
            output = await asyncio.to_thread(self._kubectl, *words, stdin=json.dumps(manifests))
            step.update(output.strip().replace("\n", "; "))
        scheduled = []
        for sample in self.samples:
            status = await self._await_sitting(sample.name)
            scheduled.append(
                ScheduledSitting(
                    id=status["sittingId"],
                    name=status["sitting"],
                    document=sample.document,
                    opens_at=opens_at,
                    closes_at=closes_at,
                    duration=duration,
                )
            )
        return scheduled

    async def publish(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Publish as a doctor the degrees that the operator does not publish itself."""
        async with asyncio.timeout(self.timing.timeout):
            for sample, sitting in zip(self.samples, scheduled, strict=True):
                if not sample.automatic:
                    await asyncio.to_thread(self.client.publish, sitting.name, REVISION)
            await self.await_phase(step, "Published")

    async def await_phase(self, step: Step, *phases: str) -> None:
        """Wait until every Exam has reached one of some phases."""
        while pending := self.not_reached(*phases):
            step.update(f"waiting for {phases[0]}: {', '.join(pending)}")
            await asyncio.sleep(POLL_SECONDS / 5)
        step.update(f"all {phases[0]}")

    def not_reached(self, *phases: str) -> list[str]:
        """The Exams that have reached none of some phases."""
        return [
            sample.name
            for sample in self.samples
            if not any(self.phases.reached(sample.name, phase) for phase in phases)
        ]

    def inspect(self, evidence: Sequence[SittingEvidence]) -> None:
        """Record phases, close skew and grading Jobs in `outcome`."""
        names = [sample.name for sample in self.samples]
        by_name = dict(zip(names, evidence, strict=True))
        self.outcome = ExamOutcome(
            phases={name: self.phases.first_seen.get(name, {}) for name in names},
            close_skew_ms={name: self._close_skew(each) for name, each in by_name.items()},
            graded_by={name: self._grading_jobs(each.scheduled.id) for name, each in by_name.items()},
        )

    async def _await_sitting(self, name: str) -> Mapping[str, Any]:
        """The status of an Exam, once the operator has created its sitting."""
        status: Mapping[str, Any] = {}
        for _ in range(int(self.timing.lead / POLL_SECONDS)):
            words = ("--namespace", NAMESPACE, "get", "exam", name, "--output=json")
            status = json.loads(await asyncio.to_thread(self._kubectl, *words)).get("status", {})
            if "sittingId" in status:
                return status
            await asyncio.sleep(POLL_SECONDS)
        raise HarnessError(f"the operator has not created the sitting of Exam {name}: {json.dumps(status)}")

    def _close_skew(self, evidence: SittingEvidence) -> int:
        """The time between a sitting's last deadline and its close in PostgreSQL (ms)."""
        ends_at = parse_rfc3339(self.client.sitting(evidence.scheduled.name)["ends_at"])
        return ((evidence.record.closed_at or 0) - ends_at) // 1000

    def _grading_jobs(self, sitting: str) -> list[str]:
        selector = f"--selector=examplatform.dev/sitting={sitting}"
        jobs = self._kubectl("--namespace", self._operator_namespace, "get", "jobs", selector, "--output=json")
        return [job["metadata"]["name"] for job in json.loads(jobs)["items"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamOutcome:
    """What the operator did, by Exam.

    Attributes:
        phases: when kubectl first printed each phase (µs).
        close_skew_ms: the time between the last deadline and the close in PostgreSQL.
        graded_by: the grading Jobs.
    """

    phases: Mapping[str, Mapping[str, int]]
    close_skew_ms: Mapping[str, int]
    graded_by: Mapping[str, Sequence[str]]

    def seconds_after(self, instant: int) -> dict[str, dict[str, float]]:
        """The phases in seconds after an instant."""
        return {
            name: {phase: round((at - instant) / SECOND, 1) for phase, at in seen.items()}
            for name, seen in self.phases.items()
        }


@dataclass(kw_only=True)
class ExamReport(Report):
    """The report of a run whose sittings are Exam resources.

    Attributes:
        phases: by Exam, the seconds from its opening at which kubectl first printed each phase.
        close_skew_ms: by Exam, the time between its last deadline and its close in PostgreSQL.
        graded_by: by Exam, its grading Jobs.
    """

    phases: Mapping[str, Mapping[str, float]]
    close_skew_ms: Mapping[str, int]
    graded_by: Mapping[str, Sequence[str]]

    required_phases: ClassVar[tuple[str, ...]] = ("Open", "Published")
    """The phases that kubectl must have printed."""

    def failures(self) -> list[str]:
        """Those of every report, and what the operator did wrong."""
        return [
            *super().failures(),
            *(
                f"{name}: phases {', '.join(seen)}"
                for name, seen in self.phases.items()
                if not in_order(list(seen), required=self.required_phases)
            ),
            *(
                f"{name}: closed {skew} ms after its last deadline"
                for name, skew in self.close_skew_ms.items()
                if not 0 <= skew <= CLOSE_WITHIN_MS
            ),
            *(f"{name}: graded by {len(jobs)} Jobs" for name, jobs in self.graded_by.items() if len(jobs) != 1),
        ]

    def numbers(self) -> dict[str, Any]:
        """Phases, close skew and grading Jobs."""
        return {
            "phases": {name: dict(seen) for name, seen in self.phases.items()},
            "close_skew_ms": dict(self.close_skew_ms),
            "graded_by": {name: list(jobs) for name, jobs in self.graded_by.items()},
        }

    def rows(self) -> list[tuple[str, object]]:
        """The rows of every report, then those of each Exam."""
        return [
            *super().rows(),
            *((f"phases of {name}", _timeline(seen)) for name, seen in self.phases.items()),
            *((f"close skew of {name}", f"{ms} ms after its last deadline") for name, ms in self.close_skew_ms.items()),
            *((f"grading Jobs of {name}", ", ".join(jobs)) for name, jobs in self.graded_by.items()),
        ]


def accounts_for(samples: Sequence[Sample], students: int, *, suffix: str = "") -> Accounts:
    """Accounts with students of the two levels of the samples."""
    first, second = (sample.document.level for sample in samples)
    return new_accounts(students, (first, second), suffix=suffix)


def _timeline(phases: Mapping[str, float]) -> str:
    return " → ".join(f"{phase} {at:+.1f} s" for phase, at in phases.items())
