"""``python -m exam_harness.scenarios.cluster``: run the sample Exams in a real cluster and check them.

Exit codes: 0 Published and every check held; 1 anything else.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exam_harness.environments.cluster.access import ClusterAccess
from exam_harness.environments.cluster.kind import ENV, Cluster
from exam_harness.environments.cluster.replica_counts import ready_replicas
from exam_harness.environments.cluster.up import Platform, arguments, bring_up
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.scenarios.cluster.scenario import NAMESPACE, Outcome, Sitting
from exam_harness.scenarios.demo.report import vars_of
from exam_harness.scenarios.operator.report import CLOSE_WITHIN_MS, ORDER
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import print_failures, shown
from exam_harness.scenarios.reporting.timeline import timeline
from exam_harness.waiting import eventually

FOLDER = REPOSITORY / "build/exam"
SHOWN = ("Warming", "Open", "Closing", "Graded", "Published")
"""The phases that the picture has."""
BASELINE_SECONDS = 300
"""The autoscaler lets pods go when less has been enough for a minute, and looks every 15 s."""


def main() -> int:
    """Run it; the exit code."""
    given = arguments("Run the sample exams in a cluster on this machine.")
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with Steps("make exam") as steps:
        platform = bring_up(steps, port=given.port)
        return _exam(platform, steps, console)


def _exam(platform: Platform, steps: Steps, console: Console) -> int:
    def print_line(line: str) -> None:
        console.print(f"  {line}", style="cyan", markup=False, soft_wrap=True)

    with ClusterAccess(platform.cluster, platform.port) as access:
        before = ready_replicas(platform.cluster)
        with Progress(console) as progress:
            sitting = Sitting(access, FOLDER, progress, print_line, suffix=unused_suffix(platform.cluster))
            outcome = asyncio.run(sitting.run())
            with progress.step("solver pods go again") as step:
                step.say(f"from {outcome.replicas.peak} to {before}")
                back = eventually(
                    lambda: ready_replicas(platform.cluster) == before,
                    "the solver is down again",
                    seconds=BASELINE_SECONDS,
                )
        steps.seconds |= {name: round(seconds, 1) for name, seconds in progress.seconds.items()}
    failures = failures_of(outcome)
    report = report_of(outcome, failures, seconds=steps.seconds | {"all": steps.total}, baseline=before, back=back)
    (FOLDER / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (FOLDER / "timeline.svg").write_text(_picture(outcome))
    steps.table()
    console.print(_summary(report))
    print_failures(console, outcome.mismatches, failures)
    console.print(f"Report and timeline: {shown(FOLDER)}", soft_wrap=True)
    console.print(f"The cluster stays: source {shown(ENV)}; make down takes it away.", soft_wrap=True)
    return 1 if failures else 0


def unused_suffix(cluster: Cluster) -> str:
    """What the names of this run end in: nothing in a new cluster, a number after earlier runs."""
    if NAMESPACE not in cluster.kubectl("get", "namespaces", "--output=name"):
        return ""
    runs = len(cluster.get("--namespace", NAMESPACE, "exams")["items"]) // 2
    return f"-{runs + 1}" if runs else ""


def failures_of(outcome: Outcome) -> list[str]:
    """Why a run may not be called good; empty when it may."""
    opens_at = outcome.scheduled[0].opens_at
    ready = outcome.replicas.at(opens_at)
    counts = outcome.book.counts
    never = {
        "no answer was sealed": outcome.sealed,
        "no late answer was refused": counts["late_refused"],
        "no degree was compared": sum(outcome.degrees.values()),
    }
    return [
        *([f"{len(outcome.mismatches)} mismatches"] if outcome.mismatches else []),
        *(sentence for sentence, count in never.items() if not count),
        *([f"{ready} solver pods were ready at the opening, not {outcome.floor}"] if ready < outcome.floor else []),
        *(f"{name}: phases {', '.join(told)}" for name, told in outcome.phases.items() if not in_order(list(told))),
        *(f"{name}: graded by {len(jobs)} Jobs" for name, jobs in outcome.jobs.items() if len(jobs) != 1),
        *(
            f"{name}: closed {skew} ms after its last deadline"
            for name, skew in outcome.close_skew_ms.items()
            if not 0 <= skew <= CLOSE_WITHIN_MS
        ),
    ]


def in_order(told: list[str]) -> bool:
    """Whether phases were told in their order, to the end."""
    return told == sorted(told, key=ORDER.index) and told[-1:] == ["Published"] and "Open" in told


def report_of(
    outcome: Outcome, failures: list[str], *, seconds: Mapping[str, float], baseline: int, back: bool
) -> dict[str, Any]:
    """The report as it is written to disk."""
    opens_at = outcome.scheduled[0].opens_at
    return {
        "good": not failures,
        "students": len(outcome.book.starts),
        "acknowledged": outcome.acknowledged,
        "sealed": outcome.sealed,
        "late_refused": outcome.book.counts["late_refused"],
        "degrees": dict(outcome.degrees),
        "mismatches": len(outcome.mismatches),
        "solver_replicas_wanted": outcome.floor,
        "solver_replicas_at_opening": outcome.replicas.at(opens_at),
        "solver_replicas_peak": outcome.replicas.peak,
        "solver_replicas_after": baseline if back else None,
        "phases": {
            name: {phase: round((at - opens_at) / 1_000_000, 1) for phase, at in told.items()}
            for name, told in outcome.phases.items()
        },
        "close_skew_ms": dict(outcome.close_skew_ms),
        "graded_by": {name: list(jobs) for name, jobs in outcome.jobs.items()},
        "failures": failures,
        "details": [vars_of(mismatch) for mismatch in outcome.mismatches],
        "seconds": dict(seconds),
    }


def _picture(outcome: Outcome) -> str:
    """The timeline: acknowledged answers a second, ready solver pods, and the phases of the first exam."""
    name, phases = next(iter(outcome.phases.items()))
    # Those that come at once with applying, or with grading, would lie on each other.
    told = {phase: at for phase, at in phases.items() if phase in SHOWN}
    return timeline(
        f"{outcome.acknowledged} acknowledged answers and solver pods ready; phases of {name}",
        (entry.received_at for entry in outcome.book.every()),
        told,
        opens_at=outcome.scheduled[0].opens_at,
        pods=outcome.replicas.samples,
    )


def _summary(report: Mapping[str, Any]) -> Table:
    verdict = Text("ALL CHECKS HELD", style="bold green") if report["good"] else Text("FAILED", style="bold red")
    table = Table(show_header=False, title="What came of it", title_justify="left", caption=verdict)
    names = ("students", "acknowledged", "sealed", "late_refused", "degrees", "mismatches", "close_skew_ms")
    replicas = ("wanted", "at_opening", "peak", "after")
    for name in (*names, *(f"solver_replicas_{each}" for each in replicas), "graded_by"):
        table.add_row(name.replace("_", " "), str(report[name]))
    for name, phases in report["phases"].items():
        table.add_row(name, " → ".join(f"{phase} {at:+.0f} s" for phase, at in phases.items()))
    return table


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make exam: {error}")
