"""Negative controls: for each variant a schedule that is aimed at the rule it lacks."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exam_harness.environments.processes.stack import Echo
from exam_harness.faults.schedule import QUEUES, SITTING, WINDOW_MS, Event, Fault
from exam_harness.scenarios.nemesis.platform import SETTINGS, Pace, Platform, running_platform
from exam_harness.scenarios.nemesis.slow_renewal import LeaseFunction
from exam_harness.scenarios.nemesis.variants import (
    FILE_VARIABLE,
    MODULES,
    RENEWAL_WITHOUT_LOCK,
    SLOW_RENEWAL,
    UNCHANGED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Faults under which the rule that a variant lacks matters.

    Attributes:
        schedules: the events of each schedule to try, because some depend on the speed of the machine.
        kind: the kind of mismatch that shows that the rule is missing.
        correct: the platform that has the rule and differs in nothing else.
    """

    schedules: tuple[tuple[Event, ...], ...]
    kind: str
    correct: str = UNCHANGED


def _stop_after_restart(at: int) -> tuple[Event, ...]:
    """One solver is released, the other starts anew; the sitting is stopped while its first renewal is under way."""
    return (
        Event(at=1_500, fault=Fault.RESTART, target="solver-2", lasts=12_000),
        Event(at=2_000, fault=Fault.RESTART, target="solver-1"),
        Event(at=at, fault=Fault.STOP, target=SITTING),
    )


CONTROLS: Final = {
    "no-drain": Control(
        schedules=(
            (
                Event(at=800, fault=Fault.CUT, target="solver-1→postgres", lasts=4_000),
                Event(at=1_500, fault=Fault.STOP, target=SITTING),
            ),
        ),
        kind="lost",
    ),
    "lease-check-after-write": Control(
        schedules=(
            (
                Event(at=800, fault=Fault.CUT, target="solver-1→postgres", lasts=8_000),
                Event(at=1_500, fault=Fault.STOP, target=SITTING),
                Event(at=4_000, fault=Fault.DELAY, target="solver-1→cassandra", lasts=7_000, amount=1_000),
            ),
        ),
        kind="lost",
    ),
    "no-gap-rule": Control(
        schedules=(
            (
                Event(at=800, fault=Fault.CUT, target="solver-1→postgres", lasts=8_000),
                Event(at=1_000, fault=Fault.CUT, target="solver-1→cassandra", lasts=8_000),
                Event(at=1_500, fault=Fault.STOP, target=SITTING),
            ),
        ),
        kind="lost",
    ),
    "stale-refusals": Control(schedules=((),), kind="untrue"),
    "no-ledger": Control(
        schedules=((Event(at=WINDOW_MS, fault=Fault.LOSE_TASKS, target=QUEUES, lasts=6_000),),),
        kind="degree",
    ),
    RENEWAL_WITHOUT_LOCK: Control(
        schedules=tuple(_stop_after_restart(at) for at in (4_500, 5_000, 5_500, 4_000, 6_000)),
        kind="lost",
        correct=SLOW_RENEWAL,
    ),
}


class ControlledPlatform:
    """A platform whose solvers and grader can be exchanged for a variant."""

    def __init__(self, platform: Platform, file: Path) -> None:
        self.platform = platform
        self._file = file
        self._renewal = LeaseFunction(platform.stack.postgres.dsn())

    async def switch(self, variant: str) -> None:
        """Restart solvers and grader as a variant."""
        self._file.write_text(variant)
        if variant in {SLOW_RENEWAL, RENEWAL_WITHOUT_LOCK}:
            self._renewal.make_slow(locked=variant == SLOW_RENEWAL)
        else:
            self._renewal.restore()
        for name in ("solver-1", "solver-2", "grader"):
            await asyncio.to_thread(self.platform.processes[name].stop)
        await self.platform.repair()


@contextmanager
def controlled_platform(folder: Path, *, echo: Echo) -> Iterator[ControlledPlatform]:
    """Start a platform that is unchanged at first.

    Its clients and solvers wait longer than a lease for a response, and students go on long after their deadline: with
    shorter timeouts, some of the rules are never needed.
    """
    file = folder.with_suffix(".variant")
    file.write_text(UNCHANGED)
    env = {**SETTINGS, "EXAM_CASSANDRA_TIMEOUT_MS": "12000", FILE_VARIABLE: str(file)}
    pace = Pace(env=env, modules=MODULES, client_seconds=12, tail_seconds=8, lead_seconds=12)
    with running_platform(folder, echo=echo, pace=pace) as platform:
        yield ControlledPlatform(platform, file)
