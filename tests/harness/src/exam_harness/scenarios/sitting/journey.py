"""What every run has its students do: log in, find their rooms, look at their degrees; told as it goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from exam_harness.scenarios.reporting.progress import Step
from exam_harness.scenarios.sitting.accounts import Person
from exam_harness.scenarios.sitting.checks import Scheduled
from exam_harness.students.cohort import Crowd, log_in_doctor, pages
from exam_harness.students.student import Room

LOOK_EVERY = 0.5
"""Seconds between two looks at how far something is."""


@asynccontextmanager
async def telling(step: Step, detail: Callable[[], str]) -> AsyncIterator[None]:
    """Keep a step's detail up to date for as long as this lasts."""

    async def tell() -> None:
        while True:
            step.say(detail())
            await asyncio.sleep(LOOK_EVERY)

    async with asyncio.TaskGroup() as group:
        ticker = group.create_task(tell())
        yield
        ticker.cancel()
    step.say(detail())


async def log_in(crowd: Crowd, step: Step) -> None:
    """Everyone logs in."""
    async with telling(step, lambda: f"{crowd.book.counts['logins']} of {len(crowd.present)} students"):
        await crowd.log_in()


async def rooms_of(crowd: Crowd, scheduled: Sequence[Scheduled]) -> dict[str, Room]:
    """Where the students of each level sit, as the platform shows it to them; next door is another level's sitting."""
    for sitting in scheduled:
        shown = await crowd.sittings(sitting.document.level, sitting.document.exam)
        if [each["id"] for each in shown] != [sitting.id]:
            crowd.book.complain(f"students of {sitting.document.level} are shown {shown}, not sitting {sitting.id}")
    await crowd.set_clock(scheduled[0].id)
    return {
        here.document.level: Room(sitting=here.id, neighbour=there.id, document=here.document, opens_at=here.opens_at)
        for here, there in zip(scheduled, reversed(scheduled), strict=True)
    }


async def degrees_shown(crowd: Crowd, doctors: Iterable[Person]) -> list[tuple[str, dict[str, Any]]]:
    """(who saw it, the degree) as students see their own and doctors those of their exams."""
    seen = [("student", row) for row in await crowd.degrees()]
    for doctor in doctors:
        token = await log_in_doctor(crowd.gateway, doctor.username, doctor.password)
        seen += [("doctor", row) for row in await pages(crowd.gateway, token, "/api/degrees")]
    return seen
