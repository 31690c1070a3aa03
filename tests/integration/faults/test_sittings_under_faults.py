"""Whatever fails during a sitting, all that the platform says to its students is true."""

import pytest

from exam_harness.faults.schedule import PLATFORM_CLOCK, Event, Fault, Schedule, draw_schedule
from exam_harness.scenarios.nemesis.platform import targets

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
    """If the clocks of all stores but PostgreSQL are set during my sitting, nothing is late that was in time."""
    clocks = [name for name in targets(STUDENTS).clocks if name != PLATFORM_CLOCK]
    events = tuple(
        Event(at=1_000 + 500 * index, fault=Fault.STEP, target=name, amount=step) for index, name in enumerate(clocks)
    )
    assert await judged.mismatches(Schedule(seed=0, events=events)) == []
