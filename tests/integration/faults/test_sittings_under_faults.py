"""Whatever fails during a sitting, all that the platform says to its students is true."""

import pytest

from exam_harness.faults.schedule import draw_schedule
from exam_harness.scenarios.nemesis.platform import targets

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SEEDS = (1, 2, 3, 4, 5, 8, 9, 13)
"""A sample; `make test-faults` runs any other seeds."""
STUDENTS = 24


@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_that_a_student_is_answered_is_true(judged, seed: int) -> None:
    """What is acknowledged is graded, what came late is not, and no reply is untrue, whatever fails meanwhile."""
    schedule = draw_schedule(seed, targets(STUDENTS))
    assert await judged.mismatches(schedule) == [], [str(event) for event in schedule.events]
