"""Progress reads well on a terminal and in a log."""

import io

import structlog

from exam_grader.coordination.coordinator import Phase, Report
from exam_grader.coordination.progress import Progress

SEALING = [Report(phase=Phase.SEALING, text=f"algebra: {n} of 2 buckets sealed", done=n, total=2) for n in (1, 2)]
DONE = Report(phase=Phase.DONE, text="algebra: revision 1 is published")


def test_a_log_has_one_line_for_each_change() -> None:
    """Four polls a second do not fill the log with the same line."""
    with structlog.testing.capture_logs() as lines:
        progress = Progress(None)
        for report in (SEALING[0], SEALING[0], SEALING[1], SEALING[1], DONE):
            progress(report)
    assert [line["event"] for line in lines] == [report.text for report in (*SEALING, DONE)]
    assert (lines[0]["phase"], lines[0]["done"], lines[0]["total"]) == ("sealing", 1, 2)


def test_on_a_terminal_a_line_changes_and_each_phase_leaves_its_last() -> None:
    """At a terminal I see one line a phase, moving."""
    terminal = io.StringIO()
    progress = Progress(terminal)
    for report in (*SEALING, DONE):
        progress(report)
    lines = terminal.getvalue().split("\n")
    assert [line.split("\r\x1b[K")[-1] for line in lines] == [
        "   sealing  algebra: 2 of 2 buckets sealed",
        "      done  algebra: revision 1 is published",
        "",
    ]
