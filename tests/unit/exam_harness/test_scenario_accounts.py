"""Accounts and settings of the demo."""

import csv
import io

import pytest

from exam_harness.scenarios.demo.settings import read_settings
from exam_harness.scenarios.sitting.accounts import new_accounts


def test_students_are_in_two_levels_and_a_few_have_extra_time() -> None:
    """Of 300 students 180 are in the first level; some in each level have extra time."""
    accounts = new_accounts(300, ("year-1", "year-2"))
    assert sum(one.level == "year-1" for one in accounts.students) == 180
    assert {one.level for one in accounts.accommodated} == {"year-1", "year-2"}
    assert len({one.password for one in accounts.students}) == 300


def test_the_csv_has_every_account_once() -> None:
    """The file that web imports has every account with its kind and, for students, its level."""
    accounts = new_accounts(50, ("year-1", "year-2"))
    rows = list(csv.DictReader(io.StringIO(accounts.csv())))
    assert len({row["username"] for row in rows}) == len(rows) == 52
    assert {row["level"] for row in rows if row["kind"] != "student"} == {""}


def test_keep_comes_from_the_environment_or_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """KEEP=1 keeps the stack running; KEEP=0 or no variable does not."""
    monkeypatch.delenv("KEEP", raising=False)
    assert not read_settings([]).keep
    assert read_settings(["--keep"]).keep
    monkeypatch.setenv("KEEP", "0")
    assert not read_settings([]).keep
    monkeypatch.setenv("KEEP", "1")
    assert read_settings([]).keep


def test_a_run_that_is_too_small_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With a handful of students some faults might not occur, and the run would prove nothing."""
    with pytest.raises(SystemExit):
        read_settings(["--students", "5"])
    assert "at least 40 students" in capsys.readouterr().err
