"""Command-line settings of the nemesis: which schedules it runs, and where reports go."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.faults.schedule import Schedule, draw_schedule
from exam_harness.scenarios.nemesis.platform import targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A run's settings.

    Attributes:
        seeds: the seeds of the schedules.
        schedule: a file with one schedule to run instead.
        repeat: how often each schedule is run.
        students: the number of students.
        nodes: the number of nodes of Cassandra.
        shrink_runs: how many sittings may be spent on shrinking a schedule that fails.
        folder: where transcripts of failed sittings and logs are written.
    """

    seeds: tuple[int, ...]
    schedule: Path | None
    repeat: int
    students: int
    nodes: int
    shrink_runs: int
    folder: Path

    def schedules(self) -> Iterator[Schedule]:
        """The schedules to run."""
        for schedule in self._drawn():
            for _ in range(self.repeat):
                yield schedule

    def _drawn(self) -> list[Schedule]:
        return (
            [draw_schedule(seed, targets(self.students, self.nodes)) for seed in self.seeds]
            if self.schedule is None
            else [Schedule.from_json(json.loads(self.schedule.read_text()))]
        )


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.nemesis", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(1, 11), help="such as 7, 1-300 or 3,8,21 (default: 1-10)")
    parser.add_argument("--schedule", type=Path, help="run the schedule in this file instead")
    parser.add_argument("--repeat", type=int, default=1, help="run each schedule this often (%(default)s)")
    parser.add_argument("--students", type=int, default=24, help="number of students (%(default)s)")
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="nodes of Cassandra (%(default)s)")
    parser.add_argument("--shrink", type=int, default=0, help="sittings to spend on shrinking a failure (%(default)s)")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build/nemesis", help="output folder")
    parsed = parser.parse_args(arguments)
    return Settings(
        seeds=tuple(parsed.seeds),
        schedule=parsed.schedule,
        repeat=parsed.repeat,
        students=parsed.students,
        nodes=parsed.nodes,
        shrink_runs=parsed.shrink,
        folder=parsed.folder,
    )


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds
