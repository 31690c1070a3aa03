"""The demo's report: a run passes only without mismatches and with every fault covered."""

from dataclasses import replace
from typing import Any

import pytest

from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.demo.report import DemoReport
from exam_harness.scenarios.reporting.report import quantiles


def report(**changes: Any) -> DemoReport:
    """The report of a passing run."""
    passing = DemoReport(
        students=300,
        present=295,
        acknowledged=7000,
        counted=5000,
        sealed=5000,
        late_refused=80,
        forged_refused=90,
        foreign_refused=40,
        invalid_refused=30,
        retries=100,
        resumes=30,
        killed_acknowledged=900,
        unknown_outcome=0,
        receipts=7000,
        degrees={"student": 295, "database": 295},
        mismatches=[],
        seconds={"sitting": 69.123},
    )
    return replace(passing, **changes)


def test_a_run_without_mismatches_that_covers_all_faults_passes() -> None:
    """No mismatch, and every fault occurred: the run passes."""
    assert report().failures() == []
    assert report().to_json()["good"] is True


@pytest.mark.parametrize(
    ("member", "text"),
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
def test_a_run_that_does_not_cover_a_fault_fails(member: str, text: str) -> None:
    """A run without late answers, forged tokens, retries, resumes or a kill fails."""
    (failure,) = report(**{member: 0}).failures()
    assert text in failure


def test_a_run_without_degrees_fails() -> None:
    """Without degrees to compare, the run proves nothing about them."""
    assert report(degrees={"student": 0}).failures() == ["no degree was compared"]


def test_a_single_mismatch_fails_the_run() -> None:
    """One difference fails the run, and the report has its details."""
    failed = report(mismatches=[Mismatch("lost", "algebra", "student 3, question 4")])
    assert failed.failures() == ["1 mismatches of kind 'lost'"]
    written = failed.to_json()
    assert (written["good"], written["mismatches"]) == (False, 1)
    assert written["details"] == [{"kind": "lost", "sitting": "algebra", "detail": "student 3, question 4"}]


def test_the_json_report_has_the_numbers_and_the_durations() -> None:
    """report.json has every count and the seconds of each step."""
    written = report().to_json()
    for member in ("students", "acknowledged", "sealed", "late_refused", "forged_refused", "mismatches"):
        assert isinstance(written[member], int)
    assert written["seconds"] == {"sitting": 69.12}


def test_quantiles_are_in_milliseconds() -> None:
    """The median, 95th and 99th percentile and the maximum; none without data."""
    seconds = [number / 1000 for number in range(1, 101)]
    assert quantiles(seconds) == pytest.approx({"p50": 51, "p95": 96, "p99": 100, "max": 100})
    assert quantiles([]) == {}
