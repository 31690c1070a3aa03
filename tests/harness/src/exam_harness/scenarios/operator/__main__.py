"""``python -m exam_harness.scenarios.operator``: run the sample Exams on a real API server with the operator.

Exit codes: 0 all checks passed and every fault occurred; 1 any failure; 2 usage error.
"""

import asyncio
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console

from exam_harness.environments.control_plane.exam_crd import exam_cluster
from exam_harness.environments.control_plane.operator_namespace import OperatorNamespace
from exam_harness.environments.processes.stack import Stack
from exam_harness.scenarios.exam_resources import accounts_for
from exam_harness.scenarios.operator.report import report_of, timeline_of
from exam_harness.scenarios.operator.scenario import OperatorDemo
from exam_harness.scenarios.operator.settings import Settings, read_settings
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import Echo, echo_to, run_folder, running_stack
from exam_harness.scenarios.runner import run_scenario
from exam_harness.scenarios.sitting.platform_client import PlatformClient
from exam_harness.scenarios.sitting.samples import read_samples


def main() -> int:
    """Run the demo and return the exit code."""
    settings = read_settings()
    console = Console()
    with run_folder("demo-operator", settings.folder, console) as folder:
        return _run(settings, folder, console)


def _run(settings: Settings, folder: Path, console: Console) -> int:
    samples = read_samples()
    accounts = accounts_for(samples, settings.students)

    def make(echo: Echo) -> Stack:
        # Without beat: here the operator ends the sittings.
        return Stack(folder / "run", beat=False, echo=echo)

    with ExitStack() as resources:
        progress = resources.enter_context(Progress(console))
        stack = resources.enter_context(running_stack(progress, make))
        with progress.step("accounts, Kubernetes") as step:
            step.update(f"{len(accounts.students)} students; etcd, API server, controllers")
            load = partial(PlatformClient(stack).load_accounts, accounts)
            control_plane = resources.enter_context(exam_cluster(stack.folder, while_starting=load))
            operator_namespace = OperatorNamespace(control_plane, stack, "exam-platform")
        demo = OperatorDemo(settings, operator_namespace, accounts, samples, echo_to(console))
        result = asyncio.run(run_scenario(demo, progress))
        report = report_of(demo, result)
        report.seconds = progress.seconds
        report.write(settings.folder, timeline_of(report, result, demo))
        progress.close()
        return report.print(console, settings.folder)


if __name__ == "__main__":
    sys.exit(main())
