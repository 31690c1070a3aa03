"""Cassandra on three racks: one of them may go, and the sitting goes on."""

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
GONE = f"{RELEASE}-cassandra-{RACKS[-1]}"

pytestmark = pytest.mark.skipif(os.environ.get("EXAM_E2E") != "all", reason="three racks are part of test-e2e-full")


@pytest.fixture
def three_racks(platform) -> None:
    """A new release in place of the one that was there."""
    cluster = platform.cluster
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=180s", seconds=200)
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, RESTRICTED)
    words = chart_arguments(tags=platform.tags, from_packages=platform.from_packages, port=platform.port)
    racks = f"--set=cassandra.racks={{{','.join(RACKS)}}}"
    # One node of two cores has to hold all three, and the solvers of a sitting.
    cluster.helm("install", RELEASE, str(CHART), *words, racks, "--set=cassandra.resources.requests.cpu=20m")
    await_platform(cluster, lambda _: None)


def test_a_rack_is_gone_and_the_sitting_goes_on(three_racks, platform, sit, good) -> None:
    """If a rack dies in a sitting and does not come back, answers are acknowledged all the same, and graded."""
    cluster = platform.cluster
    answers = []

    def acknowledged(sitting) -> int:
        return sitting.book.counts["acknowledgements"]

    async def trouble(sitting) -> None:
        answers.append(acknowledged(sitting))
        scaled = ("--namespace", NAMESPACE, "scale", "statefulset", GONE, "--replicas=0")
        killed = ("--namespace", NAMESPACE, "delete", "pod", f"{GONE}-0", "--grace-period=0", "--force")
        for words in (scaled, killed):
            await asyncio.to_thread(cluster.kubectl, *words)
        answers.append(acknowledged(sitting))
        sitting.say(f"{GONE} is gone for good")

    outcome = sit(while_open=trouble)
    assert pod_names(cluster, "cassandra") == [f"{RELEASE}-cassandra-{rack}-0" for rack in RACKS[:-1]]
    good(outcome)
    before, after = answers
    assert before > 0
    assert after < outcome.book.counts["acknowledgements"]
    cluster.kubectl("--namespace", NAMESPACE, "scale", "statefulset", GONE, "--replicas=1")
