"""The sample exams in a cluster: applied, answered through the Ingress controller, graded, judged by the oracle."""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exam_harness.environments.cluster.access import ClusterAccess
from exam_harness.environments.cluster.deploy import NAMESPACE as PLATFORM
from exam_harness.environments.cluster.replica_counts import ReplicaCounts, count_ready_replicas
from exam_harness.environments.processes.process import HarnessError
from exam_harness.oracle.checker import Mismatch, SeenDegree
from exam_harness.oracle.history import Book
from exam_harness.oracle.scoring import ALL_OR_NOTHING
from exam_harness.scenarios.reporting.progress import Progress, Step
from exam_harness.scenarios.sitting.accounts import People, people_of
from exam_harness.scenarios.sitting.checks import REVISION, Evidence, Scheduled, collect, degree_of, judge_sitting
from exam_harness.scenarios.sitting.exam_phases import Phases, watch
from exam_harness.scenarios.sitting.journey import LOOK_EVERY, degrees_shown, log_in, rooms_of, telling
from exam_harness.scenarios.sitting.platform_client import Platform
from exam_harness.scenarios.sitting.samples import read_samples
from exam_harness.scenarios.sitting.store_readers import Postgres
from exam_harness.students.clock import SECOND, instant_of
from exam_harness.students.cohort import Crowd, crowd_of
from exam_harness.students.student import Room

NAMESPACE = "exams"
LEAD_SECONDS = 34
"""From applying to opening; the pods of the sitting have most of it to come up."""
PREWARM_SECONDS = 28
"""An autoscaler looks every few seconds, and pods that start together on two cores take their time."""
WITHIN_SECONDS = 150
DURATION_SHARE = 5 / 6

Trouble = Callable[["Sitting"], Awaitable[None]]


async def no_trouble(sitting: "Sitting") -> None:
    """Nothing happens."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a run is."""

    students: int = 120
    seconds: int = 45
    seed: int = 2026
    trouble_at: float = 0.4
    """When what may happen in a window happens, as a share of it."""
    more_replicas: int = 1
    """How many solver pods the autoscaler may add to those that the candidates ask for."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to; instants in µs."""

    scheduled: Sequence[Scheduled]
    evidence: Sequence[Evidence]
    mismatches: Sequence[Mismatch]
    book: Book
    phases: Mapping[str, Mapping[str, int]]
    replicas: ReplicaCounts
    floor: int
    jobs: Mapping[str, Sequence[str]]
    close_skew_ms: Mapping[str, int]
    ungraded: Sequence[str]
    """Exams that were not graded yet when what happens while grading had been made."""
    failures: Sequence[str]
    """Calls of students that the platform failed: not answered, or refused for reasons of its own."""

    @property
    def acknowledged(self) -> int:
        """Answers with a receipt, those changed later included."""
        return len({entry.said for entry in self.book.every()})

    @property
    def sealed(self) -> int:
        """Answers in the seals."""
        return sum(each.seal.count for each in self.evidence)

    @property
    def degrees(self) -> Mapping[str, int]:
        """Degrees that were compared, by who saw them."""
        return Counter(degree.source for each in self.evidence for degree in each.degrees)


