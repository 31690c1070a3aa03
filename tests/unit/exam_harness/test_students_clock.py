"""The platform's clock as a device knows it."""

import pytest

from exam_harness.students.clock import ServerClock, instant_of, rfc3339


async def test_half_of_the_way_counts_as_delay() -> None:
    """Asking took two seconds: the platform's answer is taken as of one second ago."""
    here = iter([10.0, 12.0, 15.0])
    clock = ServerClock(here=lambda: next(here))
    assert await clock.ask(_noon) == 1_000_000_000
    assert clock.now() == 1_004_000_000


async def test_a_slow_answer_does_not_set_the_clock() -> None:
    """On a bad network the quickest answer is the one to go by: a slow one may be off by all its delay."""
    here = iter([0.0, 0.01, 1.0, 9.0, 9.0])
    clock = ServerClock(here=lambda: next(here))
    await clock.ask(_noon)
    await clock.ask(_noon)
    assert clock.now() == 1_008_995_000


async def test_waiting_ends_only_when_the_platform_says_so() -> None:
    """A device whose clock runs ahead asks again until the platform's own time has come."""
    here = 0.0
    asked: list[int] = []

    async def slow_platform() -> int:
        nonlocal here
        here += 0.001
        asked.append(len(asked))
        return 999_990_000 + 4_000 * len(asked)

    clock = ServerClock(here=lambda: here)
    await clock.ask(slow_platform)
    here += 1
    await clock.until_said(1_000_000_000, slow_platform)
    assert len(asked) == 3


async def test_nobody_guesses_the_time() -> None:
    """Before the platform was asked there is no time."""
    with pytest.raises(RuntimeError, match="asked"):
        ServerClock().now()


def test_instants_survive_their_text() -> None:
    """No microsecond is lost between text and number."""
    assert instant_of(rfc3339(1_790_000_000_123_457)) == 1_790_000_000_123_457
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"


async def _noon() -> int:
    return 1_000_000_000
