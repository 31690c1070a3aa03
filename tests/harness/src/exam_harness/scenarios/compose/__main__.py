"""``python -m exam_harness.scenarios.compose``: run a sitting on Docker Compose and check it.

Exit codes: 0 all checks passed and the project left nothing behind; 1 any failure.
"""

import asyncio
import sys
from contextlib import ExitStack

from rich.console import Console

from exam_harness.environments.builds.binaries import COMPOSE
from exam_harness.environments.builds.go import build
from exam_harness.environments.compose.project import Project
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker import images
from exam_harness.environments.docker.registry import uses_packages
from exam_harness.environments.processes.cache import cache_lock
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.compose.scenario import ComposeScenario
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.report import print_failures
from exam_harness.scenarios.runner import run_scenario

NAME = "exam-compose-check"


def main() -> int:
    """Run the scenario and return the exit code."""
    console = Console(highlight=False)
    with Steps("make test-compose") as steps, ExitStack() as resources:
        echo = steps.echo
        with cache_lock(echo):
            found = engines.find_running()
            engine = engines.start_or_connect(echo)
            if found is None and engine.managed:
                resources.callback(engines.stop, echo)
            from_packages = uses_packages(engine)
            steps.run("compose", lambda: build([COMPOSE], echo))
            if from_packages:
                images.build_bases(engine, echo)
                steps.run("stores' images", lambda: images.build_stores(engine, echo))
        project = Project(engine, NAME, free_ports(1)[0], from_packages=from_packages)
        mismatches = _run(project, steps, console)
        print_failures(console, mismatches, [f"{len(mismatches)} mismatches"] if mismatches else [])
        remaining = project.remaining()
        steps.table()
        console.print(f"mismatches: {len(mismatches)}; left behind: {', '.join(remaining) or 'nothing'}")
    return 1 if mismatches or remaining else 0


def _run(project: Project, steps: Steps, console: Console) -> list[Mismatch]:
    """Start the project, run a sitting, stop the project and return the mismatches."""
    try:
        steps.echo(f"docker compose up --build, on port {project.gateway_port}")
        steps.run("up", lambda: project.compose("up", "--build", "--detach", "--wait", "--quiet-pull"))
        with Progress(console) as progress:
            result = asyncio.run(run_scenario(ComposeScenario(project), progress))
        steps.seconds |= progress.seconds
    except BaseException:
        print(project.compose("logs", "--tail=40"))
        raise
    finally:
        steps.echo("docker compose down --volumes")
        steps.run("down", lambda: project.compose("down", "--volumes"))
    return list(result.mismatches)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make test-compose: {error}")
