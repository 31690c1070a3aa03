"""Compute the TCP connections that rendered NetworkPolicies allow, as an enforcing network plugin would."""

from collections.abc import Iterator, Sequence

from exam_core.canonical import JsonObject
from exam_harness.chart.render import component_of, pods_of

OUTSIDE = "outside"
"""Peers outside the release: clients, the API server, external stores."""

Edge = tuple[str, str, int]


def allowed_connections(documents: Sequence[JsonObject]) -> set[Edge]:
    """Return (source, target, port) of every TCP connection that the policies of both sides allow."""
    policies = [each for each in documents if each["kind"] == "NetworkPolicy"]
    labels = {component_of(pod): pod["metadata"]["labels"] for pod in pods_of(documents).values()}
    ports = sorted({port for policy in policies for port in _ports(policy)})
    return {
        (source, target, port)
        for source in (*labels, OUTSIDE)
        for target in (*labels, OUTSIDE)
        if not source == target == OUTSIDE
        for port in ports
        if _allows(policies, "egress", labels.get(source), labels.get(target), port)
        and _allows(policies, "ingress", labels.get(target), labels.get(source), port)
    }


def _ports(policy: JsonObject) -> Iterator[int]:
    for rule in (*(policy["spec"].get("ingress") or []), *(policy["spec"].get("egress") or [])):
        yield from (each["port"] for each in rule.get("ports", []) if each["protocol"] == "TCP")


def _allows(
    policies: Sequence[JsonObject], direction: str, own: JsonObject | None, other: JsonObject | None, port: int
) -> bool:
    """Return whether a pod's policies allow a connection; outside the release there are no policies."""
    if own is None:
        return True
    selecting = [each for each in policies if _selects(each["spec"]["podSelector"], own)]
    selecting = [each for each in selecting if direction.capitalize() in each["spec"]["policyTypes"]]
    if not selecting:
        return True
    peers = {"ingress": "from", "egress": "to"}[direction]
    return any(
        _matches_peer(rule.get(peers), other) and _matches_port(rule.get("ports"), port)
        for policy in selecting
        for rule in policy["spec"].get(direction) or []
    )


def _matches_peer(peers: Sequence[JsonObject] | None, other: JsonObject | None) -> bool:
    if not peers:
        return True
    return other is not None and any(_selects(each["podSelector"], other) for each in peers if "podSelector" in each)


def _matches_port(ports: Sequence[JsonObject] | None, port: int) -> bool:
    return not ports or any(each["protocol"] == "TCP" and each["port"] == port for each in ports)


def _selects(selector: JsonObject, labels: JsonObject) -> bool:
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
