"""``python -m exam_harness.scenarios.operator``: Exams on a real API server, run by the operator.

Exit codes: 0 every check held and everything that can go wrong was tried; 1 anything else; 2 wrong command line.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from exam_harness.environments.control_plane.exam_crd import exam_cluster
from exam_harness.environments.control_plane.operator_namespace import OperatorNamespace
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.operator.report import Report
from exam_harness.scenarios.operator.scenario import OperatorDemo, Outcome, people_for
from exam_harness.scenarios.operator.settings import Settings, read_settings
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import Say, print_failures, run_folder, shown, stack_of
from exam_harness.scenarios.reporting.timeline import timeline
from exam_harness.scenarios.sitting.platform_client import Platform
from exam_harness.scenarios.sitting.samples import read_samples


def main() -> int:
    """Run the demo; the exit code."""
    settings = read_settings()
    console = Console()
    with run_folder("demo-operator", settings.folder, console) as folder:
        return _run(settings, folder, console)


def _run(settings: Settings, folder: Path, console: Console) -> int:
    samples = read_samples()
    people = people_for(samples, settings.students)

    def make(say: Say) -> Stack:
        # Nothing ends a sitting but the operator.
        return Stack(folder / "run", beat=False, echo=say)

    def print_line(line: str) -> None:
        console.print(f"  {line}", style="cyan", highlight=False, markup=False, soft_wrap=True)

    with ExitStack() as ends:
        progress = ends.enter_context(Progress(console))
        stack = ends.enter_context(stack_of(progress, make))
        with progress.step("people, Kubernetes") as step:
            step.say(f"{len(people.students)} students; etcd, API server, controllers")
            load = partial(Platform(stack).load_people, people)
            operated = OperatorNamespace(
                ends.enter_context(exam_cluster(stack.folder, while_starting=load)), stack, "exam-platform"
            )
        demo = OperatorDemo(settings, operated, people, samples, progress, print_line)
        return _report(settings, asyncio.run(demo.run()), console, progress)


def _report(settings: Settings, outcome: Outcome, console: Console, progress: Progress) -> int:
    """Write report and picture, show the table; the exit code."""
    report = outcome.report
    report.seconds = progress.seconds
    (settings.folder / "report.json").write_text(json.dumps(report.to_json(), indent=2) + "\n")
    (settings.folder / "timeline.svg").write_text(_picture(outcome))
    progress.close()
    console.print(_summary(report), highlight=False)
    failures = report.failures()
    print_failures(console, report.mismatches, failures)
    console.print(f"Report, timeline and logs: {shown(settings.folder)}", highlight=False, soft_wrap=True)
    return 1 if failures else 0


def _summary(report: Report) -> RenderableType:
    """The table at the end."""
    table = Table(show_header=False, title="What came of it", title_justify="left")
    rows: list[tuple[str, object]] = [
        ("students", f"{report.students} in two levels, {report.present} sat"),
        ("answers acknowledged", f"{report.acknowledged} (changed ones included)"),
        ("answers sealed", report.sealed),
        ("late answers refused", report.late_refused),
        ("operator killed while", ", ".join(report.operator_kills)),
        *((f"phases of {name}", _phases(told)) for name, told in report.phases.items()),
        *((f"closed after the last deadline, {name}", f"{ms} ms") for name, ms in report.close_skew_ms.items()),
        ("degrees compared", ", ".join(f"{count} ({who})" for who, count in sorted(report.degrees.items()))),
        ("mismatches", len(report.mismatches)),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    verdict = Text("FAILED", style="bold red") if report.failures() else Text("ALL CHECKS HELD", style="bold green")
    return Group(Text(""), table, verdict)


def _phases(told: Mapping[str, float]) -> str:
    return " → ".join(f"{phase} {at:+.1f} s" for phase, at in told.items())


def _picture(outcome: Outcome) -> str:
    """The timeline: acknowledged answers a second over all sittings, and the phases of the first."""
    first, report = outcome.sittings[0].scheduled, outcome.report
    name = next(iter(report.phases))
    marks = {phase: at for phase, at in outcome.phases.told[name].items() if at >= first.opens_at}
    title = f"{report.present} students, {report.acknowledged} acknowledged answers; phases of {name}"
    received_at = (entry.received_at for entry in outcome.book.every())
    return timeline(title, received_at, marks | {"close": first.closes_at}, opens_at=first.opens_at)


if __name__ == "__main__":
    sys.exit(main())
