"""The run: samples are applied, students answer, the operator is killed twice, the oracle judges the degrees."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exam_harness.environments.control_plane.operator_namespace import OperatorNamespace
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.services import Service
from exam_harness.oracle.checker import Mismatch, SeenDegree
from exam_harness.oracle.history import Book
from exam_harness.oracle.scoring import ALL_OR_NOTHING
from exam_harness.scenarios.operator.report import Report
from exam_harness.scenarios.operator.settings import Settings
from exam_harness.scenarios.reporting.progress import Progress, Step
from exam_harness.scenarios.sitting.accounts import People, people_of
from exam_harness.scenarios.sitting.checks import REVISION, Evidence, Scheduled, collect, degree_of, judge_sitting
from exam_harness.scenarios.sitting.exam_phases import Phases, watch
from exam_harness.scenarios.sitting.journey import LOOK_EVERY, degrees_shown, log_in, rooms_of, telling
from exam_harness.scenarios.sitting.platform_client import Platform
from exam_harness.scenarios.sitting.samples import Sample
from exam_harness.scenarios.sitting.store_readers import Postgres
from exam_harness.students.clock import SECOND, instant_of
from exam_harness.students.cohort import Crowd, crowd_of

NAMESPACE = "exams"
_LEAD_SECONDS = 14
"""From applying to opening: the sitting is made, solver pods are brought up, students open the page."""
_PREWARM_SECONDS = 7
_DURATION_SHARE = 5 / 6
_KILL_AT = 0.4
"""When the operator is killed first, as a share of the window."""
_WITHIN_SECONDS = 60
_RESYNC_SECONDS = 5
"""That a Doctor has published is seen when everything is looked at: in the demo somebody waits for it."""


@dataclass
class Outcome:
    """What a run leaves for whoever reports it."""

    report: Report
    sittings: list[Evidence]
    phases: Phases
    book: Book


@dataclass
class OperatorDemo:
    """One run on a stack that serves and a cluster that knows Exams; `say` hears what kubectl prints."""

    settings: Settings
    operated: OperatorNamespace
    people: People
    samples: Sequence[Sample]
    progress: Progress
    say: Callable[[str], None]
    book: Book = field(default_factory=Book)

    def __post_init__(self) -> None:
        stack = self.operated.stack
        self.platform = Platform(stack)
        self.postgres = Postgres(stack.postgres.dsn())
        self.phases = Phases(self.postgres.now)
        self.kills: list[str] = []
        self.cluster = self.operated.control_plane

    async def run(self) -> Outcome:
        """Everything, in order."""
        operator = self.operated.operator(env={"EXAM_OPERATOR_RESYNC_SECONDS": f"{_RESYNC_SECONDS}"})
        try:
            return await self._run(operator)
        finally:
            operator.stop()
            self.platform.close()

    async def _run(self, operator: Service) -> Outcome:
        with self.progress.step("operator"):
            operator.start()
            await asyncio.to_thread(operator.await_ready)
        with self.progress.step("exams"):
            self._load_exams()
        self.cluster.create_namespace(NAMESPACE)
        stack, seed = self.operated.stack, self.settings.seed
        log = stack.logs / "kubectl-get-exams.log"
        async with crowd_of(self.people.students, port=stack.gateway_port, seed=seed, book=self.book) as crowd:
            with self.progress.step("logins") as step:
                await log_in(crowd, step)
            with watch(self.cluster.kubectl_env(), NAMESPACE, log, phases=self.phases, say=self.say):
                with self.progress.step("kubectl apply") as step:
                    scheduled = await self._apply(step)
                    rooms = await rooms_of(crowd, scheduled)
                with self.progress.step("sitting") as step:
                    await self._sit(crowd, operator, rooms, step)
                with self.progress.step("close, seal, grade") as step:
                    await self._graded(operator, step)
                with self.progress.step("publish") as step:
                    await self._publish(scheduled, step)
            with self.progress.step("degrees") as step:
                shown = await degrees_shown(crowd, self._doctors)
                step.say(f"{len(shown)} seen by students and doctors")
        with self.progress.step("verify"):
            return self._verify(scheduled, shown)

    @property
    def _written(self) -> list[Sample]:
        """Those whose exam a Doctor writes; the others bring theirs along."""
        return [sample for sample in self.samples if not sample.as_code]

    @property
    def _doctors(self) -> tuple[Any, ...]:
        return self.people.doctors[: len(self._written)]

    def _load_exams(self) -> None:
        for sample, doctor in zip(self._written, self._doctors, strict=True):
            self.platform.load_exam(sample.text, doctor.username)

    async def _apply(self, step: Step) -> list[Scheduled]:
        """Apply every sample with a window of now; the sittings that the operator makes of them."""
        opens_at = (self.postgres.now() // SECOND + _LEAD_SECONDS) * SECOND
        closes_at = opens_at + self.settings.seconds * SECOND
        duration = int(self.settings.seconds * _DURATION_SHARE) * SECOND
        for sample in self.samples:
            resources = sample.held(
                opens_at=opens_at, closes_at=closes_at, duration=duration, prewarm=_PREWARM_SECONDS * SECOND
            )
            said = self.cluster.kubectl("-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(resources))
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

    async def _sit(self, crowd: Crowd, operator: Service, rooms: Mapping[str, Any], step: Step) -> None:
        """The sitting; at some point in it the operator is killed and started again."""
        opens_at = next(iter(rooms.values())).opens_at

        def doing() -> str:
            counts = self.book.counts
            killed = ", operator killed" if self.kills else ""
            return (
                f"{(crowd.clock.now() - opens_at) / SECOND:+.0f} s: {len(self.book.starts)} started, "
                f"{counts['acknowledgements']} acknowledged, {counts['late_refused']} late refused{killed}"
            )

        async def kill() -> None:
            await crowd.clock.until(opens_at + int(self.settings.seconds * _KILL_AT * SECOND))
            await self._kill(operator, "Open")

        async with telling(step, doing), asyncio.TaskGroup() as group:
            group.create_task(kill())
            await crowd.sit(rooms)

    async def _graded(self, operator: Service, step: Step) -> None:
        """Nobody closes anything; as soon as all is being graded the operator is killed once more."""
        async with asyncio.timeout(_WITHIN_SECONDS):
            await self._all_reached("Grading", step)
            await self._kill(operator, "Grading")
            await self._all_reached("Graded", step, or_published=True)

    async def _all_reached(self, phase: str, step: Step, *, or_published: bool = False) -> None:
        def there(name: str) -> bool:
            return self.phases.reached(name, phase) or (or_published and self.phases.reached(name, "Published"))

        while waiting := [sample.name for sample in self.samples if not there(sample.name)]:
            step.say(f"{phase} is waited for: {', '.join(waiting)}")
            await asyncio.sleep(LOOK_EVERY / 5)
        step.say(f"all {phase}")

    async def _kill(self, operator: Service, phase: str) -> None:
        """End the operator as a crash would, and start it again as Kubernetes would."""
        operator.kill()
        self.kills.append(phase)
        operator.start()
        await asyncio.to_thread(operator.await_ready)

    async def _publish(self, scheduled: Sequence[Scheduled], step: Step) -> None:
        """What its resource does not publish by itself a Doctor does."""
        async with asyncio.timeout(_WITHIN_SECONDS):
            for sample, sitting in zip(self.samples, scheduled, strict=True):
                if not sample.automatic:
                    await asyncio.to_thread(self.platform.publish, sitting.name, REVISION)
            await self._all_reached("Published", step)

    async def _status(self, name: str, good: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """The status of an Exam, once it is as it should be."""
        for _ in range(int(_LEAD_SECONDS / LOOK_EVERY)):
            text = await asyncio.to_thread(self.cluster.kubectl, "-n", NAMESPACE, "get", "exam", name, "-o", "json")
            status: Mapping[str, Any] = json.loads(text).get("status", {})
            if good(status):
                return status
            await asyncio.sleep(LOOK_EVERY)
        raise HarnessError(f"the operator makes no sitting of Exam {name}: {json.dumps(status)}")

    def _verify(self, scheduled: Sequence[Scheduled], shown: list[tuple[str, dict[str, Any]]]) -> Outcome:
        jwks, ids = self.platform.receipt_keys(), self.postgres.students()
        degrees: dict[str, list[SeenDegree]] = {each.name: [] for each in scheduled}
        for source, row in shown:
            degrees[row["sitting"]].append(degree_of(source, row, ids))
        with self.operated.stack.cassandra.session() as session:
            evidence = [
                collect(each, postgres=self.postgres, cassandra=session, shown=degrees[each.name]) for each in scheduled
            ]
        mismatches = [Mismatch("contract", "", sentence) for sentence in self.book.complaints]
        for each in evidence:
            mismatches += judge_sitting(self.book, each, jwks=jwks, ids=ids)
        return Outcome(self._report(evidence, mismatches), evidence, self.phases, self.book)

    def _report(self, evidence: Sequence[Evidence], mismatches: list[Mismatch]) -> Report:
        names = [sample.name for sample in self.samples]
        opens_at = evidence[0].scheduled.opens_at
        said = {entry.said for entry in self.book.every()}
        return Report(
            students=len(self.people.students),
            present=len(self.book.starts),
            acknowledged=len(said),
            sealed=sum(each.seal.count for each in evidence),
            late_refused=self.book.counts["late_refused"],
            phases={
                name: {
                    phase: round((at - opens_at) / SECOND, 1) for phase, at in self.phases.told.get(name, {}).items()
                }
                for name in names
            },
            close_skew_ms={name: self._close_skew(each) for name, each in zip(names, evidence, strict=True)},
            operator_kills=self.kills,
            graded_by={name: self._jobs(each.scheduled.id) for name, each in zip(names, evidence, strict=True)},
            degrees=Counter(degree.source for each in evidence for degree in each.degrees),
            mismatches=mismatches,
            about={
                "seed": self.settings.seed,
                "window_seconds": self.settings.seconds,
                "sittings": {name: each.scheduled.name for name, each in zip(names, evidence, strict=True)},
            },
        )

    def _close_skew(self, evidence: Evidence) -> int:
        """How long after its last deadline PostgreSQL closed a sitting (ms)."""
        ends_at = instant_of(self.platform.sitting(evidence.scheduled.name)["ends_at"])
        return ((evidence.record.closed_at or 0) - ends_at) // 1000

    def _jobs(self, sitting: str) -> list[str]:
        words = ("get", "jobs", "-l", f"examplatform.dev/sitting={sitting}", "-o", "json")
        jobs = json.loads(self.cluster.kubectl("-n", self.operated.namespace, *words))["items"]
        return [job["metadata"]["name"] for job in jobs]


def people_for(samples: Sequence[Sample], students: int) -> People:
    """Students of the two levels that the samples are for."""
    first, second = (sample.document.level for sample in samples)
    return people_of(students, (first, second))
