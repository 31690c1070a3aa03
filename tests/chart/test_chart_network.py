"""Connections that the rendered NetworkPolicies allow, compared with the connections that the platform needs."""

from exam_harness.chart.network_policies import OUTSIDE, allowed_connections
from exam_harness.chart.render import render

STORES = {("postgres", 5432), ("cassandra", 9042)}
STORE_CLIENTS = ("web", "solver", "grader", "beat", "grading", "migrations")
NEEDED_CONNECTIONS = {
    *((reader, store, port) for reader in STORE_CLIENTS for store, port in STORES),
    *((reader, "redis", 6379) for reader in ("web", "solver")),
    *((reader, "broker", 6379) for reader in ("web", "grader", "beat", "grading")),
    (OUTSIDE, "gateway", 8080),
    ("gateway", "web", 8000),
    ("gateway", "solver", 8000),
    ("solver", "web", 8000),
    ("solver", "web", 8001),
    ("operator", "web", 8001),
    ("cassandra", "cassandra", 7000),
    ("cassandra", "cassandra", 9042),
    *((("test", target, port)) for target, port in (("gateway", 8080), ("web", 8000), ("solver", 8000))),
    ("operator", OUTSIDE, 443),
    ("operator", OUTSIDE, 6443),
}


def _without_dns(edges) -> set:
    """The connections except DNS queries, which every pod may make."""
    return {(source, target, port) for source, target, port in edges if port != 53}


def test_allowed_connections_are_the_needed_ones(plain) -> None:
    """If an attacker takes over a pod, they can connect to what that component needs, and nothing else."""
    assert _without_dns(allowed_connections(plain)) == NEEDED_CONNECTIONS


def test_operator_reaches_no_store_and_clients_reach_only_the_gateway(plain) -> None:
    """If I look for forbidden connections, there are none: clients reach only the gateway, and the gateway no store."""
    edges = allowed_connections(plain)
    assert {target for source, target, _ in edges if source == OUTSIDE} == {"gateway"}
    stores = {"postgres", "redis", "broker", "cassandra"}
    assert not [edge for edge in edges if edge[0] in {"gateway", "operator", "test"} and edge[1] in stores]
    assert {source for source, target, _ in edges if target == "solver"} == {"gateway", "test"}


def test_only_services_that_call_the_internal_api_reach_its_port(plain) -> None:
    """If a request gets past the gateway's rules, there is no way from it, or from outside, to the internal API."""
    assert {source for source, target, port in allowed_connections(plain) if (target, port) == ("web", 8001)} == {
        "operator",
        "solver",
    }
    ((_, backend),) = (
        (rule["host"], path["backend"]["service"])
        for each in plain
        if each["kind"] == "Ingress"
        for rule in each["spec"]["rules"][:1]
        for path in rule["http"]["paths"]
    )
    assert backend["name"] == "exam-gateway"


def test_during_an_upgrade_operators_of_the_release_before_reach_web() -> None:
    """If a value says until when the release before is served, its operators may connect to the port that they call."""
    until = {"web": {"formerCallersUntil": "2030-01-15T10:00:00Z"}}
    assert _without_dns(allowed_connections(render(until))) == NEEDED_CONNECTIONS | {("operator", "web", 8000)}


def test_without_policies_every_connection_is_allowed() -> None:
    """If policies are disabled, the same computation allows everything (negative control)."""
    documents = render({"networkPolicies": {"enabled": False}})
    # The computation asks for ports that some policy names; the gateway's names 8080.
    policies = [each for each in render() if each["kind"] == "NetworkPolicy"]
    gateway = [each for each in policies if each["metadata"]["name"] == "exam-gateway"]
    edges = allowed_connections([*documents, *gateway])
    assert ("operator", "postgres", 8080) in edges
    assert (OUTSIDE, "redis", 8080) in edges


def test_only_store_clients_reach_external_stores(external) -> None:
    """If the stores are external, their clients may connect outside, and no other component may."""
    edges = _without_dns(allowed_connections(external))
    outside = {source for source, target, port in edges if target == OUTSIDE and port == 8000}
    assert outside == set(STORE_CLIENTS)
    assert not [edge for edge in edges if edge[1] in {"postgres", "redis", "broker", "cassandra"}]


def test_metrics_from_opens_every_metrics_port() -> None:
    """If I set networkPolicies.metricsFrom, those peers may read the metrics of every component that has some."""
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
