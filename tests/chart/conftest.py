"""The chart in each of the ways in which it is installed, rendered once."""

from functools import cache

import pytest

from exam_harness.chart.render import render
from exam_harness.environments.processes.paths import KIND_SOURCES

EXTERNAL = {each: {"existingSecret": f"our-{each}"} for each in ("postgres", "redis", "cassandra")}
WAYS = {
    "as it is": {},
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
def _rendered(way) -> list[dict]:
    return render(files=KIND) if way == "local cluster" else render(WAYS[way])


@pytest.fixture(params=[*WAYS, "local cluster"])
def manifests(request):
    """Every manifest, in each way."""
    return _rendered(request.param)


@pytest.fixture
def plain():
    """Every manifest of an installation that says nothing."""
    return _rendered("as it is")


@pytest.fixture
def external():
    """Every manifest where all stores are somebody else's."""
    return _rendered("external stores")
