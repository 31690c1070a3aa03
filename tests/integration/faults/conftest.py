"""Platforms for sittings under faults."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.faults.schedule import Schedule
from exam_harness.oracle.judgement import judge
from exam_harness.scenarios.nemesis.accounts import log_in_students
from exam_harness.scenarios.nemesis.controls import ControlledPlatform, controlled_platform
from exam_harness.scenarios.nemesis.platform import Platform, running_platform
from exam_harness.scenarios.nemesis.sitting import Sittings, tolerance

STUDENTS = 24


@dataclass
class Judged:
    """Runs schedules and returns what is wrong."""

    sittings: Sittings

    @classmethod
    def of(cls, platform: Platform) -> "Judged":
        """With new students, who are logged in."""
        return cls(Sittings(platform, *log_in_students(platform.stack, STUDENTS)))

    async def mismatches(self, schedule: Schedule) -> list[tuple[str, str]]:
        """Run a sitting; returns (kind, detail) of every statement that is not true."""
        await self.sittings.refresh_logins()
        found, _ = judge(await self.sittings.run(schedule), tolerance=tolerance(schedule))
        return [(mismatch.kind, mismatch.detail) for mismatch in found]


@pytest.fixture(scope="module")
def judged() -> Iterator[Judged]:
    """A platform as it is deployed."""
    folder = new_run_folder("faults")
    with running_platform(folder / "run", echo=lambda _: None) as platform:
        yield Judged.of(platform)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def controlled() -> Iterator[tuple[ControlledPlatform, Judged]]:
    """A platform whose solvers and grader can be exchanged for variants."""
    folder = new_run_folder("controls")
    with controlled_platform(folder / "run", echo=lambda _: None) as controlled:
        yield controlled, Judged.of(controlled.platform)
    shutil.rmtree(folder)
