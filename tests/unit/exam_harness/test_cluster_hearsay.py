"""A cluster that went down with its machine: what the API server remembers of it is not what is so."""

from datetime import UTC, datetime, timedelta

import pytest

from exam_harness.environments.cluster.stale_resources import stale_resources

STARTED = datetime(2026, 3, 2, 9, 0, 0, 700_000, tzinfo=UTC)


def _resource(kind: str, status: dict, *, owner: str = "", **metadata: str) -> dict:
    """One whose name and uid are its kind in lower case."""
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
    """As the API server tells it: in whole seconds."""
    since = STARTED.replace(microsecond=0) + timedelta(seconds=seconds)
    return {"running": {"startedAt": since.strftime("%Y-%m-%dT%H:%M:%SZ")}}


@pytest.mark.parametrize("states", [(_running(-1),), (_running(3), _running(-3600))])
def test_a_container_of_before_is_not_believed(states) -> None:
    """If a container is said to run since before its node started, its pod is named: nobody has looked at it."""
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
def test_what_started_since_or_does_not_run_is_believed(states) -> None:
    """If all that is said to run started after the node, in the very second of it too, nobody is waited for."""
    assert stale_resources(STARTED, [_pod(*states)]) == []


@pytest.mark.parametrize(
    ("told", "pods", "old"),
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
def test_a_controller_that_has_not_counted_is_not_believed(told, pods, old) -> None:
    """If a controller tells another number of ready pods than there are, it has not counted since: it is named."""
    sets, deployments = (({"readyReplicas": number} if number else {}) for number in told)
    resources = [_resource("Deployment", deployments), _resource("ReplicaSet", sets, owner="deployment"), *pods]
    assert stale_resources(STARTED, resources) == old


def test_a_set_with_an_owner_of_an_unknown_kind_is_counted_alone() -> None:
    """If somebody's own controller owns a StatefulSet, its pods are counted and the owner is left alone."""
    stateful = _resource("StatefulSet", {"readyReplicas": 1}, owner="their-own")
    pod = _resource("Pod", {"conditions": [{"type": "Ready", "status": "True"}]}, owner="statefulset")
    assert stale_resources(STARTED, [stateful, pod]) == []
