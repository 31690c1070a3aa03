"""The context of a run: its temporary folder, the logs kept beside the report, and the stack it starts."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.reporting.progress import Progress

Echo = Callable[[str], None]


@contextmanager
def run_folder(name: str, output: Path, console: Console) -> Iterator[Path]:
    """Create a folder that is removed at the end of the run; its logs are copied to the output folder.

    Args:
        name: a part of the folder's name.
        output: receives reports and logs; emptied first.
        console: prints the error and the logs' folder when the run fails.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    folder = new_run_folder(name)
    try:
        yield folder
    except BaseException as error:
        console.print(f"\nThe run failed: {type(error).__name__}.", style="red", highlight=False)
        console.print(f"Logs: {relative(output / 'logs')}", style="red", highlight=False, soft_wrap=True)
        if not isinstance(error, (HarnessError, KeyboardInterrupt)):
            raise
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise SystemExit(1) from error
    finally:
        logs = folder / "run/logs"
        if logs.exists():
            shutil.copytree(logs, output / "logs", dirs_exist_ok=True)
        shutil.rmtree(folder)


@contextmanager
def running_stack(progress: Progress, make: Callable[[Echo], Stack]) -> Iterator[Stack]:
    """Start a stack; each message that it prints while starting begins a step."""
    with ExitStack() as resources:
        current = resources.enter_context(ExitStack())

        def echo(message: str) -> None:
            current.close()
            current.enter_context(progress.step(message))

        stack = resources.enter_context(make(echo))
        current.close()
        yield stack


def echo_to(console: Console) -> Echo:
    """A function that prints an indented line, for the output of watched commands."""

    def echo(line: str) -> None:
        console.print(f"  {line}", style="cyan", highlight=False, markup=False, soft_wrap=True)

    return echo


def relative(path: Path) -> str:
    """A path relative to the working directory."""
    return os.path.relpath(path)
