"""``python -m exam_harness.scenarios.demo``: run a whole sitting on real stores and check it with the oracle.

Exit codes: 0 all checks passed and every fault occurred; 1 any failure; 2 usage error.
"""

import asyncio
import sys
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from exam_harness.environments.processes.interrupts import await_interrupt, end_on_sigterm
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.demo.report import report_of, timeline_of
from exam_harness.scenarios.demo.scenario import Demo
from exam_harness.scenarios.demo.settings import Settings, read_settings
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import Echo, run_folder, running_stack
from exam_harness.scenarios.runner import run_scenario


def main() -> int:
    """Run the demo and return the exit code."""
    settings = read_settings()
    console = Console()
    with run_folder("demo", settings.folder, console) as folder:
        return _run(settings, folder, console)


def _run(settings: Settings, folder: Path, console: Console) -> int:
    def make(echo: Echo) -> Stack:
        return Stack(folder / "run", solvers=settings.solvers, echo=echo)

    with Progress(console) as progress, running_stack(progress, make) as stack:
        demo = Demo(settings, stack)
        result = asyncio.run(run_scenario(demo, progress))
        report = report_of(demo, result)
        report.seconds = progress.seconds
        report.write(settings.folder, timeline_of(report, result, demo.killed))
        progress.close()
        code = report.print(console, settings.folder)
        if settings.keep:
            console.print(_addresses(demo, folder), highlight=False)
            await_interrupt()
    return code


def _addresses(demo: Demo, folder: Path) -> RenderableType:
    """The URLs and credentials of the stack that is kept running."""
    port, accounts = demo.client.address.rpartition(":")[2], demo.accounts
    table = Table(show_header=True, title="Still running; press Ctrl-C to stop", title_justify="left")
    for column in ("role", "username", "password", "URL"):
        table.add_column(column, overflow="fold")
    table.add_row("admin", accounts.admin.username, accounts.admin.password, f"http://localhost:{port}/admin/")
    for doctor in accounts.doctors:
        table.add_row("doctor", doctor.username, doctor.password, f"http://localhost:{port}/admin/")
    student = accounts.students[0]
    table.add_row("student", student.username, student.password, f"http://localhost:{port}/")
    solver = f"solver: http://solver.localhost:{port}/ (or 127.0.0.1 with that Host header)"
    return Group(Text(""), table, Text(solver), Text(f"data and logs: {folder}"))


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
