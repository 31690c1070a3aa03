"""The demo's scenario: two sittings on a local stack, with accommodations, while a solver is killed and restarted."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from exam_harness.environments.processes.stack import Stack
from exam_harness.faults.solver_crash import Killed, kill_and_restart
from exam_harness.oracle.document import Document, read_document
from exam_harness.oracle.scoring import ALL_OR_NOTHING, PROPORTIONAL
from exam_harness.scenarios.demo.settings import Settings
from exam_harness.scenarios.reporting.progress import Step
from exam_harness.scenarios.runner import DURATION_SHARE, Scenario
from exam_harness.scenarios.sitting.accounts import EXTRA_TIME_US, new_accounts
from exam_harness.scenarios.sitting.checks import REVISION, ScheduledSitting
from exam_harness.scenarios.sitting.journey import POLL_SECONDS
from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.scenarios.sitting.store_readers import PostgresReader, Stores
from exam_harness.students.clock import SECOND

EXAMS = ("algebra-101", "geometry-201")
_LEAD_SECONDS = 8
"""From provisioning to opening: accommodations are granted and solvers learn of the sittings."""
_GRADED_WITHIN = 120


class Demo(Scenario):
    """One run on a running stack; `killed` is the solver that was killed."""

    killed: Killed

    def __init__(self, settings: Settings, stack: Stack) -> None:
        self.documents = [read_document((PAPERS / f"{exam}.yaml").read_text()) for exam in EXAMS]
        accounts = new_accounts(settings.students, (self.documents[0].level, self.documents[1].level))
        super().__init__(stack, accounts, seed=settings.seed)
        self.settings = settings
        self.stack = stack
        self.postgres = PostgresReader(stack.postgres.dsn())

    async def load(self, step: Step) -> None:
        """Load accounts and both exams."""
        students = f"{len(self.accounts.students)} students"
        step.update(f"{students}, {len(self.doctors)} doctors")
        self.client.load_accounts(self.accounts)
        for exam, doctor in zip(EXAMS, self.doctors, strict=True):
            self.client.load_exam((PAPERS / f"{exam}.yaml").read_text(), doctor.username)
        questions = ", ".join(f"{document.exam}: {len(document.questions)} questions" for document in self.documents)
        step.update(f"{students}; {questions}")

    async def schedule(self, step: Step) -> list[ScheduledSitting]:
        """Provision two sittings in the same window; a few students get extra time in each."""
        opens_at = self.postgres.now() + _LEAD_SECONDS * SECOND
        duration = int(self.settings.seconds * DURATION_SHARE) * SECOND
        rules = (ALL_OR_NOTHING, PROPORTIONAL)
        scheduled = [
            self._provision(document, opens_at, duration, multiple)
            for document, multiple in zip(self.documents, rules, strict=True)
        ]
        step.update(f"{self.settings.seconds} s each, {sum(len(each.extra) for each in scheduled)} accommodations")
        return scheduled

    def detail(self) -> str:
        """Retries, resumes, forged tokens, and the state of the killed solver."""
        counts = self.history.counts
        killed = "" if not counts["killed"] else ", solver killed" + (" and restarted" if counts["restarted"] else "")
        return (
            f", {counts['retries']} sent again, {counts['resumed']} resumed, "
            f"{counts['forged_refused']} forged refused{killed}"
        )

    async def inject_fault(self) -> None:
        """Kill a solver and start it again."""
        self.history.counts["killed"] += 1
        self.killed = await kill_and_restart(self.stack.solvers[0], self.postgres)
        self.history.counts["restarted"] += 1

    async def await_graded(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Wait until the platform has closed, drained, sealed and graded both sittings on its own."""
        async with asyncio.timeout(_GRADED_WITHIN):
            while pending := [state for state in map(self._state, scheduled) if "graded" not in state]:
                step.update("; ".join(pending))
                await asyncio.sleep(POLL_SECONDS)
        step.update("; ".join(map(self._state, scheduled)))

    async def publish(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Publish the first revision of both sittings."""
        for sitting in scheduled:
            self.client.publish(sitting.name, REVISION)
        step.update(f"revision {REVISION} of {len(scheduled)} sittings")

    @contextmanager
    def open_stores(self) -> Iterator[Stores]:
        """Open the stack's stores."""
        with self.stack.cassandra.session() as session:
            yield Stores(self.postgres, session)

    def _provision(self, document: Document, opens_at: int, duration: int, multiple: str) -> ScheduledSitting:
        closes_at = opens_at + self.settings.seconds * SECOND
        name = f"demo-{document.exam}"
        sitting = self.client.provision(
            name,
            exam=document.exam,
            opens_at=opens_at,
            closes_at=closes_at,
            duration=duration,
            candidates=sum(account.level == document.level for account in self.accounts.students),
            multiple=multiple,
        )
        accommodated = [account for account in self.accounts.accommodated if account.level == document.level]
        extra = {account.username: EXTRA_TIME_US for account in accommodated}
        for username, extra_us in extra.items():
            self.client.accommodate(name, username, extra_us)
        return ScheduledSitting(
            id=sitting,
            name=name,
            document=document,
            opens_at=opens_at,
            closes_at=closes_at,
            duration=duration,
            multiple=multiple,
            extra=extra,
        )

    def _state(self, sitting: ScheduledSitting) -> str:
        status = self.client.sitting(sitting.name)
        revisions = [each for each in status["revisions"] if each["number"] == REVISION]
        return f"{sitting.name} {revisions[0]['state'] if revisions else status['state']}"
