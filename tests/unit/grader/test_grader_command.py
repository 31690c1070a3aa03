"""The command line says what it takes, and refuses what makes no sense before anything is touched."""

import argparse

import pytest

from exam_grader.__main__ import main
from exam_grader.boot import run_command


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["grade"],
        ["coordinate"],
        ["coordinate", "--sitting", "a", "--revision", "0"],
        ["coordinate", "--sitting", "a", "--revision", "one"],
        ["coordinate", "--sitting", "a", "--timeout", "-1"],
        ["coordinate", "--sitting", "a", "--timeout", "inf"],
        ["coordinate", "--sitting", "a", "--parallelism", "0"],
    ],
)
def test_a_wrong_command_line_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """If I mistype, I am told how it is written."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: python -m exam_grader" in capsys.readouterr().err


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever scripts this finds the exit codes in --help."""
    with pytest.raises(SystemExit):
        main(["coordinate", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "0 done; 1 a fault (see the log); 2 wrong command line; 3 refused" in told
    assert "75 not done yet, run again" in told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("EXAM_DATABASE_URL", None, "EXAM_DATABASE_URL: Field required"),
        ("EXAM_REDIS_URL", "http://localhost", "EXAM_REDIS_URL: URL scheme should be 'redis'"),
        ("EXAM_GRADER_CONCURRENCY", "0", "EXAM_GRADER_CONCURRENCY: Input should be greater than or equal to 1"),
        ("EXAM_CLOSE_POLL_SECONDS", "soon", "EXAM_CLOSE_POLL_SECONDS: Input should be a valid number"),
    ],
)
def test_a_wrong_variable_is_named(
    name: str,
    value: str | None,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If the environment is wrong I am told which variable, and the code says that it is no fault of the sitting's."""
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert run_command(argparse.Namespace(command="beat")) == 78
    assert told in capsys.readouterr().err
