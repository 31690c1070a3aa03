"""The command line says what it takes, and refuses what makes no sense before anything is touched."""

import pytest

from exam_grader.__main__ import main


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
