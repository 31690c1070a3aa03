"""The operator's demo: its samples, what it reads from kubectl, and when it may be called good."""

from dataclasses import replace
from typing import Any

import pytest

from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.operator.report import Report
from exam_harness.scenarios.operator.settings import Settings, read_settings
from exam_harness.scenarios.sitting.exam_phases import Phases
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
GOOD = Report(
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


def test_the_samples_are_held_when_somebody_watches() -> None:
    """If the samples are applied in the demo, all that differs from the files is the window and the pre-warming."""
    coded = {sample.name: sample for sample in read_samples()}
    assert {name: sample.as_code for name, sample in coded.items()} == {"algebra-midterm": False, "geometry-quiz": True}
    assert {sample.document.level for sample in coded.values()} == {"year-1", "year-2"}
    held = coded["geometry-quiz"].held(
        opens_at=NOON, closes_at=NOON + 60 * SECOND, duration=50 * SECOND, prewarm=5 * SECOND
    )
    secret, exam = held["items"]
    assert secret["type"] == "examplatform.dev/paper"
    window = {"opensAt": "2027-01-15T12:00:00Z", "closesAt": "2027-01-15T12:01:00Z", "duration": "50s"}
    [original] = [each for each in coded["geometry-quiz"].objects if each["kind"] == "Exam"]
    assert exam["spec"] == original["spec"] | {"window": window, "solver": {"prewarm": "5s"}}


def test_phases_are_read_from_what_a_person_sees() -> None:
    """If kubectl shows a phase for the first time, that is when the sitting reached it."""
    clock = iter(range(100))
    phases = Phases(lambda: next(clock))
    for line in TABLE.splitlines():
        phases.read(line)
    assert {name: list(told) for name, told in phases.told.items()} == {
        "algebra-midterm": ["Scheduled", "Open"],
        "geometry-quiz": ["Pending"],
    }
    assert phases.told["algebra-midterm"]["Scheduled"] < phases.told["algebra-midterm"]["Open"]
    assert phases.reached("algebra-midterm", "Open")
    assert not phases.reached("geometry-quiz", "Open")


def test_a_good_run_is_called_good() -> None:
    """If all went as it should and everything was tried, the run is good."""
    assert GOOD.failures() == []
    assert GOOD.to_json()["good"] is True


@pytest.mark.parametrize(
    ("changes", "why"),
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
def test_a_run_that_went_wrong_is_not(changes: dict[str, Any], why: str) -> None:
    """If anything went wrong, or was never tried, the run fails and says so."""
    [failure] = replace(GOOD, **changes).failures()
    assert why in failure


def test_a_run_too_small_to_try_everything_is_refused(capsys) -> None:
    """If I ask for a run that is too small, I am told how large it has to be."""
    assert read_settings(["--students", "40", "--seconds", "20"]) == Settings(students=40, seconds=20)
    with pytest.raises(SystemExit):
        read_settings(["--students", "39"])
    assert "at least 40 students" in capsys.readouterr().err
