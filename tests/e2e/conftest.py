"""A cluster for these tests: brought up once, taken down when it was not there before, dumped when a test fails."""

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
from exam_harness.environments.cluster.down import main as take_down
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.cluster.up import Platform, bring_up
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.docker.host_state import HostState
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.steps import Steps
from exam_harness.scenarios.cluster.scenario import Outcome, Sitting, Size, no_trouble
from exam_harness.scenarios.reporting.progress import Progress

FOLDER = REPOSITORY / "build/e2e"


def pytest_collection_modifyitems(items) -> None:
    """Each of these needs the cluster, and has time for a whole sitting in it; sittings come first, and leave data."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(900))
    items.sort(key=lambda item: item in ours and item.path.name != "test_sittings.py")


@pytest.fixture(scope="session")
def shown(pytestconfig) -> Iterator[Console]:
    """A console that people see while the tests run: a sitting takes minutes."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        copy = os.dup(2)
    with os.fdopen(copy, "w", buffering=1) as stream:
        yield Console(highlight=False, file=stream)


@pytest.fixture(scope="session")
def platform(shown) -> Iterator[Platform]:
    """The platform in a cluster. What was not there before is gone afterwards, the traces of its making too."""
    found = engines.find_running()
    stays = found is not None and Cluster(found).exists()
    with Steps("test-e2e", shown) as steps:
        if found is None:
            engines.clean_up_after_crash(steps.echo)
        before = HostState.capture()
        if found is None:
            # An interrupted run's cluster comes up with the engine, and with whatever was being done to it.
            Cluster(engines.start_or_connect(steps.echo)).delete(steps.echo)
        (port,) = free_ports(1)
        made = bring_up(steps, port=port)
        steps.table()
    yield made
    if stays:
        return
    assert take_down() == 0
    if found is None:
        assert HostState.capture().added_since(before) == []


@pytest.fixture
def access(platform) -> Iterator[ClusterAccess]:
    """The platform as its people reach it, whole."""
    await_recovery(platform.cluster)
    with ClusterAccess(platform.cluster, platform.port) as reached:
        yield reached


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """A number for each run: exams of earlier ones stay in the cluster."""
    return count(os.getpid() * 100)


@pytest.fixture
def sit(access, shown, numbers, request):
    """Run the sample exams, with troubles; what came of it."""

    def run(*, while_open=no_trouble, while_grading=no_trouble, size=None) -> Outcome:
        def echo(line: str) -> None:
            shown.print(f"  {line}", style="cyan", markup=False, soft_wrap=True)

        shown.print(f"\n{request.node.name}")
        with Progress(shown) as progress:
            sitting = Sitting(
                access,
                FOLDER / re.sub(r"\W+", "-", request.node.name),
                progress,
                echo,
                size=size or Size(),
                suffix=f"-{next(numbers)}",
                while_open=while_open,
                while_grading=while_grading,
            )
            return asyncio.run(sitting.run())

    return run


@pytest.fixture(scope="session")
def good():
    """What has to be so after any trouble: oracle and platform agree in all, and there was something to agree about."""

    def check(outcome: Outcome) -> None:
        assert not outcome.mismatches
        assert outcome.acknowledged > 0
        assert outcome.sealed > 0
        assert set(outcome.degrees) == {"database", "student", "doctor"}
        assert all(len(jobs) == 1 for jobs in outcome.jobs.values())
        assert all(list(told)[-1] == "Published" for told in outcome.phases.values())

    return check


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep what the cluster has to say of a test that failed."""
    report = yield
    # By the last teardown the cluster is gone.
    if (
        report.failed
        and report.when != "teardown"
        and "platform" in item.fixturenames
        and (made := item.funcargs.get("platform"))
    ):
        folder = FOLDER / re.sub(r"\W+", "-", item.name)
        dump_diagnostics(made.cluster, folder)
        report.sections.append(("cluster", f"resources, events and logs: {folder.relative_to(REPOSITORY)}"))
    return report
