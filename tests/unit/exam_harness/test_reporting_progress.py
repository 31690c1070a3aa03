"""What a person sees while the demo runs."""

import io
import re

import pytest
from rich.console import Console

from exam_harness.scenarios.reporting.progress import Progress


def test_without_a_terminal_each_step_is_a_line_when_it_begins_and_ends() -> None:
    """In a log file I can read what was done and how long it took."""
    text = io.StringIO()
    progress = Progress(Console(file=text))
    with progress, progress.step("logins") as step:
        step.say("300 students")
    assert text.getvalue().splitlines()[0] == "logins …"
    assert re.fullmatch(r"logins: \d+\.\d s 300 students", text.getvalue().splitlines()[1])
    assert set(progress.seconds) == {"logins"}


def test_a_step_that_fails_says_so_and_keeps_its_time() -> None:
    """A failing step is not swallowed: its line says FAILED and the error goes on."""
    text = io.StringIO()
    progress = Progress(Console(file=text))
    with pytest.raises(ZeroDivisionError), progress, progress.step("verify"):
        raise ZeroDivisionError
    assert "FAILED" in text.getvalue()
    assert "verify" in progress.seconds


def test_at_a_terminal_the_table_is_drawn() -> None:
    """At a terminal I see the steps in one table."""
    text = io.StringIO()
    with Progress(Console(file=text, force_terminal=True, width=100)) as progress, progress.step("sitting") as step:
        step.say("7 acknowledged")
    assert "sitting" in text.getvalue()
    assert "7 acknowledged" in text.getvalue()
