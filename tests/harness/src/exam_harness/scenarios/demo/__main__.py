"""``python -m exam_harness.scenarios.demo``: a whole sitting on real stores, checked by an oracle.

Exit codes: 0 every check held and everything that can go wrong was tried; 1 anything else; 2 wrong command line.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from rich.console import Console

from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.demo.scenario import Demo, Outcome
from exam_harness.scenarios.demo.settings import Settings, read_settings
from exam_harness.scenarios.demo.summary import addresses, picture, summary
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import Say, print_failures, run_folder, shown, stack_of


def main() -> int:
    """Run the demo; the exit code."""
    settings = read_settings()
    console = Console()
    with run_folder("demo", settings.folder, console) as folder:
        return _run(settings, folder, console)


def _run(settings: Settings, folder: Path, console: Console) -> int:
    def make(say: Say) -> Stack:
        return Stack(folder / "run", solvers=settings.solvers, echo=say)

    with Progress(console) as progress, stack_of(progress, make) as stack:
        demo = Demo(settings, stack, progress)
        try:
            outcome = asyncio.run(demo.run())
        finally:
            demo.platform.close()
        code = _report(settings, outcome, console, progress)
        if settings.keep:
            progress.close()
            console.print(addresses(demo.platform.address, demo.people, folder), highlight=False)
            _await_interrupt()
    return code


def _report(settings: Settings, outcome: Outcome, console: Console, progress: Progress) -> int:
    """Write report and picture, show the table; the exit code."""
    report = outcome.report
    report.seconds = progress.seconds
    (settings.folder / "report.json").write_text(json.dumps(report.to_json(), indent=2) + "\n")
    (settings.folder / "timeline.svg").write_text(picture(outcome))
    progress.close()
    console.print(summary(report), highlight=False)
    failures = report.failures()
    print_failures(console, report.mismatches, failures)
    console.print(f"Report, timeline and logs: {shown(settings.folder)}", highlight=False, soft_wrap=True)
    return 1 if failures else 0


def _await_interrupt() -> None:
    """Until somebody presses Ctrl-C or asks us to end."""
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.sigwait(ends)


if __name__ == "__main__":
    sys.exit(main())
