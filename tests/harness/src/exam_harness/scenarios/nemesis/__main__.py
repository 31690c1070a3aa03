"""``python -m exam_harness.scenarios.nemesis``: run sittings under seeded schedules of faults and judge each of them.

Exit codes: 0 every statement of the platform was true; 1 a sitting failed; 2 usage error.
"""

import asyncio
import json
import secrets
import shutil
import sys
import time
from collections import Counter
from typing import Final

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.faults.schedule import Schedule
from exam_harness.faults.shrink import shrink
from exam_harness.oracle.availability import longest_outage
from exam_harness.oracle.checker import Mismatch
from exam_harness.oracle.judgement import judge
from exam_harness.oracle.transcript import Transcript
from exam_harness.scenarios.nemesis.accounts import log_in_students
from exam_harness.scenarios.nemesis.platform import running_platform, targets
from exam_harness.scenarios.nemesis.settings import Settings, read_settings
from exam_harness.scenarios.nemesis.sitting import Sittings, tolerance
from exam_harness.students.clock import SECOND

LONGEST_OUTAGE: Final = 8 * SECOND
"""How long one of three nodes that fails may keep a student without an outcome: a few timeouts of the client."""


def main() -> int:
    """Run the schedules and return the exit code."""
    settings = read_settings()
    settings.folder.mkdir(parents=True, exist_ok=True)
    run = new_run_folder("nemesis")
    try:
        with running_platform(run / "run", echo=print, nodes=settings.nodes) as platform:
            logins, ids = log_in_students(platform.stack, settings.students)
            code = asyncio.run(Nemesis(settings, Sittings(platform, logins, ids)).run())
    finally:
        if (run / "run/logs").exists():
            shutil.copytree(run / "run/logs", settings.folder / "logs", dirs_exist_ok=True)
        shutil.rmtree(run)
    return code


class Nemesis:
    """Runs schedules one after the other and reports each."""

    def __init__(self, settings: Settings, sittings: Sittings) -> None:
        self._settings = settings
        self._sittings = sittings
        self._targets = targets(settings.students, settings.nodes)
        self._totals: Counter[str] = Counter()

    async def run(self) -> int:
        """Run all schedules; returns the exit code."""
        failed: list[int] = []
        try:
            for schedule in self._settings.schedules():
                if await self._fails(schedule):
                    failed.append(schedule.seed)
                    await self._shrink(schedule)
        finally:  # an error that ends the run leaves the summary of what was run before
            print(f"{self._totals['sittings']} sittings, {len(failed)} failed {failed}: {dict(self._totals)}")
        return 1 if failed else 0

    async def _shrink(self, schedule: Schedule) -> None:
        if not self._settings.shrink_runs:
            return
        shrunk = await shrink(schedule, self._fails, runs=self._settings.shrink_runs)
        path = self._settings.folder / f"{schedule.seed}-shrunk.json"
        path.write_text(json.dumps(shrunk.to_json(), indent=1))
        print(f"shrunk to {len(shrunk.events)} events: {path}", *shrunk.events, sep="\n    ")

    async def _fails(self, schedule: Schedule) -> bool:
        began = time.monotonic()
        await self._sittings.refresh_logins()
        transcript = await self._sittings.run(schedule)
        mismatches, counts = judge(transcript, tolerance=tolerance(schedule))
        outage = longest_outage(transcript.calls)
        if schedule.hits_only(self._targets.replicas) and outage > LONGEST_OUTAGE:
            mismatches.append(Mismatch("unavailable", transcript.sitting, f"answers had no outcome for {outage} µs"))
        self._totals.update({"sittings": 1, "calls": len(transcript.calls), **counts})
        self._totals.update(mismatch.kind for mismatch in mismatches)
        empty = not counts.get("acknowledged", 0)
        self._totals["without an acknowledged answer"] += empty
        outcome = "FAILED" if mismatches else "nothing acknowledged" if empty else "ok"
        print(
            f"seed {schedule.seed}: {outcome}, {len(schedule.events)} events, {len(transcript.calls)} calls,"
            f" {counts.get('acknowledged', 0)} acknowledged, {counts.get('superseded', 0)} superseded,"
            f" longest outage {outage / SECOND:.1f} s, {time.monotonic() - began:.1f} s",
            flush=True,
        )
        if mismatches:
            self._report(schedule, transcript, mismatches)
        return bool(mismatches)

    def _report(self, schedule: Schedule, transcript: Transcript, mismatches: list[Mismatch]) -> None:
        path = self._settings.folder / f"{schedule.seed}-{secrets.token_hex(2)}.json"
        path.write_text(json.dumps({"schedule": schedule.to_json(), "transcript": transcript.to_json()}))
        for event in schedule.events:
            print(f"    {event}")
        for mismatch in mismatches[:8]:
            print(f"  {mismatch.kind}: {mismatch.detail}")
        print(f"  {len(mismatches)} in all; transcript: {path}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
