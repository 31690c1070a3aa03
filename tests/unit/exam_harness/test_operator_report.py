"""The operator demo: its samples, the phases parsed from kubectl, and the report."""

from dataclasses import replace
from typing import Any

import pytest

from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.operator.report import OperatorReport
from exam_harness.scenarios.operator.settings import Settings, read_settings
from exam_harness.scenarios.sitting.exam_phases import PhaseLog
from exam_harness.scenarios.sitting.samples import read_samples
from exam_harness.students.clock import SECOND

NOON = 1_800_014_400 * SECOND
TABLE = """\
NAME              PHASE       OPENS                  CLOSES                 READY   ANSWERS   AGE
algebra-midterm               2027-01-15T12:00:00Z   2027-01-15T12:01:00Z                     0s
algebra-midterm   Scheduled   2027-01-15T12:00:00Z   2027-01-15T12:01:00Z                     1s
geometry-quiz     Pending     2027-01-15T12:00:00Z   2027-01-15T12:01:00Z                     1s
algebra-midterm   Scheduled   2027-01-15T12:00:00Z   2027-01-15T12:01:00Z   1                 2s
algebra-midterm   Open        2027-01-15T12:00:00Z   2027-01-15T12:01:00Z   1                 9s

"""
PASSING = OperatorReport(
    students=10,
    present=9,
    acknowledged=30,
    sealed=20,
    late_refused=2,
    phases={"algebra": dict.fromkeys(("Pending", "Warming", "Open", "Closing", "Grading", "Graded", "Published"), 1.0)},
    close_skew_ms={"algebra": 40},
    operator_kills=("Open",),
    graded_by={"algebra": ("grade-1-r1",)},
    degrees={"student": 9},
    mismatches=(),
)


def test_a_rescheduled_sample_differs_in_owner_window_and_prewarming_only() -> None:
    """The manifests that the demo applies differ from the files only in owner, window and pre-warming."""
    samples = {sample.name: sample for sample in read_samples()}
    assert {name: sample.as_code for name, sample in samples.items()} == {
        "algebra-midterm": False,
        "geometry-quiz": True,
    }
    assert {sample.document.level for sample in samples.values()} == {"year-1", "year-2"}
    manifests = samples["geometry-quiz"].scheduled(
        owner="euclid", opens_at=NOON, closes_at=NOON + 60 * SECOND, duration=50 * SECOND, prewarm=5 * SECOND
    )
    secret, exam = manifests["items"]
    assert secret["type"] == "examplatform.dev/paper"
    window = {"opensAt": "2027-01-15T12:00:00Z", "closesAt": "2027-01-15T12:01:00Z", "duration": "50s"}
    [original] = [each for each in samples["geometry-quiz"].objects if each["kind"] == "Exam"]
    assert exam["spec"] == original["spec"] | {"owner": "euclid", "window": window, "solver": {"prewarm": "5s"}}
    [written] = samples["algebra-midterm"].scheduled(
        owner="euclid", opens_at=NOON, closes_at=NOON + 60 * SECOND, duration=50 * SECOND, prewarm=5 * SECOND
    )["items"]
    assert "owner" not in written["spec"], "an exam of the admin has its author"


def test_phases_are_parsed_from_the_output_of_kubectl() -> None:
    """An Exam reached a phase when kubectl first printed it."""
    clock = iter(range(100))
    phases = PhaseLog(lambda: next(clock))
    for line in TABLE.splitlines():
        phases.parse_line(line)
    assert {name: list(seen) for name, seen in phases.first_seen.items()} == {
        "algebra-midterm": ["Scheduled", "Open"],
        "geometry-quiz": ["Pending"],
    }
    assert phases.first_seen["algebra-midterm"]["Scheduled"] < phases.first_seen["algebra-midterm"]["Open"]
    assert phases.reached("algebra-midterm", "Open")
    assert not phases.reached("geometry-quiz", "Open")


def test_a_run_without_failures_passes() -> None:
    """Without mismatches and with every fault covered, the run passes."""
    assert PASSING.failures() == []
    assert PASSING.to_json()["good"] is True


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mismatches": (Mismatch("degree", "algebra", "7 is not 8"),)}, "1 mismatches of kind 'degree'"),
        ({"sealed": 0}, "no answer was sealed"),
        ({"late_refused": 0}, "no late answer was refused"),
        ({"degrees": {}}, "no degree was compared"),
        ({"operator_kills": ()}, "the operator was never killed"),
        ({"phases": {}}, "there was no Exam"),
        ({"phases": {"algebra": dict.fromkeys(("Warming", "Open", "Published"), 1.0)}}, "phases Warming, Open"),
        (
            {"phases": {"algebra": dict.fromkeys(("Open", "Warming", "Grading", "Published"), 1.0)}},
            "phases Open, Warming",
        ),
        ({"close_skew_ms": {"algebra": 2001}}, "closed 2001 ms after its last deadline"),
        ({"close_skew_ms": {"algebra": -1}}, "closed -1 ms after its last deadline"),
        ({"graded_by": {"algebra": ("a", "b")}}, "graded by 2 Jobs"),
    ],
)
def test_a_run_with_a_failure_fails_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    """A mismatch, a wrong phase or a fault that was not covered fails the run, and the report says which."""
    [failure] = replace(PASSING, **changes).failures()
    assert reason in failure


def test_a_run_that_is_too_small_is_a_usage_error(capsys) -> None:
    """If I ask for a run that is too small, the error names the minimum."""
    assert read_settings(["--students", "40", "--seconds", "20"]) == Settings(students=40, seconds=20)
    with pytest.raises(SystemExit):
        read_settings(["--students", "39"])
    assert "at least 40 students" in capsys.readouterr().err
