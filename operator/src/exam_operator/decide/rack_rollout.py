"""Decides which pod of Cassandra is replaced next after a change of its racks: a pure function of what is listed.

A rack is a StatefulSet whose pods are replaced only when they are deleted (``OnDelete``), because no StatefulSet waits
for another one. A quorum of the copies must stay: a pod is replaced only while every other one is available.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from exam_core.canonical import JsonObject

REVISION = "controller-revision-hash"
"""The label by which the controller of StatefulSets marks the revision of a pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RackRollout:
    """The state of a rollout.

    Attributes:
        outdated: the pods of an earlier revision, in the order in which they are replaced.
        next: the pod to replace now; None while another one is not available, or when nothing is outdated.
    """

    outdated: tuple[JsonObject, ...]
    next: JsonObject | None


def rack_rollout(racks: Sequence[JsonObject], pods: Sequence[JsonObject]) -> RackRollout:
    """Decide on the next pod from all racks and all their pods, each as listed."""
    owned = {rack["metadata"]["uid"]: _pods_of(rack, pods) for rack in racks}
    outdated = tuple(
        pod
        for rack in sorted(racks, key=_name)
        if _is_observed(rack)
        for pod in owned[rack["metadata"]["uid"]]
        if pod["metadata"].get("labels", {}).get(REVISION) != rack["status"].get("updateRevision")
    )
    unavailable = sum(max(0, _replicas(rack) - _available(rack)) for rack in racks)
    if not outdated or not all(map(_is_observed, racks)):
        return RackRollout(outdated=outdated, next=None)
    if not unavailable:
        return RackRollout(outdated=outdated, next=outdated[0])
    # A pod that does not become available in its earlier revision may be the only one that is away.
    waiting = [pod for pod in outdated if not _is_ready(pod)]
    complete = all(len(owned[rack["metadata"]["uid"]]) == _replicas(rack) for rack in racks)
    replaceable = (
        unavailable == 1 and len(waiting) == 1 and complete and "deletionTimestamp" not in waiting[0]["metadata"]
    )
    return RackRollout(outdated=outdated, next=waiting[0] if replaceable else None)


def _pods_of(rack: JsonObject, pods: Sequence[JsonObject]) -> list[JsonObject]:
    """The pods of a rack, the last one first, as StatefulSets replace them."""
    uid = rack["metadata"]["uid"]
    owned = [pod for pod in pods if any(each["uid"] == uid for each in pod["metadata"].get("ownerReferences", ()))]
    return sorted(owned, key=_ordinal, reverse=True)


def _ordinal(pod: JsonObject) -> int:
    return int(_name(pod).rpartition("-")[2])


def _name(found: JsonObject) -> str:
    return str(found["metadata"]["name"])


def _replicas(rack: JsonObject) -> int:
    return int(rack["spec"].get("replicas", 1))


def _available(rack: JsonObject) -> int:
    return int(rack["status"].get("availableReplicas", 0))


def _is_observed(rack: JsonObject) -> bool:
    """Whether the status is of the present spec: a revision of an earlier one would make current pods outdated."""
    return bool(rack.get("status", {}).get("observedGeneration") == rack["metadata"]["generation"])


def _is_ready(pod: JsonObject) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
