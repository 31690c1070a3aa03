"""Cassandra on three racks tolerates the loss of one during a sitting."""

import asyncio
import os

import pytest

from exam_harness.environments.cluster.deploy import (
    CHART,
    NAMESPACE,
    RELEASE,
    RESTRICTED,
    await_platform,
    chart_arguments,
)
from exam_harness.environments.cluster.diagnostics import pod_names

RACKS = ("a", "b", "c")
LOST = f"{RELEASE}-cassandra-{RACKS[-1]}"

pytestmark = pytest.mark.skipif(os.environ.get("EXAM_E2E") != "all", reason="three racks are part of test-e2e-full")


@pytest.fixture
def three_racks(platform) -> None:
    """A new release with three racks, replacing the existing release and its data."""
    cluster = platform.cluster
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=180s", seconds=200)
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, RESTRICTED)
    words = chart_arguments(
        tags=platform.tags, from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    racks = f"--set=cassandra.racks={{{','.join(RACKS)}}}"
    # All three have to fit on one node with two cores, with the solvers of a sitting.
    cluster.helm("install", RELEASE, str(CHART), *words, racks, "--set=cassandra.resources.requests.cpu=20m")
    await_platform(cluster, lambda _: None)


def test_a_sitting_survives_the_loss_of_a_rack(three_racks, platform, sit, good) -> None:
    """If a rack is lost during a sitting, answers are still acknowledged and graded."""
    cluster = platform.cluster
    answers = []

    def acknowledged(scenario) -> int:
        return scenario.history.counts["acknowledgements"]

    async def lose_a_rack(scenario) -> None:
        answers.append(acknowledged(scenario))
        scaled = ("--namespace", NAMESPACE, "scale", "statefulset", LOST, "--replicas=0")
        killed = ("--namespace", NAMESPACE, "delete", "pod", f"{LOST}-0", "--grace-period=0", "--force")
        for words in (scaled, killed):
            await asyncio.to_thread(cluster.kubectl, *words)
        answers.append(acknowledged(scenario))
        scenario.echo(f"{LOST} is lost")

    result = sit(while_open=lose_a_rack)
    assert pod_names(cluster, "cassandra") == [f"{RELEASE}-cassandra-{rack}-0" for rack in RACKS[:-1]]
    good(result)
    before, after = answers
    assert before > 0
    assert after < result.sitting.history.counts["acknowledgements"]
    cluster.kubectl("--namespace", NAMESPACE, "scale", "statefulset", LOST, "--replicas=1")
