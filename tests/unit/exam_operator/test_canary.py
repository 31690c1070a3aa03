"""Detection of a stalled watch."""

from typing import Any

import pytest

from exam_core.instants import SECOND
from exam_operator.runtime.canary import MAX_LAG, Canary


def exam(version: str, name: str = "midterm") -> dict[str, Any]:
    """An Exam at a version."""
    return {"metadata": {"namespace": "exams", "name": name, "uid": "0" * 36, "resourceVersion": version}}


def test_a_watch_that_delivers_everything_is_not_stalled() -> None:
    """If the watch has delivered what the list shows, it never counts as stalled."""
    canary = Canary()
    canary.watch_delivered(exam("7"), deleted=False)
    canary.listed([exam("7")], now=0)
    assert canary.stalled(now=100 * MAX_LAG) == ""


def test_a_watch_may_lag_a_little() -> None:
    """If the list shows what the watch has not delivered yet, that is no fault for a while."""
    canary = Canary()
    canary.listed([exam("7")], now=0)
    assert canary.stalled(now=MAX_LAG) == ""
    canary.watch_delivered(exam("7"), deleted=False)
    assert canary.stalled(now=10 * MAX_LAG) == ""


@pytest.mark.parametrize("versions", [["8", "8", "8"], ["8", "9", "10"]])
def test_a_stalled_watch_is_reported_with_the_missed_object(versions: list[str]) -> None:
    """If the watch does not deliver what lists show, the first missed version is named, even if it keeps changing."""
    canary = Canary()
    canary.watch_delivered(exam("7"), deleted=False)
    for turn, version in enumerate(versions):
        canary.listed([exam(version)], now=turn * 11 * SECOND)
    assert "has not delivered exams/midterm at resourceVersion 8" in canary.stalled(now=22 * SECOND)


def test_a_deleted_exam_is_not_missed() -> None:
    """If an Exam is deleted, the watch owes nothing about it."""
    canary = Canary()
    canary.listed([exam("7"), exam("8", "other")], now=0)
    canary.listed([], now=SECOND)
    assert canary.stalled(now=10 * MAX_LAG) == ""
    canary.listed([exam("7")], now=0)
    canary.watch_delivered(exam("9"), deleted=True)
    assert canary.stalled(now=10 * MAX_LAG) == ""


def test_without_lists_nothing_is_reported() -> None:
    """If the API server is unavailable, nothing can be listed, and the watch does not count as stalled."""
    canary = Canary()
    canary.watch_delivered(exam("7"), deleted=False)
    assert canary.stalled(now=100 * MAX_LAG) == ""
