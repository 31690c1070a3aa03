"""Time the steps of a long command, and print a table of their durations at the end."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.table import Table

T = TypeVar("T")
U = TypeVar("U")


class Steps:
    """The steps of a command, with the duration of each in seconds."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self.name = name
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._console = console or Console(highlight=False)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.echo("stopped")

    def echo(self, message: str) -> None:
        """Print a message with the seconds since the start."""
        self._console.print(f"{self.name}: {time.monotonic() - self._started:4.0f} s  {message}", soft_wrap=True)

    def run(self, step: str, work: Callable[[], T]) -> T:
        """Run a step, time it, and return its result."""
        started = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[step] = round(time.monotonic() - started, 1)

    def both(self, one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
        """Run two functions concurrently, so that one computes while the other waits for the network.

        Both finish before an error of either is raised, so that what was built is kept for the next run.

        Returns:
            The results of both.
        """
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.submit(self._run_reporting, one), pool.submit(self._run_reporting, other)
        return first.result(), second.result()

    def _run_reporting(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:
            self.echo(f"failed, waiting for concurrent steps to finish: {error}")
            raise

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self._started, 1)

    def table(self) -> None:
        """Print the duration of each step."""
        table = Table(title=self.name)
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for step, seconds in self.seconds.items():
            table.add_row(step, f"{seconds:.1f}")
        table.add_row("total", f"{self.total:.1f}")
        self._console.print(table)
