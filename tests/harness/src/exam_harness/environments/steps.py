"""Long work in steps: each is told when it begins and timed, and a table says at the end what took how long."""

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
    """The steps of one command, and how long each took in seconds."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self.name = name
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()
        self._console = console or Console(highlight=False)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.echo("stopped")

    def echo(self, what: str) -> None:
        """A line with the seconds since the beginning."""
        self._console.print(f"{self.name}: {time.monotonic() - self._began:4.0f} s  {what}", soft_wrap=True)

    def run(self, step: str, work: Callable[[], T]) -> T:
        """Do a step; what it gives."""
        began = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[step] = round(time.monotonic() - began, 1)

    def both(self, one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
        """Do two works at once, so that one computes while the other waits for the network; what they give.

        Both come to an end before an error of either is raised: what is built is kept for the next time.
        """
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.submit(self._to_its_end, one), pool.submit(self._to_its_end, other)
        return first.result(), second.result()

    def _to_its_end(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:
            self.echo(f"failed, and stops once what else is under way has ended: {error}")
            raise

    @property
    def total(self) -> float:
        """Seconds since the beginning."""
        return round(time.monotonic() - self._began, 1)

    def table(self) -> None:
        """Print what took how long."""
        table = Table(title=self.name)
        table.add_column("step")
        table.add_column("seconds", justify="right")
        for step, seconds in self.seconds.items():
            table.add_row(step, f"{seconds:.1f}")
        table.add_row("all", f"{self.total:.1f}")
        self._console.print(table)
