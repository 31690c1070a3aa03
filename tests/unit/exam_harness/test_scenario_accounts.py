"""Who takes part in the demo, and how large a run is."""

import csv
import io

import pytest

from exam_harness.scenarios.demo.settings import read_settings
from exam_harness.scenarios.sitting.accounts import people_of


def test_students_sit_in_two_levels_and_a_few_have_extra_time() -> None:
    """Of 300 students 180 are in the first level; some in each level are granted extra time."""
    people = people_of(300, ("year-1", "year-2"))
    assert sum(one.level == "year-1" for one in people.students) == 180
    assert {one.level for one in people.accommodated} == {"year-1", "year-2"}
    assert len({one.password for one in people.students}) == 300


def test_the_file_has_everyone_once() -> None:
    """What web imports names every person with kind and, for students, level."""
    people = people_of(50, ("year-1", "year-2"))
    rows = list(csv.DictReader(io.StringIO(people.csv())))
    assert len({row["username"] for row in rows}) == len(rows) == 52
    assert {row["level"] for row in rows if row["kind"] != "student"} == {""}


def test_keep_comes_from_the_environment_or_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """KEEP=1 leaves everything running; KEEP=0 and nothing do not."""
    monkeypatch.delenv("KEEP", raising=False)
    assert not read_settings([]).keep
    assert read_settings(["--keep"]).keep
    monkeypatch.setenv("KEEP", "0")
    assert not read_settings([]).keep
    monkeypatch.setenv("KEEP", "1")
    assert read_settings([]).keep


def test_a_run_too_small_to_try_everything_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With a handful of students nobody might be late, and the run would prove nothing."""
    with pytest.raises(SystemExit):
        read_settings(["--students", "5"])
    assert "at least 40 students" in capsys.readouterr().err
