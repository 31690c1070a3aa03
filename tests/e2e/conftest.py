"""A cluster for these tests: created once, deleted if it did not exist before, dumped when a test fails."""

import asyncio
import os
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console

from exam_harness.environments.cluster.access import ClusterAccess
from exam_harness.environments.cluster.diagnostics import await_recovery, dump_diagnostics
from exam_harness.environments.cluster.down import main as delete_cluster
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.cluster.up import Platform, bring_up
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker.host_state import HostState
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.steps import Steps
from exam_harness.hosts import Hosts
from exam_harness.scenarios.cluster.scenario import ClusterResult, ClusterScenario, Fault, Faults, Size
from exam_harness.scenarios.reporting.progress import Progress
from exam_harness.scenarios.reporting.run_context import echo_to

FOLDER = REPOSITORY / "build/e2e"
HOSTS = Hosts(web="exams.example.edu", solver="solver.exams.example.edu")
"""Not the defaults, which any part could have fixed."""


def pytest_collection_modifyitems(items) -> None:
    """Mark these tests as e2e with a long timeout; run test_sittings.py first, because it leaves data."""
    e2e = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in e2e:
        item.add_marker(pytest.mark.e2e)
        # Without the fixtures: on a new machine the first one builds images for long, with a limit for each step.
        item.add_marker(pytest.mark.timeout(900, func_only=True))
    items.sort(key=lambda item: item in e2e and item.path.name != "test_sittings.py")


@pytest.fixture(scope="session")
def console(pytestconfig) -> Iterator[Console]:
    """A console that is not captured, for progress messages: a sitting takes minutes."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        copy = os.dup(2)
    with os.fdopen(copy, "w", buffering=1) as stream:
        yield Console(highlight=False, file=stream)


@pytest.fixture(scope="session")
def platform(console) -> Iterator[Platform]:
    """The platform in a cluster; if it did not exist before, the cluster and its changes to the host are removed."""
    engine_before = engines.find_running()
    keep = engine_before is not None and Cluster(engine_before).exists()
    with Steps("test-e2e", console) as steps:
        if engine_before is None:
            engines.clean_up_after_crash(steps.echo)
        before = HostState.capture()
        if engine_before is None:
            # A cluster of an interrupted run starts with the engine, in an unknown state.
            Cluster(engines.start_or_connect(steps.echo)).delete(steps.echo)
        (port,) = free_ports(1)
        installed = bring_up(steps, port=port, hosts=HOSTS)
        steps.table()
    yield installed
    if keep:
        with Steps("test-e2e", console) as steps:
            bring_up(steps, port=installed.port)
        return
    assert delete_cluster() == 0
    if engine_before is None:
        assert HostState.capture().added_since(before) == []


@pytest.fixture
def access(platform) -> Iterator[ClusterAccess]:
    """Access to the platform, once every part is ready."""
    await_recovery(platform.cluster)
    with ClusterAccess(platform.cluster, platform.port, platform.hosts) as access:
        yield access


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """A unique number for each run, because exams of earlier runs stay in the cluster."""
    return count(os.getpid() * 100)


@pytest.fixture
def sit(access, console, numbers, request):
    """Run the sample exams, with faults if any; return the result."""

    def run(*, size: Size | None = None, **faults: Fault) -> ClusterResult:
        console.print(f"\n{request.node.name}")
        folder = FOLDER / re.sub(r"\W+", "-", request.node.name)
        with Progress(console) as progress:
            scenario = ClusterScenario(
                access,
                folder,
                echo_to(console),
                size=size,
                suffix=f"-{next(numbers)}",
                faults=Faults(**faults),
            )
            return asyncio.run(scenario.run(progress))

    return run


@pytest.fixture(scope="session")
def good():
    """Check the result of a run with faults: the oracle found no mismatch, and there was something to check."""

    def check(result: ClusterResult) -> None:
        assert not result.sitting.mismatches
        assert result.sitting.acknowledged > 0
        assert result.sitting.sealed > 0
        assert set(result.sitting.degrees) == {"database", "student", "doctor", "proof"}
        assert all(len(jobs) == 1 for jobs in result.exams.graded_by.values())
        assert all(list(phases)[-1] == "Published" for phases in result.exams.phases.values())

    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Dump the state of the cluster when a test fails."""
    report = yield
    # By the last teardown the cluster is deleted.
    if (
        report.failed
        and report.when != "teardown"
        and "platform" in item.fixturenames
        and (platform := item.funcargs.get("platform"))
    ):
        folder = FOLDER / re.sub(r"\W+", "-", item.name)
        dump_diagnostics(platform.cluster, folder)
        report.sections.append(("cluster", f"resources, events and logs: {folder.relative_to(REPOSITORY)}"))
    return report
