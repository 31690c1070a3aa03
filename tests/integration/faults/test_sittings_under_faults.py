"""Whatever fails during a sitting, all that the platform says to its students is true."""

import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from exam_harness.faults.schedule import PLATFORM_CLOCK, Event, Fault, Schedule, draw_schedule
from exam_harness.scenarios.nemesis.platform import targets
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SEEDS = (1, 2, 3, 4, 5, 8, 9, 13)
"""A sample; `make test-faults` runs any other seeds."""
STUDENTS = 24


@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_that_a_student_is_answered_is_true(judged, seed: int) -> None:
    """What is acknowledged is graded, what came late is not, and no reply is untrue, whatever fails meanwhile."""
    schedule = draw_schedule(seed, targets(STUDENTS))
    assert await judged.mismatches(schedule) == [], [str(event) for event in schedule.events]


@pytest.mark.parametrize("step", [-5_000, 5_000])
async def test_no_other_clock_than_the_platforms_matters(judged, step: int) -> None:
    """If the clocks of all processes but PostgreSQL are set during my sitting, nothing is late that was in time."""
    clocks = [name for name in targets(STUDENTS).clocks if name != PLATFORM_CLOCK]
    events = tuple(
        Event(at=1_000 + 500 * index, fault=Fault.STEP, target=name, amount=step) for index, name in enumerate(clocks)
    )
    assert await judged.mismatches(Schedule(seed=0, events=events)) == []


async def test_every_process_follows_its_stepped_clock(judged) -> None:
    """A step of a clock reaches the process that it belongs to, as the date of its responses shows."""
    stack = judged.platform.stack
    for name, url in (("web", stack.web_url), ("solver-2", stack.solver_urls[1]), ("grader", stack.worker.url)):
        clock = stack.clocks[name]
        clock.step(100_000_000)
        eventually(lambda url=url: _ahead(url) > 90, f"{name} follows its clock")
        clock.step(-clock.offset)
        eventually(lambda url=url: _ahead(url) < 10, f"{name} follows its clock back")


def _ahead(url: str) -> float:
    """By how much the clock of a service is ahead of this machine's (s)."""
    response = httpx.get(f"{url}/readyz", headers={"Host": "localhost"}, trust_env=False)
    return parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time()
