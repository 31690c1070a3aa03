"""What a person sees while the demo runs: a live table at a terminal, plain lines anywhere else."""

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

_EVERY = 5.0
"""Seconds between two plain lines of one step."""


@dataclass
class Step:
    """One step of the run; `say` tells how far it is."""

    name: str
    began: float
    detail: str = ""
    seconds: float | None = None
    failed: bool = False
    _progress: "Progress | None" = field(default=None, repr=False)
    _said: float = 0.0

    def say(self, detail: str) -> None:
        """Replace the step's detail."""
        self.detail = detail
        if self._progress is not None and time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self._progress.told(self)


class Progress:
    """The steps of a run and how long each took."""

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
        """Leave the table as it is now, so that what follows is printed below it."""
        if self.console.is_terminal:
            self._live.stop()

    @property
    def seconds(self) -> dict[str, float]:
        """How long each finished step took."""
        return {step.name: step.seconds for step in self._steps if step.seconds is not None}

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Run a step; its time is kept whether it ends well or not."""
        now = time.monotonic()
        step = Step(name, now, _progress=self, _said=now)
        self._steps.append(step)
        self._plain(f"{name} …")
        try:
            yield step
        except BaseException:
            step.failed = True
            raise
        finally:
            step.seconds = time.monotonic() - step.began
            self._plain(f"{name}: {step.seconds:.1f} s {'FAILED ' if step.failed else ''}{step.detail}")

    def told(self, step: Step) -> None:
        """A step has news."""
        self._plain(f"{step.name}: {step.detail}")

    def _plain(self, line: str) -> None:
        if not self.console.is_terminal:
            self.console.print(line, highlight=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for step in self._steps:
            if step.seconds is None:
                mark: RenderableType = Spinner("dots")
            else:
                mark = Text("✗", style="red") if step.failed else Text("✓", style="green")
            seconds = time.monotonic() - step.began if step.seconds is None else step.seconds
            table.add_row(mark, step.name, Text(f"{seconds:6.1f} s", style="dim"), Text(step.detail, style="dim"))
        return Group(table)
