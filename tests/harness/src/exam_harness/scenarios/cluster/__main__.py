"""``python -m exam_harness.scenarios.cluster``: run the sample Exams in a real cluster and check them.

Exit codes: 0 the degrees are published and all checks passed; 1 any failure.
"""

import asyncio
import shutil
import sys

from rich.console import Console

from exam_harness.environments.cluster.access import ClusterAccess
from exam_harness.environments.cluster.kind import ENV, Cluster
from exam_harness.environments.cluster.replica_counts import ready_replicas
from exam_harness.environments.cluster.up import Platform, arguments, bring_up
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.scenarios.cluster.report import report_of, timeline_of
from exam_harness.scenarios.cluster.scenario import ClusterScenario
from exam_harness.scenarios.exam_resources import NAMESPACE
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import echo_to, relative
from exam_harness.waiting import eventually

FOLDER = REPOSITORY / "build/exam"
SCALE_DOWN_SECONDS = 300
"""The autoscaler syncs every 15 s and scales down after a minute of lower demand."""


def main() -> int:
    """Run the scenario and return the exit code."""
    parsed = arguments("Run the sample exams in a cluster on this machine.")
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with Steps("make exam") as steps:
        platform = bring_up(steps, port=parsed.port)
        return _run(platform, steps, console)


def _run(platform: Platform, steps: Steps, console: Console) -> int:
    cluster = platform.cluster
    with ClusterAccess(cluster, platform.port, platform.hosts) as access:
        before = ready_replicas(cluster)
        with Progress(console) as progress:
            scenario = ClusterScenario(access, FOLDER, echo_to(console), suffix=unused_suffix(cluster))
            result = asyncio.run(scenario.run(progress))
            with progress.step("solver scale-down") as step:
                step.update(f"from {result.replicas.peak} to {before} pods")
                eventually(
                    lambda: ready_replicas(cluster) == before, "the solver is scaled down", seconds=SCALE_DOWN_SECONDS
                )
        steps.seconds |= {name: round(seconds, 1) for name, seconds in progress.seconds.items()}
    report = report_of(result)
    report.seconds = steps.seconds | {"all": steps.total}
    report.solver_replicas_after = before
    report.write(FOLDER, timeline_of(result))
    steps.table()
    code = report.print(console, FOLDER)
    console.print(f"The cluster is still running: source {relative(ENV)}; make down deletes it.", soft_wrap=True)
    return code


def unused_suffix(cluster: Cluster) -> str:
    """The suffix for the names of this run: empty in a new cluster, a number after earlier runs."""
    if NAMESPACE not in cluster.kubectl("get", "namespaces", "--output=name"):
        return ""
    runs = len(cluster.get("--namespace", NAMESPACE, "exams")["items"]) // 2
    return f"-{runs + 1}" if runs else ""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make exam: {error}")
