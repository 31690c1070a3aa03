"""Who may reach whom, computed from rendered NetworkPolicies as a network that enforces them would."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exam_harness.chart.render import component_of, pods_of

OUTSIDE = "anybody"
"""Whoever is not of the release: clients, the API server, external stores."""

Json = Mapping[str, Any]
Edge = tuple[str, str, int]


def allowed_connections(documents: Sequence[Json]) -> set[Edge]:
    """(from, to, port) of every TCP connection that may be made; both sides' policies have to let it through."""
    policies = [each for each in documents if each["kind"] == "NetworkPolicy"]
    labels = {component_of(pod): pod["metadata"]["labels"] for pod in pods_of(documents).values()}
    ports = sorted({port for policy in policies for port in _ports(policy)})
    return {
        (source, target, port)
        for source in (*labels, OUTSIDE)
        for target in (*labels, OUTSIDE)
        if not source == target == OUTSIDE
        for port in ports
        if _lets(policies, "egress", labels.get(source), labels.get(target), port)
        and _lets(policies, "ingress", labels.get(target), labels.get(source), port)
    }


def _ports(policy: Json) -> Iterator[int]:
    for rule in (*(policy["spec"].get("ingress") or []), *(policy["spec"].get("egress") or [])):
        yield from (each["port"] for each in rule.get("ports", []) if each["protocol"] == "TCP")


def _lets(policies: Sequence[Json], way: str, own: Json | None, other: Json | None, port: int) -> bool:
    """Whether a pod's own policies let a connection through; outside the release there are none."""
    if own is None:
        return True
    mine = [each for each in policies if _selects(each["spec"]["podSelector"], own)]
    mine = [each for each in mine if way.capitalize() in each["spec"]["policyTypes"]]
    if not mine:
        return True
    peers = {"ingress": "from", "egress": "to"}[way]
    return any(
        _peer(rule.get(peers), other) and _port(rule.get("ports"), port)
        for policy in mine
        for rule in policy["spec"].get(way) or []
    )


def _peer(peers: Sequence[Json] | None, other: Json | None) -> bool:
    if not peers:
        return True
    return other is not None and any(_selects(each["podSelector"], other) for each in peers if "podSelector" in each)


def _port(ports: Sequence[Json] | None, port: int) -> bool:
    return not ports or any(each["protocol"] == "TCP" and each["port"] == port for each in ports)


def _selects(selector: Json, labels: Json) -> bool:
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
