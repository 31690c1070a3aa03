"""How large a run is and where its report goes; every number may be given on the command line."""

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
        students: how many, absent ones included.
        solvers: how many solver processes.
        seconds: how long the window is open.
        seed: what the students' characters and plans are drawn from.
        keep: whether everything is left running for a person to look around.
        folder: where report, picture and logs go.
    """

    students: int = 300
    solvers: int = 2
    seconds: int = 60
    seed: int = 2026
    keep: bool = False
    folder: Path = REPOSITORY / "build/demo"


def read_settings(words: Sequence[str] | None = None) -> Settings:
    """The settings from the command line; ``KEEP=1`` in the environment is ``--keep``."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.demo", description=__doc__)
    parser.add_argument("--students", type=int, default=default.students, help="how many students (%(default)s)")
    parser.add_argument("--solvers", type=int, default=default.solvers, help="how many solvers (%(default)s)")
    parser.add_argument("--seconds", type=int, default=default.seconds, help="the window's length (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="another seed, other students (%(default)s)")
    parser.add_argument("--keep", action="store_true", default=os.environ.get("KEEP", "") not in {"", "0"})
    parser.add_argument("--folder", type=Path, default=default.folder, help="where the report goes")
    given = parser.parse_args(words)
    if given.students < 40 or given.solvers < 2 or given.seconds < 20:
        parser.error("a run needs at least 40 students, 2 solvers and 20 seconds to try everything it must")
    return Settings(**vars(given))
