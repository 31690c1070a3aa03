"""Command-line settings of the demo: its size, and where its report goes."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_harness.environments.processes.paths import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A run's size.

    Attributes:
        students: number of students, absent ones included.
        solvers: number of solver processes.
        seconds: length of the window.
        seed: determines the students' profiles and plans.
        keep: whether to keep the stack running after the report.
        folder: where report, timeline and logs are written.
    """

    students: int = 300
    solvers: int = 2
    seconds: int = 60
    seed: int = 2026
    keep: bool = False
    folder: Path = REPOSITORY / "build/demo"


def read_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Parse the command line; ``KEEP=1`` in the environment is ``--keep``."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.demo", description=__doc__)
    parser.add_argument("--students", type=int, default=default.students, help="number of students (%(default)s)")
    parser.add_argument("--solvers", type=int, default=default.solvers, help="number of solvers (%(default)s)")
    parser.add_argument("--seconds", type=int, default=default.seconds, help="length of the window (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="seed of the students (%(default)s)")
    parser.add_argument("--keep", action="store_true", default=os.environ.get("KEEP", "") not in {"", "0"})
    parser.add_argument("--folder", type=Path, default=default.folder, help="output folder of the report")
    parsed = parser.parse_args(arguments)
    if parsed.students < 40 or parsed.solvers < 2 or parsed.seconds < 20:
        parser.error("at least 40 students, 2 solvers and 20 seconds are needed to cover every fault")
    return Settings(**vars(parsed))
