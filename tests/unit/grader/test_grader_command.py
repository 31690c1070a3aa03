"""The command line: invalid arguments and settings are rejected before anything is done."""

import argparse

import pytest

from exam_grader.__main__ import main
from exam_grader.boot import run_command
from exam_runtime.settings import EXIT_CONFIG


@pytest.mark.parametrize(
    "argv",
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
def test_an_invalid_command_line_exits_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """If I mistype, I see the usage."""
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "usage: python -m exam_grader" in capsys.readouterr().err


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """If I script the command, I find its exit codes in --help."""
    with pytest.raises(SystemExit):
        main(["coordinate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "0 done; 1 unexpected error (see the log); 2 invalid command line; 3 rejected" in text
    assert "75 not finished, run again to resume" in text


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("EXAM_DATABASE_URL", None, "EXAM_DATABASE_URL is not set"),
        ("EXAM_BROKER_URL", "http://localhost", "EXAM_BROKER_URL: URL scheme should be 'redis'"),
        ("EXAM_GRADER_CONCURRENCY", "0", "EXAM_GRADER_CONCURRENCY: Input should be greater than or equal to 1"),
        ("EXAM_CLOSE_POLL_SECONDS", "soon", "EXAM_CLOSE_POLL_SECONDS: Input should be a valid number"),
        ("EXAM_LOG_LEVEL", "LOUD", "EXAM_LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_every_invalid_variable_is_named(
    name: str,
    value: str | None,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If settings are invalid, all of them are named at once, and the exit code says that a retry does not help."""
    monkeypatch.setenv("EXAM_CASSANDRA_HOSTS", "")
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert run_command(argparse.Namespace(command="beat")) == EXIT_CONFIG
    error = capsys.readouterr().err
    assert fault in error
    assert "EXAM_CASSANDRA_HOSTS is not set" in error
