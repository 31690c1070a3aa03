"""Fixtures for the chart: manifests rendered once for each typical set of values; no cluster needed."""

from functools import cache
from typing import Any

import pytest

from exam_harness.chart.render import NAMESPACE, render
from exam_harness.environments.processes.paths import KIND_SOURCES

EXTERNAL = {each: {"existingSecret": f"our-{each}"} for each in ("postgres", "redis", "broker", "cassandra")}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "external stores": {**EXTERNAL, "secrets": {"existingSecret": "ours"}},
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
