"""``python -m exam_support.demo``: a whole sitting on real stores, checked by an oracle.

Exit codes: 0 every check held and everything that can go wrong was tried; 1 anything else; 2 wrong command line.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from exam_support.demo.progress import Progress
from exam_support.demo.run import Demo, Outcome
from exam_support.demo.settings import Settings, read_settings
from exam_support.demo.summary import addresses, picture, summary
from exam_support.demo.verdict import SHOWN
from exam_support.stack.places import new_folder
from exam_support.stack.process import StackError
from exam_support.stack.stack import Stack


def main() -> int:
    """Run the demo; the exit code."""
    settings = read_settings()
    console = Console()
    shutil.rmtree(settings.folder, ignore_errors=True)
    settings.folder.mkdir(parents=True)
    with _logs_kept(settings.folder) as folder:
        try:
            return _run(settings, folder, console)
        except BaseException as error:
            console.print(f"\nThe run ended early: {type(error).__name__}.", style="red", highlight=False)
            console.print(f"Logs: {_shown(settings.folder / 'logs')}", style="red", highlight=False, soft_wrap=True)
            if isinstance(error, (StackError, KeyboardInterrupt)):
                console.print(str(error), style="red", markup=False, soft_wrap=True)
                return 1
            raise


def _run(settings: Settings, folder: Path, console: Console) -> int:
    with Progress(console) as progress, _stack(settings, folder, progress) as stack:
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


@contextmanager
def _stack(settings: Settings, folder: Path, progress: Progress) -> Iterator[Stack]:
    """The stack, each thing that it says a step of its own."""
    with ExitStack() as ends:
        steps = ends.enter_context(ExitStack())

        def say(what: str) -> None:
            steps.close()
            steps.enter_context(progress.step(what))

        stack = ends.enter_context(Stack(folder / "run", solvers=settings.solvers, say=say))
        steps.close()
        yield stack


def _report(settings: Settings, outcome: Outcome, console: Console, progress: Progress) -> int:
    """Write report and picture, show the table; the exit code."""
    report = outcome.report
    report.seconds = progress.seconds
    (settings.folder / "report.json").write_text(json.dumps(report.to_json(), indent=2) + "\n")
    (settings.folder / "timeline.svg").write_text(picture(outcome))
    progress.close()
    console.print(summary(report), highlight=False)
    failures = report.failures()
    for mismatch in report.mismatches[:SHOWN]:
        line = f"  {mismatch.kind}: {mismatch.sitting} {mismatch.what}"
        console.print(line, style="red", markup=False, soft_wrap=True)
    if len(report.mismatches) > SHOWN:
        console.print(f"  … and {len(report.mismatches) - SHOWN} more in the report", style="red")
    for failure in failures:
        console.print(f"FAILED: {failure}", style="red", markup=False)
    console.print(f"Report, timeline and logs: {_shown(settings.folder)}", highlight=False, soft_wrap=True)
    return 1 if failures else 0


@contextmanager
def _logs_kept(kept: Path) -> Iterator[Path]:
    """A folder for the run that is removed at its end; its logs stay beside the report."""
    folder = new_folder("demo")
    try:
        yield folder
    finally:
        logs = folder / "run/logs"
        if logs.exists():
            shutil.copytree(logs, kept / "logs", dirs_exist_ok=True)
        shutil.rmtree(folder)


def _shown(path: Path) -> str:
    """A path as somebody in this folder would type it."""
    return os.path.relpath(path)


def _await_interrupt() -> None:
    """Until somebody presses Ctrl-C or asks us to end."""
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    signal.sigwait(ends)


if __name__ == "__main__":
    sys.exit(main())
