"""Steps of long work: told, timed, and two at once where that helps."""

import io
from threading import Barrier, Event

import pytest
from rich.console import Console

from exam_harness.environments.steps import Steps
from exam_harness.waiting import eventually


@pytest.fixture
def told() -> io.StringIO:
    """What the person who waits reads."""
    return io.StringIO()


@pytest.fixture
def steps(told):
    """Steps that are told there."""
    return Steps("make it", Console(file=told, width=200))


def test_two_works_go_on_at_once(steps) -> None:
    """If programs and images are missing, both are made at the same time."""
    met = Barrier(2, timeout=10)
    assert steps.both(lambda: (met.wait(), "programs")[1], lambda: (met.wait(), "images")[1]) == ("programs", "images")


def test_what_fails_first_is_told_at_once_and_the_other_is_finished(steps, told) -> None:
    """If one of two works fails, I read that at once; the other ends and is kept before the command gives up."""
    failed, ended = Event(), []

    def slow() -> None:
        assert failed.wait(10)
        eventually(lambda: "no disk" in told.getvalue(), "the failure is told")
        ended.append("built")

    def broken() -> None:
        failed.set()
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        steps.both(slow, broken)
    assert ended == ["built"]
    assert "make it:    0 s  failed, and stops once what else is under way has ended: no disk" in told.getvalue()
