"""Steps of a long command: printed, timed, and run concurrently where that helps."""

import io
from threading import Barrier, Event

import pytest
from rich.console import Console

from exam_harness.environments.steps import Steps
from exam_harness.waiting import eventually


@pytest.fixture
def output() -> io.StringIO:
    """The console output."""
    return io.StringIO()


@pytest.fixture
def steps(output):
    """Steps that print to it."""
    return Steps("make it", Console(file=output, width=200))


def test_two_functions_run_concurrently(steps) -> None:
    """If programs and images are missing, both are built at the same time."""
    met = Barrier(2, timeout=10)
    assert steps.both(lambda: (met.wait(), "programs")[1], lambda: (met.wait(), "images")[1]) == ("programs", "images")


def test_a_failure_is_printed_at_once_and_the_other_function_finishes(steps, output) -> None:
    """If one of two functions fails, that is printed at once; the other finishes before the error is raised."""
    failed, ended = Event(), []

    def slow() -> None:
        assert failed.wait(10)
        eventually(lambda: "no disk" in output.getvalue(), "the failure is printed")
        ended.append("built")

    def broken() -> None:
        failed.set()
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        steps.both(slow, broken)
    assert ended == ["built"]
    assert "make it:    0 s  failed, waiting for concurrent steps to finish: no disk" in output.getvalue()
