"""Exporters of the stores' metrics: off by default, each with a user of its own, and no store depends on them."""

import json
import re
import subprocess
from typing import Any

import pytest

from exam_harness.chart.network_policies import OUTSIDE, allowed_connections
from exam_harness.chart.render import CHART, SECRET, RenderError, component_of, pods_of, render

STORES = {"broker": 6379, "cassandra": 9042, "postgres": 5432, "redis": 6379}
PORTS = {"broker": 9121, "cassandra": 9142, "postgres": 9187, "redis": 9121}
PASSWORDS = {"broker": "redis"}
"""Both Redis have the same user."""
ON: dict[str, Any] = {"exporters": {"enabled": True}}


def _pods(values) -> dict[str, dict[str, Any]]:
    return {component_of(pod): pod for pod in pods_of(render(values)).values()}


def _keys_by_component(values) -> dict[str, set[str]]:
    """The keys of the platform's Secret that pods read with `values` and did not before, by component."""
    pattern = re.compile(rf'"secretKeyRef": \{{"name": "{SECRET}", "key": "([^"]+)"\}}')
    each: list[dict[str, Any]] = [{}, values]
    before, after = (
        {component: set(pattern.findall(json.dumps(pod))) for component, pod in _pods(one).items()} for one in each
    )
    found = {component: keys - before.get(component, set()) for component, keys in after.items()}
    return {component: keys for component, keys in found.items() if keys}


def test_each_store_of_the_chart_has_an_exporter_on_request(plain) -> None:
    """If I enable exporters, each store that the chart deploys has one; by default, and an external one, has none."""
    assert not [each for each in plain if "exporter" in json.dumps(each["metadata"])]
    assert _pods(ON).keys() - _pods({}).keys() == {*(f"{store}-exporter" for store in STORES), "monitoring-roles"}
    external = _pods(ON | {"postgres": {"existingSecret": "ours"}, "cassandra": {"existingSecret": "ours"}})
    assert {component for component in external if "exporter" in component} == {"broker-exporter", "redis-exporter"}
    assert "monitoring-roles" not in external


def test_an_exporter_has_the_password_of_its_own_user_alone() -> None:
    """If an attacker takes over an exporter, they have a user that reads statistics, and no other secret."""
    assert _keys_by_component(ON) == {
        **{f"{store}-exporter": {f"{PASSWORDS.get(store, store)}-monitoring-password"} for store in STORES},
        "monitoring-roles": {
            f"{store}-{kind}" for store in ("postgres", "cassandra") for kind in ("password", "monitoring-password")
        },
        "broker": {"redis-monitoring-password"},
        "redis": {"redis-monitoring-password"},
    }
    users = {
        each["value"]
        for component, pod in _pods(ON).items()
        for each in pod["spec"]["containers"][0].get("env", [])
        if component.endswith("-exporter") and "USER" in each["name"]
    }
    assert users == {"exam_monitoring", "monitoring"}


def test_enabling_exporters_restarts_redis_alone() -> None:
    """If I enable exporters, PostgreSQL and Cassandra go on; both Redis restart, for a user in their configuration."""
    before, after = _pods({}), _pods(ON)
    changed = {component for component, pod in before.items() if pod != after[component]}
    assert changed == {"broker", "redis"}


def test_connections_of_exporters() -> None:
    """If I enable exporters, each may connect to its store, and the peers that read metrics to each."""
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    before, after = ({edge for edge in allowed_connections(render(values)) if edge[2] != 53} for values in ({}, ON))
    assert after - before == {
        *((f"{store}-exporter", store, port) for store, port in STORES.items()),
        *(("monitoring-roles", store, STORES[store]) for store in ("postgres", "cassandra")),
    }
    scraped = allowed_connections(render(ON | {"networkPolicies": {"metricsFrom": peers}}))
    assert {(f"{store}-exporter", port) for store, port in PORTS.items()} <= {
        (target, port) for source, target, port in scraped if source == OUTSIDE
    } | {
        (policy["metadata"]["name"].removeprefix("exam-"), rule["ports"][0]["port"])
        for policy in render(ON | {"networkPolicies": {"metricsFrom": peers}})
        if policy["kind"] == "NetworkPolicy"
        for rule in policy["spec"]["ingress"] or []
        if rule.get("from") == peers
    }


def test_pods_of_exporters_have_what_the_values_set() -> None:
    """If I set scheduling, labels, variables or digests of the exporters, their pods have them."""
    digest = f"sha256:{'0' * 64}"
    values: dict[str, Any] = {
        "enabled": True,
        "nodeSelector": {"pool": "monitoring"},
        "podLabels": {"team": "exams"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "runAsUser": None,
        "postgres": {"image": {"digest": digest}},
        "redis": {"image": {"digest": digest}},
    }
    pods = {name: pod for name, pod in _pods({"exporters": values}).items() if name.endswith("-exporter")}
    for pod in pods.values():
        assert pod["spec"]["nodeSelector"] == {"pool": "monitoring"}
        assert pod["metadata"]["labels"]["team"] == "exams"
        assert "runAsUser" not in pod["spec"]["securityContext"]
        assert values["extraEnv"][0] in pod["spec"]["containers"][0]["env"]
    images = {name: pod["spec"]["containers"][0]["image"] for name, pod in pods.items()}
    assert images.pop("cassandra-exporter") == _pods({})["web"]["spec"]["containers"][0]["image"]
    assert all(image.endswith(f"@{digest}") for image in images.values())


@pytest.mark.integration
def test_a_secret_without_their_passwords_is_refused(control_plane, release_namespace) -> None:
    """If my Secret is older than the exporters, helm names the missing key, before Redis is restarted without it."""
    arguments = ("--dry-run=server", f"--kubeconfig={control_plane.kubeconfig}")
    older = {"secrets": {"existingSecret": "older"}}
    kubectl = ("-n", release_namespace)
    command = ["/bin/sh", str(CHART / "create-secret.sh"), release_namespace, "older"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    control_plane.kubectl("create", "-f", "-", stdin=made.stdout)
    try:
        assert render(ON | older, arguments=arguments)
        patch = '[{"op": "remove", "path": "/data/redis-monitoring-password"}]'
        control_plane.kubectl(*kubectl, "patch", "secret", "older", "--type=json", "--patch", patch)
        with pytest.raises(RenderError, match=r"Secret exam/older lacks keys .*: redis-monitoring-password"):
            render(ON | older, arguments=arguments)
        assert render(older, arguments=arguments), "it is read by exporters alone"
    finally:
        control_plane.kubectl(*kubectl, "delete", "secret", "older")