@dataclass
class Sitting:
    """One run; `trouble` is made while it is open, and while it is graded.

    Args:
        access: the platform.
        folder: where the log of `kubectl get exams` goes.
        progress: hears how far it is.
        say: hears what kubectl prints.
        size: how large it is.
        suffix: what the names of exams and people end in; a cluster keeps those of earlier runs.
        while_open: made in the middle of the window.
        while_grading: made as soon as both sittings are being graded.
    """

    access: ClusterAccess
    folder: Path
    progress: Progress
    say: Callable[[str], None]
    size: Size = field(default_factory=Size)
    suffix: str = ""
    while_open: Trouble = no_trouble
    while_grading: Trouble = no_trouble

    def __post_init__(self) -> None:
        self.cluster = self.access.cluster
        self.book = Book()
        self.failures: Sequence[str] = ()
        self.ungraded: Sequence[str] = ()
        self.platform = Platform(self.access)
        self.phases = Phases(_now)
        self.samples = read_samples(suffix=self.suffix)
        first, second = (sample.document.level for sample in self.samples)
        self.people: People = people_of(self.size.students, (first, second), suffix=self.suffix)

    @property
    def floor(self) -> int:
        """How many solver pods must be ready when the windows open."""
        return math.ceil(sum(each.candidates / each.candidates_per_replica for each in self.samples))

    async def run(self) -> Outcome:
        """Everything, in order."""
        try:
            return await self._run()
        finally:
            self.platform.close()

    async def _run(self) -> Outcome:
        with self.progress.step("people and exams") as step:
            await asyncio.to_thread(self._load, step)
        # An auditor has the keys from before the exam: what is killed in it cannot change or hide them.
        jwks = await asyncio.to_thread(self.platform.receipt_keys)
        log = self.folder / "kubectl-get-exams.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        port, seed = self.access.gateway_port, self.size.seed
        async with crowd_of(self.people.students, port=port, seed=seed, book=self.book) as crowd:
            with self.progress.step("logins") as step:
                await log_in(crowd, step)
            with (
                count_ready_replicas(self.cluster) as replicas,
                watch(self.cluster.subprocess_env, NAMESPACE, log, phases=self.phases, say=self.say),
            ):
                with self.progress.step("kubectl apply") as step:
                    scheduled = await self._apply(step)
                    rooms = await rooms_of(crowd, scheduled)
                with self.progress.step("solvers come up") as step:
                    await self._await_opening(crowd, scheduled, replicas, step)
                with self.progress.step("sitting") as step:
                    await self._sit(crowd, rooms, replicas, step)
                with self.progress.step("close, seal, grade") as step:
                    await self._graded(step)
                with self.progress.step("publish") as step:
                    await self._publish(scheduled, step)
            with self.progress.step("degrees") as step:
                shown = await degrees_shown(crowd, self._doctors)
                step.say(f"{len(shown)} seen by students and doctors")
        self.failures = crowd.gateway.failures
        with self.progress.step("verify"):
            return await asyncio.to_thread(self._verify, scheduled, shown, jwks, replicas)

    @property
    def _doctors(self) -> tuple[Any, ...]:
        return self.people.doctors[: sum(not sample.as_code for sample in self.samples)]

    def _load(self, step: Step) -> None:
        self.platform.load_people(self.people)
        step.say(f"{len(self.people.students)} students")
        written = (sample for sample in self.samples if not sample.as_code)
        for sample, doctor in zip(written, self._doctors, strict=True):
            self.platform.load_exam(sample.text, doctor.username)
        if NAMESPACE not in self.cluster.kubectl("get", "namespaces", "--output=name"):
            self.cluster.kubectl("create", "namespace", NAMESPACE)

    async def _apply(self, step: Step) -> list[Scheduled]:
        """Apply every sample with a window of now; the sittings that the operator makes of them."""
        opens_at = (_now() // SECOND + LEAD_SECONDS) * SECOND
        closes_at = opens_at + self.size.seconds * SECOND
        duration = int(self.size.seconds * DURATION_SHARE) * SECOND
        for sample in self.samples:
            resources = sample.held(
                opens_at=opens_at,
                closes_at=closes_at,
                duration=duration,
                prewarm=PREWARM_SECONDS * SECOND,
                max_replicas=self.floor + self.size.more_replicas,
            )
            words = ("--namespace", NAMESPACE, "apply", "-f", "-")
            said = await asyncio.to_thread(self.cluster.kubectl, *words, stdin=json.dumps(resources))
            step.say(said.strip().replace("\n", "; "))
        scheduled = []
        for sample in self.samples:
            status = await self._status(sample.name, lambda status: "sittingId" in status)
            scheduled.append(
                Scheduled(
                    id=status["sittingId"],
                    name=status["sitting"],
                    document=sample.document,
                    opens_at=opens_at,
                    closes_at=closes_at,
                    duration=duration,
                    multiple=ALL_OR_NOTHING,
                    extra={},
                )
            )
        return scheduled

    async def _await_opening(
        self, crowd: Crowd, scheduled: Sequence[Scheduled], replicas: ReplicaCounts, step: Step
    ) -> None:
        opens_at = scheduled[0].opens_at
        async with telling(step, lambda: f"{replicas.latest} of {self.floor} solver pods ready"):
            await crowd.clock.until(opens_at)

    async def _sit(self, crowd: Crowd, rooms: Mapping[str, Room], replicas: ReplicaCounts, step: Step) -> None:
        opens_at = next(iter(rooms.values())).opens_at

        def doing() -> str:
            counts = self.book.counts
            return (
                f"{(crowd.clock.now() - opens_at) / SECOND:+.0f} s: {len(self.book.starts)} started, "
                f"{counts['acknowledgements']} acknowledged, {counts['late_refused']} late refused, "
                f"{replicas.latest} solver pods"
            )

        async def trouble() -> None:
            await crowd.clock.until(opens_at + int(self.size.seconds * self.size.trouble_at * SECOND))
            await self.while_open(self)

        async with telling(step, doing), asyncio.TaskGroup() as group:
            group.create_task(trouble())
            await crowd.sit(rooms)

    async def _graded(self, step: Step) -> None:
        async with asyncio.timeout(WITHIN_SECONDS):
            await self._all_reached(("Grading", "Graded", "Published"), step)
            await self.while_grading(self)
            self.ungraded = self._not_yet(("Graded", "Published"))
            await self._all_reached(("Graded", "Published"), step)

    async def _publish(self, scheduled: Sequence[Scheduled], step: Step) -> None:
        """What its resource does not publish by itself a Doctor does."""
        await asyncio.to_thread(self.access.reconnect)
        async with asyncio.timeout(WITHIN_SECONDS):
            for sample, sitting in zip(self.samples, scheduled, strict=True):
                if not sample.automatic:
                    await asyncio.to_thread(self.platform.publish, sitting.name, REVISION)
            await self._all_reached(("Published",), step)

    async def _all_reached(self, phases: Sequence[str], step: Step) -> None:
        while waiting := self._not_yet(phases):
            step.say(f"{phases[0]} is waited for: {', '.join(waiting)}")
            await asyncio.sleep(LOOK_EVERY / 5)

    def _not_yet(self, phases: Sequence[str]) -> list[str]:
        """The Exams that have reached none of some phases."""

        def there(name: str) -> bool:
            return any(self.phases.reached(name, phase) for phase in phases)

        return [sample.name for sample in self.samples if not there(sample.name)]

    async def _status(self, name: str, good: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """The status of an Exam, once it is as it should be."""
        for _ in range(int(LEAD_SECONDS / LOOK_EVERY)):
            found = await asyncio.to_thread(self.cluster.get, "--namespace", NAMESPACE, "exam", name)
            status: Mapping[str, Any] = found.get("status", {})
            if good(status):
                return status
            await asyncio.sleep(LOOK_EVERY)
        raise HarnessError(f"the operator makes no sitting of Exam {name}: {json.dumps(status)}")

    def _verify(
        self,
        scheduled: Sequence[Scheduled],
        shown: list[tuple[str, dict[str, Any]]],
        jwks: Mapping[str, Any],
        replicas: ReplicaCounts,
    ) -> Outcome:
        with self.access.forwarded("postgres", 5432) as port, self.access.cassandra() as session:
            postgres = Postgres(self.access.dsn(port))
            ids = postgres.students()
            degrees: dict[str, list[SeenDegree]] = {each.name: [] for each in scheduled}
            for source, row in shown:
                degrees[row["sitting"]].append(degree_of(source, row, ids))
            evidence = [
                collect(each, postgres=postgres, cassandra=session, shown=degrees[each.name]) for each in scheduled
            ]
        mismatches = [Mismatch("contract", "", sentence) for sentence in self.book.complaints]
        for each in evidence:
            mismatches += judge_sitting(self.book, each, jwks=jwks, ids=ids)
        names = [sample.name for sample in self.samples]
        return Outcome(
            scheduled=scheduled,
            evidence=evidence,
            mismatches=mismatches,
            book=self.book,
            phases={name: self.phases.told.get(name, {}) for name in names},
            replicas=replicas,
            floor=self.floor,
            jobs={name: self._jobs(each.id) for name, each in zip(names, scheduled, strict=True)},
            ungraded=self.ungraded,
            failures=self.failures,
            close_skew_ms={name: self._close_skew(each) for name, each in zip(names, evidence, strict=True)},
        )

    def _close_skew(self, evidence: Evidence) -> int:
        """How long after its last deadline PostgreSQL closed a sitting (ms)."""
        ends_at = instant_of(self.platform.sitting(evidence.scheduled.name)["ends_at"])
        return ((evidence.record.closed_at or 0) - ends_at) // 1000

    def _jobs(self, sitting: str) -> list[str]:
        words = ("--namespace", PLATFORM, "jobs", "--selector", f"examplatform.dev/sitting={sitting}")
        return [job["metadata"]["name"] for job in self.cluster.get(*words)["items"]]


def _now() -> int:
    """This machine's time (µs), which is the node's."""
    return time.time_ns() // 1000
