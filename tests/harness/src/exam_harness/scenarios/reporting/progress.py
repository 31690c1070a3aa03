"""Progress of a run: a live table at a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_PLAIN_INTERVAL = 5.0
"""Seconds between two plain lines of one step."""


@dataclass
class Step:
    """One step of a run, with a detail line that `update` replaces."""

    name: str
    started_at: float
    detail: str = ""
    seconds: float | None = None
    failed: bool = False
    _progress: "Progress | None" = field(default=None, repr=False)
    _printed_at: float = 0.0

    def update(self, detail: str) -> None:
        """Replace the step's detail."""
        self.detail = detail
        if self._progress is not None and time.monotonic() - self._printed_at >= _PLAIN_INTERVAL:
            self._printed_at = time.monotonic()
            self._progress.print_update(self)


class Progress:
    """The steps of a run and their durations."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps: list[Step] = []
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the live table, so that further output is printed below it."""
        if self.console.is_terminal:
            self._live.stop()

    @property
    def seconds(self) -> dict[str, float]:
        """The duration of each finished step."""
        return {step.name: step.seconds for step in self._steps if step.seconds is not None}

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Run a step; its duration is recorded whether it succeeds or not."""
        now = time.monotonic()
        step = Step(name, now, _progress=self, _printed_at=now)
        self._steps.append(step)
        self._print(f"{name} …")
        try:
            yield step
        except BaseException:
            step.failed = True
            raise
        finally:
            step.seconds = time.monotonic() - step.started_at
            self._print(f"{name}: {step.seconds:.1f} s {'FAILED ' if step.failed else ''}{step.detail}")

    def print_update(self, step: Step) -> None:
        """Print a step's detail as a plain line."""
        self._print(f"{step.name}: {step.detail}")

    def _print(self, line: str) -> None:
        if not self.console.is_terminal:
            self.console.print(line, highlight=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for step in self._steps:
            if step.seconds is None:
                mark: RenderableType = Spinner("dots")
            else:
                mark = Text("✗", style="red") if step.failed else Text("✓", style="green")
            seconds = time.monotonic() - step.started_at if step.seconds is None else step.seconds
            table.add_row(mark, step.name, Text(f"{seconds:6.1f} s", style="dim"), Text(step.detail, style="dim"))
        return Group(table)
