"""The run: people and papers, a sitting with everything that can happen in one, and the oracle's judgement."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exam_harness.environments.processes.stack import Stack
from exam_harness.faults.solver_crash import Killed, kill_and_restart
from exam_harness.oracle.checker import Mismatch, SeenDegree
from exam_harness.oracle.document import Document, read_document
from exam_harness.oracle.history import Book
from exam_harness.oracle.scoring import ALL_OR_NOTHING, PROPORTIONAL
from exam_harness.scenarios.demo.report import Report, quantiles
from exam_harness.scenarios.demo.settings import Settings
from exam_harness.scenarios.reporting.progress import Progress, Step
from exam_harness.scenarios.sitting.accounts import EXTRA_US, People, people_of
from exam_harness.scenarios.sitting.checks import (
    REVISION,
    Evidence,
    Scheduled,
    acknowledged_by,
    collect,
    degree_of,
    judge_sitting,
)
from exam_harness.scenarios.sitting.journey import LOOK_EVERY, degrees_shown, log_in, rooms_of, telling
from exam_harness.scenarios.sitting.platform_client import PAPERS, Platform
from exam_harness.scenarios.sitting.store_readers import Postgres
from exam_harness.students.clock import SECOND
from exam_harness.students.cohort import Crowd, crowd_of
from exam_harness.students.student import Room

EXAMS = ("algebra-101", "geometry-201")
_LEAD_SECONDS = 8
"""Between provisioning and opening: accommodations are granted, solvers hear of the sitting, students open the page."""
_DURATION_SHARE = 5 / 6
"""What part of the window an attempt lasts at most, so that the duration limits some and the close others."""
_KILL_AT = 0.4
"""When a solver is killed, as a share of the window."""
_GRADED_WITHIN = 120


@dataclass
class Outcome:
    """What a run leaves for whoever reports it."""

    report: Report
    sittings: list[Evidence]
    killed: Killed
    book: Book


@dataclass
class Demo:
    """One run on a stack that serves."""

    settings: Settings
    stack: Stack
    progress: Progress
    book: Book = field(default_factory=Book)
    people: People = field(init=False)

    def __post_init__(self) -> None:
        self.documents = [read_document((PAPERS / f"{exam}.yaml").read_text()) for exam in EXAMS]
        self.people = people_of(self.settings.students, (self.documents[0].level, self.documents[1].level))
        self.platform = Platform(self.stack)
        self.postgres = Postgres(self.stack.postgres.dsn())

    async def run(self) -> Outcome:
        """Everything, in order."""
        with self.progress.step("exams and people") as step:
            self._load(step)
        seed, port = self.settings.seed, self.stack.gateway_port
        async with crowd_of(self.people.students, port=port, seed=seed, book=self.book) as crowd:
            with self.progress.step("logins") as step:
                await log_in(crowd, step)
            with self.progress.step("schedule two sittings") as step:
                scheduled = self._schedule(step)
                rooms = await rooms_of(crowd, scheduled)
            with self.progress.step("sitting") as step:
                killed = await self._sit(crowd, rooms, step)
            with self.progress.step("close, seal, grade") as step:
                await self._graded(scheduled, step)
            with self.progress.step("publish") as step:
                for sitting in scheduled:
                    self.platform.publish(sitting.name, REVISION)
                step.say(f"revision {REVISION} of {len(scheduled)} sittings")
            with self.progress.step("degrees") as step:
                shown = await degrees_shown(crowd, self.people.doctors)
                step.say(f"{len(shown)} seen by students and doctors")
        with self.progress.step("verify") as step:
            return self._verify(scheduled, shown, killed, crowd.gateway.seconds, step)

    def _load(self, step: Step) -> None:
        step.say(f"{len(self.people.students)} students, {len(self.people.doctors)} doctors")
        self.platform.load_people(self.people)
        for exam, doctor in zip(EXAMS, self.people.doctors, strict=True):
            self.platform.load_exam((PAPERS / f"{exam}.yaml").read_text(), doctor.username)
        questions = ", ".join(f"{document.exam}: {len(document.questions)} questions" for document in self.documents)
        step.say(f"{len(self.people.students)} students; {questions}")

    def _schedule(self, step: Step) -> list[Scheduled]:
        """Two sittings in the same window; a few students are granted extra time in each."""
        opens_at = self.postgres.now() + _LEAD_SECONDS * SECOND
        duration = int(self.settings.seconds * _DURATION_SHARE) * SECOND
        rules = (ALL_OR_NOTHING, PROPORTIONAL)
        scheduled = [
            self._schedule_one(document, opens_at, duration, multiple)
            for document, multiple in zip(self.documents, rules, strict=True)
        ]
        step.say(f"{self.settings.seconds} s each, {sum(len(each.extra) for each in scheduled)} accommodations")
        return scheduled

    def _schedule_one(self, document: Document, opens_at: int, duration: int, multiple: str) -> Scheduled:
        closes_at = opens_at + self.settings.seconds * SECOND
        name = f"demo-{document.exam}"
        candidates = sum(account.level == document.level for account in self.people.students)
        sitting = self.platform.provision(
            name,
            exam=document.exam,
            opens_at=opens_at,
            closes_at=closes_at,
            duration=duration,
            candidates=candidates,
            multiple=multiple,
        )
        extra = {one.username: EXTRA_US for one in self.people.accommodated if one.level == document.level}
        for username, extra_us in extra.items():
            self.platform.accommodate(name, username, extra_us)
        return Scheduled(
            id=sitting,
            name=name,
            document=document,
            opens_at=opens_at,
            closes_at=closes_at,
            duration=duration,
            multiple=multiple,
            extra=extra,
        )

    async def _sit(self, crowd: Crowd, rooms: Mapping[str, Room], step: Step) -> Killed:
        """The sitting; at some point in it a solver is killed and started again."""
        opens_at = next(iter(rooms.values())).opens_at
        async with telling(step, lambda: self._doing(crowd, opens_at)), asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill(crowd, opens_at))
            await crowd.sit(rooms)
        return killing.result()

    async def _kill(self, crowd: Crowd, opens_at: int) -> Killed:
        await crowd.clock.until(opens_at + int(self.settings.seconds * _KILL_AT * SECOND))
        self.book.counts["killed"] += 1
        killed = await kill_and_restart(self.stack.solvers[0], self.postgres)
        self.book.counts["restarted"] += 1
        return killed

    async def _graded(self, scheduled: list[Scheduled], step: Step) -> None:
        """Nobody does anything: the platform closes at the last deadline, drains, seals and grades by itself."""
        async with asyncio.timeout(_GRADED_WITHIN):
            while waiting := [each for each in map(self._state, scheduled) if "graded" not in each]:
                step.say("; ".join(waiting))
                await asyncio.sleep(LOOK_EVERY)
        step.say("; ".join(map(self._state, scheduled)))

    def _state(self, sitting: Scheduled) -> str:
        seen = self.platform.sitting(sitting.name)
        revisions = [each for each in seen["revisions"] if each["number"] == REVISION]
        return f"{sitting.name} {revisions[0]['state'] if revisions else seen['state']}"

    def _verify(
        self,
        scheduled: list[Scheduled],
        shown: list[tuple[str, dict[str, Any]]],
        killed: Killed,
        seconds: list[float],
        step: Step,
    ) -> Outcome:
        jwks, ids = self.platform.receipt_keys(), self.postgres.students()
        degrees: dict[str, list[SeenDegree]] = {each.name: [] for each in scheduled}
        for source, row in shown:
            degrees[row["sitting"]].append(degree_of(source, row, ids))
        with self.stack.cassandra.session() as session:
            evidence = [
                collect(each, postgres=self.postgres, cassandra=session, shown=degrees[each.name]) for each in scheduled
            ]
        mismatches = [Mismatch("contract", "", sentence) for sentence in self.book.complaints]
        for each in evidence:
            step.say(f"{each.scheduled.name}: {each.seal.count} sealed answers")
            mismatches += judge_sitting(self.book, each, jwks=jwks, ids=ids)
        report = self._report(evidence, mismatches, killed, seconds)
        step.say(f"{report.receipts} receipts, {report.sealed} sealed answers, {sum(report.degrees.values())} degrees")
        return Outcome(report, evidence, killed, self.book)

    def _report(
        self, evidence: list[Evidence], mismatches: list[Mismatch], killed: Killed, seconds: list[float]
    ) -> Report:
        counts = self.book.counts
        said = {entry.said for entry in self.book.every()}
        return Report(
            students=len(self.people.students),
            present=len(self.book.starts),
            acknowledged=len(said),
            counted=len({one.place for one in said}),
            sealed=sum(each.seal.count for each in evidence),
            late_refused=counts["late_refused"],
            forged_refused=counts["forged_refused"],
            foreign_refused=counts["foreign_refused"],
            retries=counts["retries"],
            resumes=counts["resumed"],
            killed_acknowledged=acknowledged_by(self.book, evidence, killed),
            unknown_outcome=len(self.book.doubtful()),
            receipts=sum(1 for _ in self.book.every()),
            degrees=Counter(degree.source for each in evidence for degree in each.degrees),
            mismatches=mismatches,
            seconds=self.progress.seconds,
            counts=counts,
            latency_ms=quantiles(seconds),
            about={
                "seed": self.settings.seed,
                "solvers": self.settings.solvers,
                "window_seconds": self.settings.seconds,
                "accommodations": sum(len(each.scheduled.extra) for each in evidence),
                "killed_seconds": (killed.back_at - killed.killed_at) / SECOND,
                "sittings": [_about(each) for each in evidence],
            },
        )

    def _doing(self, crowd: Crowd, opens_at: int) -> str:
        counts = self.book.counts
        clock = (crowd.clock.now() - opens_at) / SECOND
        killed = "" if not counts["killed"] else ", a solver killed" + (" and back" if counts["restarted"] else "")
        return (
            f"{clock:+.0f} s: {len(self.book.starts)} started, {counts['acknowledgements']} acknowledged, "
            f"{counts['retries']} sent again, {counts['resumed']} resumed, {counts['forged_refused']} forged, "
            f"{counts['late_refused']} late refused{killed}"
        )


def _about(evidence: Evidence) -> dict[str, object]:
    """What a person may want to look up of a sitting afterwards."""
    record, scheduled = evidence.record, evidence.scheduled
    totals = sorted(float(degree.total) for degree in evidence.degrees if degree.source == "database")
    return {
        "name": scheduled.name,
        "id": scheduled.id,
        "root": record.root,
        "buckets": record.buckets,
        "sealed": evidence.seal.count,
        "logged": len(evidence.log),
        "students": len(evidence.seal.students),
        "totals": {"lowest": totals[0], "median": totals[len(totals) // 2], "highest": totals[-1]} if totals else {},
        "seconds_after_close": {
            name: round((at - scheduled.closes_at) / SECOND, 2) for name, at in record.events.items()
        },
    }
