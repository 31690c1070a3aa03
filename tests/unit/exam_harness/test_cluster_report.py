"""The report of a run in a cluster: phases in order, one grading Job, and solver pods ready at the opening."""

from dataclasses import replace
from typing import Any

import pytest

from exam_harness.scenarios.cluster.report import ClusterReport

PASSING = ClusterReport(
    students=10,
    present=9,
    acknowledged=30,
    sealed=20,
    late_refused=2,
    degrees={"student": 9},
    mismatches=(),
    phases={"algebra": dict.fromkeys(("Scheduled", "Open", "Grading", "Published"), 1.0)},
    close_skew_ms={"algebra": 40},
    graded_by={"algebra": ("grade-1-r1",)},
    solver_replicas_wanted=2,
    solver_replicas_at_opening=2,
    solver_replicas_peak=3,
)


def test_a_run_without_failures_passes() -> None:
    """With all solver pods ready at the opening and all phases in order, the run passes."""
    assert PASSING.failures() == []
    written = PASSING.to_json()
    assert (written["good"], written["solver_replicas_peak"], written["solver_replicas_after"]) == (True, 3, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"solver_replicas_at_opening": 1}, "1 solver pods were ready at the opening, not 2"),
        ({"phases": {"algebra": {"Open": 1.0}}}, "phases Open"),
        ({"phases": {"algebra": {"Open": 1.0, "Lost": 2.0, "Published": 3.0}}}, "phases Open, Lost"),
        ({"graded_by": {"algebra": ()}}, "graded by 0 Jobs"),
    ],
)
def test_a_run_with_a_failure_fails_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    """Too few solver pods, phases out of order or a missing Job fail the run, and the report says which."""
    [failure] = replace(PASSING, **changes).failures()
    assert reason in failure
