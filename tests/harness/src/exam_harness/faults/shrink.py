"""Shrink a schedule that fails: find a simpler one that still fails."""

from collections.abc import Awaitable, Callable

from exam_harness.faults.schedule import Schedule

StillFails = Callable[[Schedule], Awaitable[bool]]
"""Run a schedule and return whether it fails; a flaky failure may need several runs."""


async def shrink(schedule: Schedule, still_fails: StillFails, *, runs: int) -> Schedule:
    """Return the simplest failing schedule that is found within a number of runs."""
    remaining = runs
    while True:
        for candidate in schedule.smaller():
            if remaining == 0:
                return schedule
            remaining -= 1
            if await still_fails(candidate):
                schedule = candidate
                break
        else:
            return schedule
