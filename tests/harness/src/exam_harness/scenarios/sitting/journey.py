"""The students' journey in every run: log in, find their sitting, look up their degrees; with live progress."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from exam_harness.scenarios.reporting.progress import Step
from exam_harness.scenarios.sitting.accounts import Credentials
from exam_harness.scenarios.sitting.checks import ScheduledSitting
from exam_harness.students.cohort import Cohort, fetch_all, log_in_doctor
from exam_harness.students.student import AssignedSitting

POLL_SECONDS = 0.5
"""Interval between two polls of a sitting's state, and between two updates of a step's detail."""


@asynccontextmanager
async def live_detail(step: Step, detail: Callable[[], str]) -> AsyncIterator[None]:
    """Update a step's detail until the context ends."""

    async def update() -> None:
        while True:
            step.update(detail())
            await asyncio.sleep(POLL_SECONDS)

    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(update())
        yield
        ticker.cancel()
    step.update(detail())


async def log_in(cohort: Cohort, step: Step) -> None:
    """Log in all students."""
    async with live_detail(step, lambda: f"{cohort.history.counts['logins']} of {len(cohort.attending)} students"):
        await cohort.log_in()


async def find_sittings(cohort: Cohort, scheduled: Sequence[ScheduledSitting]) -> dict[str, AssignedSitting]:
    """The sitting of each level as the API shows it to its students; the foreign one is another level's."""
    for sitting in scheduled:
        document = sitting.document
        listed = await cohort.list_sittings(document.level, document.exam)
        if [each["id"] for each in listed] != [sitting.id]:
            cohort.history.record_violation(
                f"students of {document.level} are shown {listed}, expected sitting {sitting.id}"
            )
    await cohort.sync_clock(scheduled[0].id)
    return {
        own.document.level: AssignedSitting(
            sitting=own.id, foreign_sitting=foreign.id, document=own.document, opens_at=own.opens_at
        )
        for own, foreign in zip(scheduled, reversed(scheduled), strict=True)
    }


async def fetch_degrees(cohort: Cohort, doctors: Iterable[Credentials]) -> list[tuple[str, dict[str, Any]]]:
    """(source, degree): students' own degrees, and those that doctors see of their exams."""
    degrees = [("student", row) for row in await cohort.fetch_degrees()]
    for doctor in doctors:
        token = await log_in_doctor(cohort.gateway, doctor.username, doctor.password)
        degrees += [("doctor", row) for row in await fetch_all(cohort.gateway, token, "/api/degrees")]
    return degrees
