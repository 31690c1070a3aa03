"""What an API server tells of a node that went down is how it was before: which of it nobody has looked at since.

First the kubelet looks at its pods, then each controller counts what is its own.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

KINDS = "pods,replicasets,statefulsets,deployments"
"""What has to be asked for: pods, and all that counts the ready ones."""

Resource = dict[str, Any]


def stale_resources(started: datetime, resources: Sequence[Resource]) -> list[str]:
    """Of what is told since before the node `started`, the kind, namespace and name; empty when all of it is news.

    Args:
        started: when the node did, with its time zone.
        resources: all of `KINDS` of all namespaces, as the API server has them.
    """
    counted: Counter[str] = Counter()
    for each in resources:
        for owner in each["metadata"].get("ownerReferences", []):
            counted[owner["uid"]] += _ready(each)
    return [
        "{kind} {metadata[namespace]}/{metadata[name]}".format_map(each)
        for each in resources
        if (
            _runs_since_before(started, each)
            if each["kind"] == "Pod"
            else _ready(each) != counted[each["metadata"]["uid"]]
        )
    ]


def _runs_since_before(started: datetime, pod: Resource) -> bool:
    # The API server tells whole seconds.
    earliest = started.replace(microsecond=0)
    return any(
        datetime.fromisoformat(running["startedAt"]) < earliest
        for container in pod["status"].get("containerStatuses", [])
        if (running := container["state"].get("running"))
    )


def _ready(resource: Resource) -> int:
    """How many ready pods a resource is said to have; a pod is one itself, unless it is going."""
    if resource["kind"] != "Pod":
        ready: int = resource["status"].get("readyReplicas", 0)
        return ready
    conditions = {each["type"]: each["status"] for each in resource["status"].get("conditions", [])}
    return int(conditions.get("Ready") == "True" and "deletionTimestamp" not in resource["metadata"])
