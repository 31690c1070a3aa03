"""Progress, in the log and on a terminal."""

import io

import structlog

from exam_grader.coordination.port import Phase, Report
from exam_grader.coordination.progress import Progress

SEALING = [Report(phase=Phase.SEALING, text=f"algebra: {n} of 2 buckets sealed", done=n, total=2) for n in (1, 2)]
DONE = Report(phase=Phase.DONE, text="algebra: revision 1 is published")


def test_repeated_reports_are_logged_once() -> None:
    """Four polls a second do not fill the log with the same event."""
    with structlog.testing.capture_logs() as events:
        progress = Progress(None)
        for report in (SEALING[0], SEALING[0], SEALING[1], SEALING[1], DONE):
            progress(report)
    assert {event["event"] for event in events} == {"progress_reported"}
    assert [event["detail"] for event in events] == [report.text for report in (*SEALING, DONE)]
    assert (events[0]["phase"], events[0]["done"], events[0]["total"]) == ("sealing", 1, 2)


def test_the_terminal_shows_one_line_per_phase() -> None:
    """At a terminal I see one line per phase, which is overwritten until the phase ends."""
    terminal = io.StringIO()
    progress = Progress(terminal)
    for report in (*SEALING, DONE):
        progress(report)
    lines = terminal.getvalue().split("\n")
    assert [line.split("\r\x1b[K")[-1] for line in lines] == [
        "    sealing  algebra: 2 of 2 buckets sealed",
        "       done  algebra: revision 1 is published",
        "",
    ]
