"""Whether the watch still tells of what there is."""

from typing import Any

import pytest

from exam_core.instants import SECOND
from exam_operator.runtime.canary import UNSEEN_BOUND, Canary


def exam(version: str, name: str = "midterm") -> dict[str, Any]:
    """An Exam at a version."""
    return {"metadata": {"namespace": "exams", "name": name, "uid": "0" * 36, "resourceVersion": version}}


def test_a_watch_that_tells_of_everything_is_well() -> None:
    """If the watch has told of what the list shows, all is well for ever."""
    canary = Canary()
    canary.watched(exam("7"), gone=False)
    canary.listed([exam("7")], now=0)
    assert canary.silent(now=100 * UNSEEN_BOUND) == ""


def test_a_watch_may_be_a_little_late() -> None:
    """If the list shows what the watch has not told yet, that is no harm for a while."""
    canary = Canary()
    canary.listed([exam("7")], now=0)
    assert canary.silent(now=UNSEEN_BOUND) == ""
    canary.watched(exam("7"), gone=False)
    assert canary.silent(now=10 * UNSEEN_BOUND) == ""


@pytest.mark.parametrize("versions", [["8", "8", "8"], ["8", "9", "10"]])
def test_a_watch_that_has_gone_silent_is_named(versions: list[str]) -> None:
    """If the watch does not tell of what lists show, it is said of which, also when that goes on changing."""
    canary = Canary()
    canary.watched(exam("7"), gone=False)
    for turn, version in enumerate(versions):
        canary.listed([exam(version)], now=turn * 11 * SECOND)
    assert "exams/midterm at version 8" in canary.silent(now=22 * SECOND)


def test_what_is_gone_is_missed_by_nobody() -> None:
    """If an Exam is gone, its silence is natural."""
    canary = Canary()
    canary.listed([exam("7"), exam("8", "other")], now=0)
    canary.listed([], now=SECOND)
    assert canary.silent(now=10 * UNSEEN_BOUND) == ""
    canary.listed([exam("7")], now=0)
    canary.watched(exam("9"), gone=True)
    assert canary.silent(now=10 * UNSEEN_BOUND) == ""


def test_without_lists_nothing_is_proven() -> None:
    """If the API server is away, nothing can be listed, and the watch is not blamed for it."""
    canary = Canary()
    canary.watched(exam("7"), gone=False)
    assert canary.silent(now=100 * UNSEEN_BOUND) == ""
