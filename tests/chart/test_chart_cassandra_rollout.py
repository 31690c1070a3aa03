"""A change of Cassandra's configuration: its racks restart one after another, and not while a sitting is open."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from kubernetes.aio import client, config

from exam_harness.waiting import eventually
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.model.exam import ExamKey
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.rack_rollout import RackReplacement

RACKS = ["a", "b", "c"]
SELECTOR = "app.kubernetes.io/instance=exam,app.kubernetes.io/component=cassandra"
SITTING = ExamKey("exams", "midterm", "1")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


class Pods:
    """Cassandra's pods on the API server."""

    def __init__(self, control_plane: Any, namespace: str) -> None:
        self._control_plane = control_plane
        self._namespace = namespace

    def _list(self) -> list[dict[str, Any]]:
        words = ("-n", self._namespace, "get", "pods", f"--selector={SELECTOR}", "--output=json")
        pods: list[dict[str, Any]] = json.loads(self._control_plane.kubectl(*words))["items"]
        return pods

    def heaps(self) -> dict[str, str]:
        """The heap of each pod."""
        return {each["metadata"]["name"]: each["spec"]["containers"][0]["env"][0]["value"] for each in self._list()}

    def ready(self) -> int:
        """How many pods are ready and stay."""
        return sum(
            any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in each["status"]["conditions"]
            )
            for each in self._list()
            if "deletionTimestamp" not in each["metadata"] and "conditions" in each["status"]
        )


@pytest.fixture
def pods(control_plane, kube_namespace: str) -> Pods:
    """Cassandra's pods of the test's release."""
    return Pods(control_plane, kube_namespace)


@pytest.fixture
def replace(control_plane, kube_namespace: str) -> Callable[..., list[int]]:
    """Run the steps of the operator until nothing is outdated, or some of them; returns the ready pods after each."""

    def run(open_sittings: Sequence[ExamKey], ready: Callable[[], int], *, steps: int) -> list[int]:
        async def act() -> list[int]:
            found: list[int] = []
            configuration = client.Configuration()
            await config.load_kube_config(str(control_plane.kubeconfig), client_configuration=configuration)
            configuration.retries = 0
            async with client.ApiClient(configuration) as api:
                kube = KubernetesClient(api, kube_namespace)
                racks = RackReplacement(kube, ExamCache(), lambda: open_sittings, selector=SELECTOR, resync=30)
                while await racks.step() and len(found) < steps:
                    found.append(await asyncio.to_thread(ready))
            return found

        return asyncio.run(act())

    return run


def test_racks_restart_one_after_another_between_sittings(cassandra_upgrade, cassandra_apply, pods, replace) -> None:
    """If I change Cassandra's heap, an open sitting keeps its pods; after it every rack restarts, one at a time."""
    cassandra_apply(cassandra_upgrade(racks=RACKS))
    before = pods.heaps()
    assert set(before.values()) == {"1G"}
    cassandra_apply(cassandra_upgrade(racks=RACKS, heap="2G"))
    assert replace([SITTING], pods.ready, steps=5) == [3] * 5
    assert pods.heaps() == before, "neither helm nor the operator replaces a pod of an open sitting"

    ready = replace([], pods.ready, steps=500)
    assert set(pods.heaps().values()) == {"2G"}
    assert min(ready) == 2, "a quorum stays"
    assert replace([], pods.ready, steps=1) == []


def test_without_the_operator_racks_would_restart_at_once(cassandra_upgrade, cassandra_apply, pods) -> None:
    """The negative control: StatefulSets that replace their pods themselves take the quorum away."""
    cassandra_apply(cassandra_upgrade(racks=RACKS), "RollingUpdate")
    cassandra_apply(cassandra_upgrade(racks=RACKS, heap="2G"), "RollingUpdate", wait=False)
    eventually(lambda: pods.ready() < 2, "two racks are away", seconds=60, interval=0.05)
