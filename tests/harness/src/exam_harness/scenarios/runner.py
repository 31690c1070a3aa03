"""Runs a sitting of simulated students and checks it with the oracle; shared by all scenarios.

A `Scenario` says where the platform runs, how its sittings are scheduled and ended, and which faults are injected.
`run_scenario` does everything else: it lets a cohort of students log in, find their sittings and answer, collects
evidence from the stores and the API, and compares it with the students' history.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from exam_harness.oracle.checker import Mismatch, ObservedDegree
from exam_harness.oracle.history import History
from exam_harness.scenarios.reporting.progress import Progress, Step
from exam_harness.scenarios.sitting.accounts import Accounts, Credentials
from exam_harness.scenarios.sitting.checks import (
    ScheduledSitting,
    SittingEvidence,
    check_sitting,
    collect_evidence,
    observed_degree,
)
from exam_harness.scenarios.sitting.journey import fetch_degrees, find_sittings, live_detail, log_in
from exam_harness.scenarios.sitting.platform_client import PlatformAccess, PlatformClient
from exam_harness.scenarios.sitting.proofs import FetchedProofs, check_proofs, fetch_proofs
from exam_harness.scenarios.sitting.store_readers import Stores
from exam_harness.students.clock import SECOND
from exam_harness.students.cohort import Cohort, open_cohort

DURATION_SHARE = 5 / 6
"""The longest attempt as a share of the window, so that the duration limits some attempts and the close others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingResult:
    """The outcome of a run.

    Attributes:
        scheduled: the sittings, one per level.
        evidence: what stores and API hold of each of them.
        mismatches: every difference between the platform and the oracle, broken contracts first.
        history: what students sent and received.
        latencies: seconds that each answered call took.
        failures: students' calls that failed at the platform: no response, or a server error.
    """

    scheduled: Sequence[ScheduledSitting]
    evidence: Sequence[SittingEvidence]
    mismatches: Sequence[Mismatch]
    history: History
    latencies: Sequence[float]
    failures: Sequence[str]

    @property
    def acknowledged(self) -> int:
        """Answers with a receipt, superseded ones included."""
        return len({entry.answer for entry in self.history.acknowledgements()})

    @property
    def sealed(self) -> int:
        """Answers in the seals."""
        return sum(each.seal.answer_count for each in self.evidence)

    @property
    def degrees(self) -> Mapping[str, int]:
        """Compared degrees by source."""
        return Counter(degree.source for each in self.evidence for degree in each.degrees)

    def numbers(self, students: int) -> dict[str, Any]:
        """The members that every report has; `students` is the number of accounts."""
        return {
            "students": students,
            "present": len(self.history.starts),
            "acknowledged": self.acknowledged,
            "sealed": self.sealed,
            "late_refused": self.history.counts["late_refused"],
            "degrees": self.degrees,
            "mismatches": self.mismatches,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKeys:
    """The JWK sets of receipts and of statements."""

    receipts: Mapping[str, Any]
    statements: Mapping[str, Any]


class Scenario(ABC):
    """A sitting in one environment; subclasses implement its steps in the order of the methods below.

    Args:
        access: the platform.
        accounts: the students, doctors and administrator who take part.
        seed: determines the students' profiles and plans.
    """

    fault_at = 0.4
    """When `inject_fault` is called, as a share of the window."""

    def __init__(self, access: PlatformAccess, accounts: Accounts, *, seed: int) -> None:
        self.access = access
        self.accounts = accounts
        self.seed = seed
        self.history = History()
        self.client = PlatformClient(access)

    @property
    def doctors(self) -> Sequence[Credentials]:
        """The doctors who have exams in this run and look up their degrees."""
        return self.accounts.doctors

    @abstractmethod
    async def load(self, step: Step) -> None:
        """Load accounts and exams."""

    @contextmanager
    def observe(self) -> Iterator[None]:
        """Observe the platform from before scheduling until after publishing; nothing by default."""
        yield

    @abstractmethod
    async def schedule(self, step: Step) -> Sequence[ScheduledSitting]:
        """Schedule one sitting for each level, all in the same window."""

    def detail(self) -> str:
        """The scenario's own part of the progress line while the sitting is open, with a leading comma."""
        return ""

    async def inject_fault(self) -> None:  # noqa: B027 - an optional hook
        """Inject faults while the sitting is open; none by default."""

    @abstractmethod
    async def await_graded(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Wait until all sittings are graded, after ending them where the platform does not do so itself."""

    @abstractmethod
    async def publish(self, scheduled: Sequence[ScheduledSitting], step: Step) -> None:
        """Publish the degrees."""

    @abstractmethod
    def open_stores(self) -> AbstractContextManager[Stores]:
        """Open the stores for reading."""

    def inspect(self, evidence: Sequence[SittingEvidence]) -> None:  # noqa: B027 - an optional hook
        """Record what else the report needs, while the platform is still running; nothing by default."""

    def close(self) -> None:
        """Release resources; called at the end of the run."""
        self.client.close()


async def run_scenario(scenario: Scenario, progress: Progress) -> SittingResult:
    """Run a scenario from loading its accounts to checking its degrees."""
    try:
        return await _run(scenario, progress)
    finally:
        scenario.close()


async def _run(scenario: Scenario, progress: Progress) -> SittingResult:
    with progress.step("accounts and exams") as step:
        await scenario.load(step)
    # Fetched before the exam as an auditor would: a process that is killed during it cannot change the keys.
    keys = PublishedKeys(
        receipts=await asyncio.to_thread(scenario.client.receipt_keys),
        statements=await asyncio.to_thread(scenario.client.statement_keys),
    )
    students, port, hosts = scenario.accounts.students, scenario.access.gateway_port, scenario.access.hosts
    async with open_cohort(students, port=port, seed=scenario.seed, history=scenario.history, hosts=hosts) as cohort:
        with progress.step("logins") as step:
            await log_in(cohort, step)
        with scenario.observe():
            with progress.step("schedule") as step:
                scheduled = await scenario.schedule(step)
                assigned = await find_sittings(cohort, scheduled)
            opens_at = scheduled[0].opens_at
            with progress.step("opening") as step:
                async with live_detail(step, lambda: _detail(scenario, cohort, opens_at)):
                    await cohort.clock.sleep_until(opens_at)
            with progress.step("sitting") as step:
                async with (
                    live_detail(step, lambda: _detail(scenario, cohort, opens_at)),
                    asyncio.TaskGroup() as group,
                ):
                    group.create_task(_inject_fault(scenario, cohort, scheduled[0]))
                    await cohort.sit(assigned)
            with progress.step("close, seal, grade") as step:
                await scenario.await_graded(scheduled, step)
            with progress.step("publish") as step:
                await scenario.publish(scheduled, step)
        with progress.step("degrees") as step:
            rows = await fetch_degrees(cohort, scenario.doctors)
            step.update(f"{len(rows)} seen by students and doctors")
        with progress.step("proofs") as step:
            proofs = await fetch_proofs(cohort, scenario.client, scheduled)
            step.update(f"{sum(map(len, proofs.proofs.values()))} for students")
    with progress.step("verify") as step:
        evidence, mismatches = await asyncio.to_thread(_verify, scenario, scheduled, rows, proofs, keys)
        await asyncio.to_thread(scenario.inspect, evidence)
        receipts, sealed = scenario.history.counts["acknowledgements"], sum(e.seal.answer_count for e in evidence)
        step.update(f"{receipts} receipts, {sealed} sealed answers, {sum(len(e.degrees) for e in evidence)} degrees")
    return SittingResult(
        scheduled=scheduled,
        evidence=evidence,
        mismatches=mismatches,
        history=scenario.history,
        latencies=cohort.gateway.latencies,
        failures=cohort.gateway.failures,
    )


async def _inject_fault(scenario: Scenario, cohort: Cohort, sitting: ScheduledSitting) -> None:
    window = sitting.closes_at - sitting.opens_at
    await cohort.clock.sleep_until(sitting.opens_at + int(window * scenario.fault_at))
    await scenario.inject_fault()


def _verify(
    scenario: Scenario,
    scheduled: Sequence[ScheduledSitting],
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    proofs: FetchedProofs,
    keys: PublishedKeys,
) -> tuple[list[SittingEvidence], list[Mismatch]]:
    """Collect the evidence of all sittings and check it."""
    observed: dict[str, list[ObservedDegree]] = {each.name: [] for each in scheduled}
    with scenario.open_stores() as stores:
        ids = stores.postgres.students()
        for source, row in rows:
            observed[row["sitting"]].append(observed_degree(source, row, ids))
        for sitting in scheduled:
            observed[sitting.name] += proofs.degrees(sitting.id)
        evidence = [collect_evidence(each, stores, observed[each.name]) for each in scheduled]
    mismatches = [Mismatch("contract", "", sentence) for sentence in scenario.history.violations]
    for each in evidence:
        mismatches += check_sitting(scenario.history, each, jwks=keys.receipts, ids=ids)
        mismatches += check_proofs(scenario.history, each, proofs, jwks=keys.statements, ids=ids)
    return evidence, mismatches


def _detail(scenario: Scenario, cohort: Cohort, opens_at: int) -> str:
    counts = scenario.history.counts
    return (
        f"{(cohort.clock.now() - opens_at) / SECOND:+.0f} s: {len(scenario.history.starts)} started, "
        f"{counts['acknowledgements']} acknowledged, {counts['late_refused']} late refused{scenario.detail()}"
    )
