"""Command-line settings of the operator demo: its size, and where its report goes."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_harness.environments.processes.paths import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A run's size.

    Attributes:
        students: number of students, absent ones included.
        seconds: length of the windows.
        seed: determines the students' profiles and plans.
        folder: where report, timeline and logs are written.
    """

    students: int = 120
    seconds: int = 40
    seed: int = 2026
    folder: Path = REPOSITORY / "build/demo-operator"


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Parse the command line."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.operator", description=__doc__)
    parser.add_argument("--students", type=int, default=default.students, help="number of students (%(default)s)")
    parser.add_argument("--seconds", type=int, default=default.seconds, help="length of the windows (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="seed of the students (%(default)s)")
    parser.add_argument("--folder", type=Path, default=default.folder, help="output folder of the report")
    parsed = parser.parse_args(arguments)
    if parsed.students < 40 or parsed.seconds < 20:
        parser.error("at least 40 students and 20 seconds are needed to cover every fault")
    return Settings(**vars(parsed))
