"""Progress of a run at a terminal and in a log file."""

import io
import re

import pytest
from rich.console import Console

from exam_harness.scenarios.reporting.progress import Progress


def test_without_a_terminal_each_step_prints_a_line_at_its_start_and_end() -> None:
    """In a log file I can read each step and how long it took."""
    text = io.StringIO()
    progress = Progress(Console(file=text))
    with progress, progress.step("logins") as step:
        step.update("300 students")
    assert text.getvalue().splitlines()[0] == "logins …"
    assert re.fullmatch(r"logins: \d+\.\d s 300 students", text.getvalue().splitlines()[1])
    assert set(progress.seconds) == {"logins"}


def test_a_failed_step_is_marked_and_its_duration_recorded() -> None:
    """A failed step prints FAILED and propagates its error."""
    text = io.StringIO()
    progress = Progress(Console(file=text))
    with pytest.raises(ZeroDivisionError), progress, progress.step("verify"):
        raise ZeroDivisionError
    assert "FAILED" in text.getvalue()
    assert "verify" in progress.seconds


def test_at_a_terminal_steps_are_a_table() -> None:
    """At a terminal I see the steps in one table."""
    text = io.StringIO()
    with Progress(Console(file=text, force_terminal=True, width=100)) as progress, progress.step("sitting") as step:
        step.update("7 acknowledged")
    assert "sitting" in text.getvalue()
    assert "7 acknowledged" in text.getvalue()
