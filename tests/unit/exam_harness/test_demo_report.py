"""The demo's verdict: good only when nothing differs and everything that can go wrong was tried."""

from dataclasses import replace
from typing import Any

import pytest

from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.demo.report import Report, quantiles


def report(**changes: Any) -> Report:
    """The report of a good run."""
    good = Report(
        students=300,
        present=295,
        acknowledged=7000,
        counted=5000,
        sealed=5000,
        late_refused=80,
        forged_refused=90,
        foreign_refused=40,
        retries=100,
        resumes=30,
        killed_acknowledged=900,
        unknown_outcome=0,
        receipts=7000,
        degrees={"student": 295, "database": 295},
        mismatches=[],
        seconds={"sitting": 69.123},
    )
    return replace(good, **changes)


def test_a_run_without_mismatch_in_which_everything_was_tried_is_good() -> None:
    """Nothing differs and everything happened: the run is good."""
    assert report().failures() == []
    assert report().to_json()["good"] is True


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("late_refused", "late"),
        ("forged_refused", "forged"),
        ("retries", "sent again"),
        ("resumes", "second device"),
        ("killed_acknowledged", "killed solver"),
        ("sealed", "sealed"),
        ("receipts", "receipt"),
    ],
)
def test_a_run_in_which_something_never_happened_is_not_good(what: str, said: str) -> None:
    """A run that tried no late answer, forged token, retry, resume or kill proves nothing and fails."""
    (failure,) = report(**{what: 0}).failures()
    assert said in failure


def test_a_run_that_compared_no_degree_is_not_good() -> None:
    """Without degrees to compare nobody knows whether they are right."""
    assert report(degrees={"student": 0}).failures() == ["no degree was compared"]


def test_one_mismatch_is_enough_to_fail() -> None:
    """A single difference makes the whole run bad, and the report names it."""
    bad = report(mismatches=[Mismatch("lost", "algebra", "student 3, question 4")])
    assert bad.failures() == ["1 mismatches of kind 'lost'"]
    written = bad.to_json()
    assert (written["good"], written["mismatches"]) == (False, 1)
    assert written["details"] == [{"kind": "lost", "sitting": "algebra", "what": "student 3, question 4"}]


def test_the_report_has_what_was_asked_for() -> None:
    """The file has the numbers a person looks for first, and the seconds of each step."""
    written = report().to_json()
    for member in ("students", "acknowledged", "sealed", "late_refused", "forged_refused", "mismatches"):
        assert isinstance(written[member], int)
    assert written["seconds"] == {"sitting": 69.12}


def test_quantiles_are_of_what_students_waited() -> None:
    """Half, nineteen of twenty, ninety-nine of a hundred, and the worst."""
    seconds = [number / 1000 for number in range(1, 101)]
    assert quantiles(seconds) == pytest.approx({"p50": 51, "p95": 96, "p99": 100, "max": 100})
    assert quantiles([]) == {}
