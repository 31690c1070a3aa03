"""Who may reach whom: computed from the rendered policies, held against what the platform needs in plain words."""

from exam_harness.chart.network_policies import OUTSIDE, allowed_connections
from exam_harness.chart.render import render

STORES = {("postgres", 5432), ("redis", 6379), ("cassandra", 9042)}
READERS = ("web", "solver", "grader", "beat", "grading", "migrations")
NEEDED = {
    *((reader, store, port) for reader in READERS for store, port in STORES),
    (OUTSIDE, "gateway", 8080),
    ("gateway", "web", 8000),
    ("gateway", "solver", 8000),
    ("solver", "web", 8000),
    ("operator", "web", 8000),
    ("cassandra", "cassandra", 7000),
    ("cassandra", "cassandra", 9042),
    *((("test", target, port)) for target, port in (("gateway", 8080), ("web", 8000), ("solver", 8000))),
    ("operator", OUTSIDE, 443),
    ("operator", OUTSIDE, 6443),
}


def _inside(edges) -> set:
    """Without what anybody may do: ask for names, and knock at the gateway from within."""
    return {(source, target, port) for source, target, port in edges if port != 53}


def test_nobody_reaches_more_than_they_need(plain) -> None:
    """If somebody gets into a pod, they reach what that component needs, and nothing else."""
    assert _inside(allowed_connections(plain)) == NEEDED


def test_the_operator_reaches_no_store_and_students_reach_no_service(plain) -> None:
    """If I look for what must never be, it is not: the outside reaches the gateway alone, the gateway no store."""
    edges = allowed_connections(plain)
    assert {target for source, target, _ in edges if source == OUTSIDE} == {"gateway"}
    stores = {"postgres", "redis", "cassandra"}
    assert not [edge for edge in edges if edge[0] in {"gateway", "operator", "test"} and edge[1] in stores]
    assert {source for source, target, _ in edges if target == "solver"} == {"gateway", "test"}


def test_without_policies_everybody_reaches_everybody() -> None:
    """If policies are off, the same computation says so: it does not call anything safe by itself."""
    documents = render({"networkPolicies": {"enabled": False}})
    kept = [each for each in render() if each["kind"] == "NetworkPolicy"][:1]
    edges = allowed_connections([*documents, *kept])
    assert ("operator", "postgres", 8080) in edges
    assert (OUTSIDE, "redis", 8080) in edges


def test_external_stores_are_reached_outside(external) -> None:
    """If the stores are somebody else's, those who need them may go out, and nobody else."""
    edges = _inside(allowed_connections(external))
    outside = {source for source, target, port in edges if target == OUTSIDE and port == 8000}
    assert outside == set(READERS)
    assert not [edge for edge in edges if edge[1] in {"postgres", "redis", "cassandra"}]


def test_metrics_are_read_by_those_who_were_named() -> None:
    """If I name who may read metrics, they may, at every component that has some; nobody from elsewhere may."""
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    policies = [each for each in render({"networkPolicies": {"metricsFrom": peers}}) if each["kind"] == "NetworkPolicy"]
    opened = {
        (policy["metadata"]["name"], rule["ports"][0]["port"])
        for policy in policies
        for rule in policy["spec"]["ingress"] or []
        if rule.get("from") == peers
    }
    assert opened == {
        ("exam-web", 8000),
        ("exam-solver", 8000),
        ("exam-grader", 9100),
        ("exam-beat", 9100),
        ("exam-operator", 8080),
    }
