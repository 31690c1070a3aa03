"""Find statuses that are stale after a node restarted: not yet updated by kubelet and controllers.

First the kubelet updates its pods, then each controller counts the ready pods of its own.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

KINDS = "pods,replicasets,statefulsets,deployments"
"""The kinds to query: pods, and everything that counts ready pods."""

Resource = dict[str, Any]


def stale_resources(started: datetime, resources: Sequence[Resource]) -> list[str]:
    """Return kind, namespace and name of each resource whose status predates the start of the node.

    Args:
        started: when the node started, with a time zone.
        resources: all resources of `KINDS` in all namespaces.
    """
    counted: Counter[str] = Counter()
    for each in resources:
        for owner in each["metadata"].get("ownerReferences", []):
            counted[owner["uid"]] += _ready(each)
    return [
        "{kind} {metadata[namespace]}/{metadata[name]}".format_map(each)
        for each in resources
        if (
            _started_before(started, each)
            if each["kind"] == "Pod"
            else _ready(each) != counted[each["metadata"]["uid"]]
        )
    ]


def _started_before(started: datetime, pod: Resource) -> bool:
    # Container start times are in whole seconds.
    earliest = started.replace(microsecond=0)
    return any(
        datetime.fromisoformat(running["startedAt"]) < earliest
        for container in pod["status"].get("containerStatuses", [])
        if (running := container["state"].get("running"))
    )


def _ready(resource: Resource) -> int:
    """Return the ready pods that a resource's status counts; a ready pod counts as one unless it is terminating."""
    if resource["kind"] != "Pod":
        ready: int = resource["status"].get("readyReplicas", 0)
        return ready
    conditions = {each["type"]: each["status"] for each in resource["status"].get("conditions", [])}
    return int(conditions.get("Ready") == "True" and "deletionTimestamp" not in resource["metadata"])
