"""Variants of solver and grader with one rule of the protocol switched off: the nemesis must find each of them.

They exist in the harness alone: `solver_variant` and `grader_variant` start a process as the variant that a file names.
The services themselves have no such switch.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from exam_harness.environments.processes.services import Modules

FILE_VARIABLE: Final = "NEMESIS_VARIANT_FILE"
"""The environment variable with the path of the file that names the variant; processes read it when they start."""
UNCHANGED: Final = "unchanged"
"""The name of the platform as it is, which every schedule of a control must leave without a mismatch."""
SLOW_RENEWAL: Final = "slow-renewal"
"""Correct, too: the renewal takes long, under the schedule's lock."""
RENEWAL_WITHOUT_LOCK: Final = "renewal-without-lock"
MODULES: Final = Modules(
    solver="exam_harness.scenarios.nemesis.solver_variant", grader="exam_harness.scenarios.nemesis.grader_variant"
)


def apply(variants: Mapping[str, Callable[[], None]]) -> None:
    """Apply the chosen variant if it concerns this process; the other processes run unchanged."""
    chosen = Path(os.environ[FILE_VARIABLE]).read_text()
    if chosen in variants:
        variants[chosen]()


def replace(owner: type[Any], name: str, function: object) -> None:
    """Replace a method that exists, so that a renamed one does not leave the rule switched on without notice."""
    if name not in vars(owner):
        raise AttributeError(f"{owner.__qualname__} has no {name}: the variant must follow the code")
    setattr(owner, name, function)
