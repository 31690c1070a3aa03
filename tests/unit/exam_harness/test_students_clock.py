"""A device's estimate of the platform's clock."""

import pytest

from exam_harness.oracle.instants import parse_rfc3339, rfc3339
from exam_harness.students.clock import ServerClock


async def test_half_of_the_round_trip_counts_as_delay() -> None:
    """The request took two seconds: the platform's time is taken as of one second ago."""
    here = iter([10.0, 12.0, 15.0])
    clock = ServerClock(local_time=lambda: next(here))
    assert await clock.sync(_noon) == 1_000_000_000
    assert clock.now() == 1_004_000_000


async def test_a_slower_response_does_not_set_the_clock() -> None:
    """The fastest response sets the clock: a slow one may be off by its whole delay."""
    here = iter([0.0, 0.01, 1.0, 9.0, 9.0])
    clock = ServerClock(local_time=lambda: next(here))
    await clock.sync(_noon)
    await clock.sync(_noon)
    assert clock.now() == 1_008_995_000


async def test_waiting_ends_by_the_platforms_time() -> None:
    """A device whose clock is ahead asks again until the platform's own time has come."""
    here = 0.0
    requests: list[int] = []

    async def slow_platform() -> int:
        nonlocal here
        here += 0.001
        requests.append(len(requests))
        return 999_990_000 + 4_000 * len(requests)

    clock = ServerClock(local_time=lambda: here)
    await clock.sync(slow_platform)
    here += 1
    await clock.wait_until(1_000_000_000, slow_platform)
    assert len(requests) == 3


async def test_an_unsynchronised_clock_raises() -> None:
    """Before the first synchronisation there is no time."""
    with pytest.raises(RuntimeError, match="never synchronised"):
        ServerClock().now()


def test_instants_round_trip_through_rfc3339() -> None:
    """No microsecond is lost between text and number."""
    assert parse_rfc3339(rfc3339(1_790_000_000_123_457)) == 1_790_000_000_123_457
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"


async def _noon() -> int:
    return 1_000_000_000
