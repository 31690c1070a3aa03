"""Which pod of Cassandra is replaced next after a change of its racks."""

import random
from typing import Any

import pytest

from exam_operator.decide.rack_rollout import REVISION, rack_rollout

Rack = dict[str, Any]
Pod = dict[str, Any]


def rack(name: str, *, replicas: int = 1, available: int | None = None, observed: int = 2) -> Rack:
    """A rack whose pods should have revision `new`."""
    return {
        "metadata": {"name": f"cassandra-{name}", "uid": name, "generation": 2},
        "spec": {"replicas": replicas},
        "status": {
            "observedGeneration": observed,
            "updateRevision": "new",
            "availableReplicas": replicas if available is None else available,
        },
    }


def pod(rack: str, ordinal: int = 0, *, revision: str = "old", ready: bool = True, ending: bool = False) -> Pod:
    """A pod of a rack."""
    metadata = {
        "name": f"cassandra-{rack}-{ordinal}",
        "uid": f"{rack}-{ordinal}-{revision}",
        "labels": {REVISION: revision},
        "ownerReferences": [{"uid": rack}],
    }
    if ending:
        metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def next_pod(racks: list[Rack], pods: list[Pod]) -> str | None:
    """The name of the pod that is replaced next."""
    found = rack_rollout(racks, pods).next
    return None if found is None else str(found["metadata"]["name"])


THREE = [rack("a"), rack("b"), rack("c")]
ALL = [pod("a"), pod("b"), pod("c")]


def test_nothing_is_replaced_without_a_change() -> None:
    """If every pod has the present configuration, none is replaced."""
    rollout = rack_rollout(THREE, [pod(name, revision="new") for name in "abc"])
    assert rollout.next is None
    assert rollout.outdated == ()
    assert rack_rollout([], []).next is None


def test_racks_are_replaced_in_order_and_the_last_pod_of_a_rack_first() -> None:
    """If the configuration changes, one pod after the other is replaced, rack by rack."""
    racks = [rack("b", replicas=2), rack("a", replicas=2)]
    pods = [pod("a", 0), pod("a", 1), pod("b", 0), pod("b", 1)]
    assert next_pod(racks, pods) == "cassandra-a-1"
    assert next_pod(racks, [pod("a", 0), pod("a", 1, revision="new"), *pods[2:]]) == "cassandra-a-0"
    assert next_pod(racks, [pod("a", 0, revision="new"), pod("a", 1, revision="new"), *pods[2:]]) == "cassandra-b-1"


@pytest.mark.parametrize(
    ("racks", "pods"),
    [
        pytest.param([rack("a", available=0), *THREE[1:]], [pod("a", revision="new", ready=False), *ALL[1:]], id="new"),
        pytest.param([rack("a", available=0), *THREE[1:]], [pod("a", ending=True, ready=False), *ALL[1:]], id="ending"),
        pytest.param([rack("a", available=0), *THREE[1:]], ALL[1:], id="missing"),
        pytest.param([rack("a", available=0), *THREE[1:]], ALL, id="ready, but not for long enough"),
        pytest.param(
            [rack("a", available=0), rack("b", available=0), rack("c")],
            [pod("a", ready=False), pod("b", ready=False), pod("c")],
            id="two are away",
        ),
        pytest.param([rack("a", observed=1), *THREE[1:]], ALL, id="the change of a rack is not observed yet"),
    ],
)
def test_no_second_pod_is_taken_away(racks: list[Rack], pods: list[Pod]) -> None:
    """If a pod is being replaced, starts, ends or is missing, no other one is replaced: a quorum would be lost."""
    assert next_pod(racks, pods) is None


def test_a_pod_that_cannot_start_is_replaced_first() -> None:
    """If one pod is away because of its former configuration, the correction reaches it before any other."""
    racks = [rack("a"), rack("b", available=0), rack("c")]
    assert next_pod(racks, [pod("a"), pod("b", ready=False), pod("c")]) == "cassandra-b-0"


@pytest.mark.parametrize("seed", range(20))
def test_a_rollout_ends_with_one_pod_away_at_most(seed: int) -> None:
    """Whatever the order in which pods end, start and become available, one at most is away, and all are replaced."""
    chance = random.Random(seed)
    sizes = {"a": 2, "b": 1, "c": 2}
    pods = {(name, number): pod(name, number) for name, size in sizes.items() for number in range(size)}
    steps = 0
    while True:
        ready = {key for key, each in pods.items() if each["status"]["conditions"][0]["status"] == "True"}
        racks = [
            rack(name, replicas=size, available=sum(key[0] == name for key in ready)) for name, size in sizes.items()
        ]
        assert len(ready) >= len(pods) - 1
        rollout = rack_rollout(racks, list(pods.values()))
        if not rollout.outdated and len(ready) == len(pods):
            break
        steps += 1
        assert steps < 500
        away = next((key for key in pods if key not in ready), None)
        if rollout.next is not None:
            key = next(key for key, each in pods.items() if each is rollout.next)
            pods[key] = pod(*key, ending=True, ready=False)
        elif away is not None and chance.random() < 0.5:
            started = "deletionTimestamp" not in pods[away]["metadata"]
            pods[away] = pod(*away, revision="new", ready=started)
