"""From answers in the answer log to degrees in the database, with the processes as they are deployed."""

import subprocess
from collections.abc import Callable

import pytest

from exam_core.schedule import State
from exam_grader.store import Store
from exam_support.stack.process import Child

pytestmark = pytest.mark.integration

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., Child]


def test_a_sitting_that_is_over_is_graded_by_the_workers(seeded, start: Start, coordinate: Run) -> None:
    """I run the coordinator: every degree is what a person would count, and the students see them."""
    start("worker")
    done = coordinate("--sitting", seeded.name, "--timeout", "120")
    assert done.returncode == 0, done.stderr
    seeded.assert_graded_once()
    row = seeded.row
    assert (row.state, row.published_revision) == (State.SEALED, 1)
    assert row.seal_digest
