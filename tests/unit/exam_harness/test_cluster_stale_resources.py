"""After a restart of its machine, a cluster's API server returns statuses that are stale."""

from datetime import UTC, datetime, timedelta

import pytest

from exam_harness.environments.cluster.stale_resources import stale_resources

STARTED = datetime(2026, 3, 2, 9, 0, 0, 700_000, tzinfo=UTC)


def _resource(kind: str, status: dict, *, owner: str = "", **metadata: str) -> dict:
    """A resource whose name and uid are its kind in lower case."""
    name = kind.lower()
    owners = {"ownerReferences": [{"uid": owner}]} if owner else {}
    return {
        "kind": kind,
        "metadata": {"namespace": "exam", "name": name, "uid": name} | owners | metadata,
        "status": status,
    }


def _pod(*states: dict, ready: bool = False, **metadata: str) -> dict:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    status = {"conditions": conditions, "containerStatuses": [{"state": state} for state in states]}
    return _resource("Pod", status, owner="replicaset", **metadata)


def _running(seconds: int) -> dict:
    """A running container's state, in whole seconds as the API has it."""
    since = STARTED.replace(microsecond=0) + timedelta(seconds=seconds)
    return {"running": {"startedAt": since.strftime("%Y-%m-%dT%H:%M:%SZ")}}


@pytest.mark.parametrize("states", [(_running(-1),), (_running(3), _running(-3600))])
def test_a_container_started_before_the_node_is_stale(states) -> None:
    """If a container's start time is before that of its node, its pod is stale."""
    assert stale_resources(STARTED, [_resource("Pod", {}), _pod(*states)]) == ["Pod exam/pod"]


@pytest.mark.parametrize(
    "states",
    [
        (),
        (_running(0),),
        (_running(2), _running(9)),
        ({"waiting": {"reason": "CrashLoopBackOff"}},),
        ({"terminated": {"startedAt": "2026-03-02T08:00:00Z", "exitCode": 0}},),
    ],
)
def test_a_container_started_since_or_not_running_is_fresh(states) -> None:
    """If every running container started after its node, or in the same second, no pod is stale."""
    assert stale_resources(STARTED, [_pod(*states)]) == []


@pytest.mark.parametrize(
    ("counts", "pods", "stale"),
    [
        ((1, 1), [_pod(_running(1))], ["ReplicaSet exam/replicaset"]),
        ((0, 1), [_pod(_running(1))], ["Deployment exam/deployment"]),
        ((0, 0), [_pod(_running(1))], []),
        ((1, 1), [_pod(_running(1), ready=True)], []),
        ((1, 1), [_pod(_running(1), ready=True), _pod(ready=True, deletionTimestamp="2026-03-02T09:00:09Z")], []),
        ((2, 2), [_pod(_running(1), ready=True)], ["ReplicaSet exam/replicaset"]),
        ((0, 0), [], []),
    ],
)
def test_a_controller_with_another_count_is_stale(counts, pods, stale) -> None:
    """If a controller's status counts another number of ready pods than there are, it is stale."""
    sets, deployments = (({"readyReplicas": number} if number else {}) for number in counts)
    resources = [_resource("Deployment", deployments), _resource("ReplicaSet", sets, owner="deployment"), *pods]
    assert stale_resources(STARTED, resources) == stale


def test_an_owner_of_an_unknown_kind_is_ignored() -> None:
    """If a custom resource owns a StatefulSet, its pods are counted and the owner is ignored."""
    stateful = _resource("StatefulSet", {"readyReplicas": 1}, owner="custom")
    pod = _resource("Pod", {"conditions": [{"type": "Ready", "status": "True"}]}, owner="statefulset")
    assert stale_resources(STARTED, [stateful, pod]) == []
