"""Fixtures for the chart: manifests rendered once for each typical set of values; no cluster needed."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml

from exam_harness.chart.render import NAMESPACE, render
from exam_harness.environments.processes.paths import KIND_SOURCES

EXTERNAL = {each: {"existingSecret": f"our-{each}"} for each in ("postgres", "redis", "broker", "cassandra")}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "external stores": {**EXTERNAL, "secrets": {"existingSecret": "ours"}},
    "exporters": {"exporters": {"enabled": True}, "monitoring": {"serviceMonitors": {"enabled": True}}},
    "three racks": {"cassandra": {"racks": ["a", "b", "c"], "nodesPerRack": 2}},
    "development": {"reload": True, "networkPolicies": {"enabled": False}, "grader": {"beat": {"enabled": False}}},
    "a private registry": {
        "global": {"imageRegistry": "images.example.org:5000/exams", "imagePullSecrets": [{"name": "pull"}]},
        "ingress": {"className": "nginx", "annotations": {"a/b": "c"}, "tls": [{"hosts": ["h"], "secretName": "s"}]},
        "hosts": {"web": "exams.example.org", "solver": "solver.example.org"},
        "gateway": {"trustedProxies": ["10.0.0.0/8"]},
        "networkPolicies": {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]},
    },
}
KIND = [KIND_SOURCES / "values.yaml", KIND_SOURCES / "values-packages.yaml"]


@cache
def _rendered(name) -> list[dict]:
    return render(files=KIND) if name == "local cluster" else render(VALUES[name])


@pytest.fixture(params=[*VALUES, "local cluster"])
def manifests(request):
    """All manifests, for each set of values."""
    return _rendered(request.param)


@pytest.fixture
def plain():
    """All manifests with the default values."""
    return _rendered("defaults")


@pytest.fixture
def external():
    """All manifests with external PostgreSQL, Redis and Cassandra."""
    return _rendered("external stores")


@pytest.fixture(scope="session")
def release_namespace(control_plane) -> str:
    """The namespace of the release, on an API server."""
    control_plane.create_namespace(NAMESPACE)
    return NAMESPACE


@pytest.fixture
def cassandra_upgrade(control_plane, kube_namespace: str) -> Callable[..., list[dict[str, Any]]]:
    """Render an upgrade, or another command, with values of Cassandra on the API server."""

    def upgraded(*, command: str = "--is-upgrade", **cassandra: object) -> list[dict[str, Any]]:
        arguments = (command, "--dry-run=server", f"--kubeconfig={control_plane.kubeconfig}")
        return render({"cassandra": cassandra}, arguments=arguments, namespace=kube_namespace)

    return upgraded


@pytest.fixture
def cassandra_apply(control_plane, kube_node, kube_namespace: str) -> Callable[..., None]:
    """Apply Cassandra's objects of a release; its pods run `sleep` instead of Cassandra, with its heap's size."""

    def applied(manifests: list[dict[str, Any]], strategy: str = "OnDelete", *, wait: bool = True) -> None:
        kinds = {"StatefulSet", "ConfigMap", "PodDisruptionBudget"}
        ours = [each for each in manifests if each["kind"] in kinds and "-cassandra" in each["metadata"]["name"]]
        racks = [each for each in ours if each["kind"] == "StatefulSet"]
        for each in racks:
            spec = each["spec"]
            assert spec["updateStrategy"] == {"type": "OnDelete"}
            (container,) = spec["template"]["spec"]["containers"]
            heap = [variable for variable in container["env"] if variable["name"] == "MAX_HEAP_SIZE"]
            sleeping = {"name": "cassandra", "image": "none", "command": ["sleep", "600"], "env": heap}
            spec["template"]["spec"] = {"containers": [sleeping]}
            spec["updateStrategy"] = {"type": strategy}
            spec["minReadySeconds"] = 1
        arguments = ("-n", kube_namespace, "apply", "--server-side", "--force-conflicts", "-f", "-")
        control_plane.kubectl(*arguments, stdin=yaml.safe_dump_all(ours))
        for each in racks if wait else ():
            available = f"--for=jsonpath={{.status.availableReplicas}}={each['spec']['replicas']}"
            name = f"statefulset/{each['metadata']['name']}"
            control_plane.kubectl("-n", kube_namespace, "wait", name, available, "--timeout=60s")

    return applied
