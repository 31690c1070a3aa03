"""What frames a run: a folder of its own, the logs kept beside the report, each thing the stack says a step."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.stack import Stack
from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.demo.report import SHOWN
from exam_harness.scenarios.reporting.progress import Progress

Say = Callable[[str], None]


@contextmanager
def run_folder(name: str, kept: Path, console: Console) -> Iterator[Path]:
    """A folder that is removed at the end of the run; its logs are kept, and an early end is told with where they are.

    Args:
        name: what the folder is called, in part.
        kept: where reports and logs go; emptied first.
        console: hears of an early end.
    """
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    folder = new_run_folder(name)
    try:
        yield folder
    except BaseException as error:
        console.print(f"\nThe run ended early: {type(error).__name__}.", style="red", highlight=False)
        console.print(f"Logs: {shown(kept / 'logs')}", style="red", highlight=False, soft_wrap=True)
        if not isinstance(error, (HarnessError, KeyboardInterrupt)):
            raise
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise SystemExit(1) from error
    finally:
        logs = folder / "run/logs"
        if logs.exists():
            shutil.copytree(logs, kept / "logs", dirs_exist_ok=True)
        shutil.rmtree(folder)


@contextmanager
def stack_of(progress: Progress, make: Callable[[Say], Stack]) -> Iterator[Stack]:
    """A stack that serves, each thing that it says while it starts a step of its own."""
    with ExitStack() as ends:
        current = ends.enter_context(ExitStack())

        def say(what: str) -> None:
            current.close()
            current.enter_context(progress.step(what))

        stack = ends.enter_context(make(say))
        current.close()
        yield stack


def print_failures(console: Console, mismatches: Sequence[Mismatch], failures: Sequence[str]) -> None:
    """Why the run may not be called good."""
    for mismatch in mismatches[:SHOWN]:
        line = f"  {mismatch.kind}: {mismatch.sitting} {mismatch.what}"
        console.print(line, style="red", markup=False, soft_wrap=True)
    if len(mismatches) > SHOWN:
        console.print(f"  … and {len(mismatches) - SHOWN} more in the report", style="red")
    for failure in failures:
        console.print(f"FAILED: {failure}", style="red", markup=False)


def shown(path: Path) -> str:
    """A path as somebody in this folder would type it."""
    return os.path.relpath(path)
