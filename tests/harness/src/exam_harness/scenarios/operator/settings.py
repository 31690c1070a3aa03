"""How large a run is and where its report goes; every number may be given on the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exam_harness.environments.processes.paths import REPOSITORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A run's size.

    Attributes:
        students: how many, absent ones included.
        seconds: how long the windows are open.
        seed: what the students' characters and plans are drawn from.
        folder: where report, picture and logs go.
    """

    students: int = 120
    seconds: int = 40
    seed: int = 2026
    folder: Path = REPOSITORY / "build/demo-operator"


def read_settings(words: Sequence[str] | None = None) -> Settings:
    """The settings from the command line."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.operator", description=__doc__)
    parser.add_argument("--students", type=int, default=default.students, help="how many students (%(default)s)")
    parser.add_argument("--seconds", type=int, default=default.seconds, help="the windows' length (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="another seed, other students (%(default)s)")
    parser.add_argument("--folder", type=Path, default=default.folder, help="where the report goes")
    given = parser.parse_args(words)
    if given.students < 40 or given.seconds < 20:
        parser.error("a run needs at least 40 students and 20 seconds to try everything it must")
    return Settings(**vars(given))
