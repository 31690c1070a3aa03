"""The Compose scenario: sittings scheduled by command, which doctors end and publish in the Django admin."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from exam_harness.environments.compose.admin_client import AdminClient
from exam_harness.environments.compose.project import Project
from exam_harness.environments.processes.process import HarnessError
from exam_harness.oracle.instants import rfc3339
from exam_harness.scenarios.exam_resources import accounts_for
from exam_harness.scenarios.reporting.progress import Step
from exam_harness.scenarios.runner import Scenario
from exam_harness.scenarios.sitting.accounts import Credentials
from exam_harness.scenarios.sitting.checks import REVISION, ScheduledSitting, SittingEvidence
from exam_harness.scenarios.sitting.samples import Sample, read_samples
from exam_harness.scenarios.sitting.store_readers import PostgresReader, Stores
from exam_harness.students.clock import SECOND
from exam_harness.waiting import eventually

_STUDENTS = 40
_SEED = 2026
_LEAD_SECONDS = 15
_ATTEMPT_SECONDS = 24
_WINDOW_SECONDS = 120
"""Longer than the students need: the doctors end the sittings."""
_GRADED_SECONDS = 90


class ComposeScenario(Scenario):
    """One run on a Compose project that is up."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.samples = read_samples()
        self.postgres = PostgresReader(project.dsn())
        super().__init__(project, accounts_for(self.samples, _STUDENTS), seed=_SEED)

    async def load(self, step: Step) -> None:
        """Load accounts and the exams of both samples."""
        step.update(f"{len(self.accounts.students)} students")
        await asyncio.to_thread(self._load)

    async def schedule(self, step: Step) -> list[ScheduledSitting]:
        """Schedule a sitting for each sample by command."""
        opens_at = (self.postgres.now() // SECOND + _LEAD_SECONDS) * SECOND
        scheduled = [self._schedule(sample, opens_at) for sample in self.samples]
        step.update(f"{len(scheduled)} sittings")
        return scheduled

    async def await_graded(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Let the doctor of each sitting mark it for solving, and wait until it is graded."""
        for sitting, doctor in zip(scheduled, self.doctors, strict=True):
            await asyncio.to_thread(self._admin_action, doctor, "mark_for_solving", sitting.name)
            await asyncio.to_thread(self._await_graded, sitting.name)
            step.update(f"{sitting.name} graded")

    async def publish(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Let the doctor of each sitting publish it."""
        for sitting, doctor in zip(scheduled, self.doctors, strict=True):
            await asyncio.to_thread(self._admin_action, doctor, "publish", sitting.name)
        step.update(f"{len(scheduled)} sittings")

    @contextmanager
    def open_stores(self) -> Iterator[Stores]:
        """Open the stores of the project's containers."""
        with self.project.cassandra() as session:
            yield Stores(self.postgres, session)

    def inspect(self, evidence: Sequence[SittingEvidence]) -> None:
        """Check that there was something to compare."""
        if not all(each.seal.answer_count and each.degrees for each in evidence):
            raise HarnessError("nothing was sealed or graded: there is nothing to compare")

    def _load(self) -> None:
        self.client.load_accounts(self.accounts)
        for sample, doctor in zip(self.samples, self.doctors, strict=True):
            self.client.load_exam(sample.text, doctor.username)

    def _schedule(self, sample: Sample, opens_at: int) -> ScheduledSitting:
        closes_at = opens_at + _WINDOW_SECONDS * SECOND
        exam = ("--exam", sample.document.exam, "--minutes", f"{_ATTEMPT_SECONDS / 60}")
        window = ("--opens-at", rfc3339(opens_at), "--closes-at", rfc3339(closes_at))
        output = self.project.web_command("schedule_sitting", sample.name, *exam, *window)
        return ScheduledSitting(
            id=output.split()[0],
            name=sample.name,
            document=sample.document,
            opens_at=opens_at,
            closes_at=closes_at,
            duration=_ATTEMPT_SECONDS * SECOND,
        )

    def _admin_action(self, doctor: Credentials, action: str, sitting: str) -> None:
        with AdminClient(self.project.gateway_port) as admin:
            admin.log_in(doctor.username, doctor.password)
            admin.act(action, sitting)

    def _await_graded(self, sitting: str) -> None:
        def graded() -> bool:
            revisions = self.client.sitting(sitting)["revisions"]
            return any(each["number"] == REVISION and each["state"] == "graded" for each in revisions)

        eventually(graded, f"{sitting} is graded", seconds=_GRADED_SECONDS)
