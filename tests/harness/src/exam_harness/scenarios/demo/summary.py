"""What a person is shown at the end: the numbers, the picture, and with KEEP=1 the way in."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from exam_harness.scenarios.demo.report import Report
from exam_harness.scenarios.demo.scenario import Outcome
from exam_harness.scenarios.reporting.timeline import timeline
from exam_harness.scenarios.sitting.accounts import People


def summary(report: Report) -> RenderableType:
    """The table at the end."""
    table = Table(show_header=False, title="What came of it", title_justify="left")
    rows: list[tuple[str, object]] = [
        ("students", f"{report.students} in two levels, {report.present} sat"),
        ("answers acknowledged", f"{report.acknowledged} (changed ones included)"),
        ("questions with an acknowledged answer", report.counted),
        ("answers sealed", report.sealed),
        ("receipts verified", report.receipts),
        ("degrees compared", ", ".join(f"{count} ({who})" for who, count in sorted(report.degrees.items()))),
        ("late answers refused", report.late_refused),
        ("forged tokens refused", report.forged_refused),
        ("refused at another exam's sitting", report.foreign_refused),
        ("answers sent again", report.retries),
        ("resumed on a second device", report.resumes),
        ("acknowledged by the killed solver", report.killed_acknowledged),
        ("answers of unknown outcome", report.unknown_outcome),
        ("latency as students saw it", ", ".join(f"{name} {ms:.0f} ms" for name, ms in report.latency_ms.items())),
        ("mismatches", len(report.mismatches)),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    verdict = Text("FAILED", style="bold red") if report.failures() else Text("ALL CHECKS HELD", style="bold green")
    return Group(Text(""), table, verdict)


def picture(outcome: Outcome) -> str:
    """The timeline: acknowledged answers a second over both sittings, and what happened when."""
    first = outcome.sittings[0]
    marks = {
        "first deadline": first.scheduled.opens_at + first.scheduled.duration,
        "close": first.scheduled.closes_at,
        "solver killed": outcome.killed.killed_at,
        "solver back": outcome.killed.back_at,
        **first.record.events,
    }
    report = outcome.report
    return timeline(
        f"{report.present} students, {report.acknowledged} acknowledged answers",
        (entry.received_at for entry in outcome.book.every()),
        marks,
        opens_at=first.scheduled.opens_at,
    )


def addresses(address: str, people: People, folder: Path) -> RenderableType:
    """Where everything is and who may log in."""
    port = address.rpartition(":")[2]
    table = Table(show_header=True, title="Still running. Ctrl-C ends it", title_justify="left")
    for column in ("role", "name", "password", "where"):
        table.add_column(column, overflow="fold")
    table.add_row("staff", people.staff.username, people.staff.password, f"http://localhost:{port}/admin/")
    for doctor in people.doctors:
        table.add_row("doctor", doctor.username, doctor.password, f"http://localhost:{port}/admin/")
    student = people.students[0]
    table.add_row("student", student.username, student.password, f"http://localhost:{port}/")
    solver = f"solver: http://solver.localhost:{port}/ (or dial 127.0.0.1 and set Host)"
    return Group(Text(""), table, Text(solver), Text(f"data and logs: {folder}"))
