"""Two releases in one cluster: each operator minds its own namespaces, and removing one leaves the other as it was."""

import json
from collections.abc import Iterator

import pytest

from exam_harness.environments.cluster.deploy import (
    CHART,
    NAMESPACE,
    RELEASE,
    RESTRICTED,
    WAIT,
    await_platform,
    await_rollouts,
    chart_arguments,
)
from exam_harness.environments.cluster.diagnostics import await_recovery
from exam_harness.waiting import eventually

SECOND = "physics"
"""The second release and its namespace."""
UNWATCHED = "chemistry"
SMALL = (
    *("crds.install=false", f"watchNamespaces={{{SECOND}}}", "ingress.enabled=false"),
    *("operator.readAllSecrets=false", "operator.replicas=1", "grader.beat.enabled=false"),
    # Both releases have to fit on one node with two cores.
    *(f"{name}.resources.requests.cpu=10m" for name in ("web", "solver", "gateway", "grader", "operator")),
    *(f"{name}.resources.requests.cpu=20m" for name in ("postgres", "redis", "cassandra")),
    *("cassandra.heap=384M", "cassandra.resources.requests.memory=700Mi"),
)
EXAM = {
    "apiVersion": "examplatform.dev/v1alpha1",
    "kind": "Exam",
    "metadata": {"name": "optics"},
    "spec": {
        "exam": "optics-101",
        "window": {"opensAt": "2090-01-15T09:00:00Z", "closesAt": "2090-01-15T11:00:00Z", "duration": "90m"},
    },
}


def _arguments(platform) -> list[str]:
    words = chart_arguments(
        tags=platform.tags, from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    return [word for word in words if not word.startswith("--namespace=")]


@pytest.fixture
def second(platform, access) -> Iterator[None]:
    """A second release in a namespace of its own; the first one watches its own namespace alone."""
    cluster = platform.cluster
    first = ("upgrade", RELEASE, str(CHART), f"--namespace={NAMESPACE}", *_arguments(platform))
    cluster.helm(*first, f"--set=watchNamespaces={{{NAMESPACE}}}")
    await_platform(cluster, lambda _: None)
    try:
        for name in (SECOND, UNWATCHED):
            cluster.kubectl("create", "namespace", name)
        cluster.kubectl("label", "namespace", SECOND, RESTRICTED)
        small = (f"--set={value}" for value in SMALL)
        cluster.helm("install", SECOND, str(CHART), f"--namespace={SECOND}", *_arguments(platform), *small)
        cluster.kubectl("-n", SECOND, "wait", "--for=condition=complete", "jobs", "--all", WAIT, seconds=300)
        await_rollouts(cluster, seconds=240, namespace=SECOND)
        yield
    finally:
        # While an operator is there to remove its finalizers.
        cluster.kubectl("--namespace", SECOND, "delete", "exams", "--all", "--timeout=60s", seconds=90)
        for name in (SECOND, UNWATCHED):
            cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=180s", seconds=200)
        cluster.helm(*first)
        await_platform(cluster, lambda _: None)


def _objects(cluster, namespace, kinds) -> set[tuple[str, str]]:
    """Name and uid of the first release's objects."""
    words = ("--namespace", namespace, kinds, f"--selector=app.kubernetes.io/instance={RELEASE}")
    return {(each["metadata"]["name"], each["metadata"]["uid"]) for each in cluster.get(*words)["items"]}


def _conditions(cluster, namespace) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (
        cluster.get("--namespace", namespace, "exam", "optics").get("status", {}).get("conditions", [])
    )
    return found


def _may(cluster, account, namespace) -> bool:
    """Return whether an operator may write the status of Exams of a namespace."""
    attributes = {
        "namespace": namespace,
        "verb": "update",
        "group": "examplatform.dev",
        "resource": "exams",
        "subresource": "status",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account, "resourceAttributes": attributes},
    }
    answer = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(review)))
    return bool(answer["status"]["allowed"])


def test_two_releases_share_a_cluster(platform, second) -> None:
    """If I install a second release, its operator minds its namespace alone; without it, the first is as it was."""
    cluster = platform.cluster
    kinds = "deployments,statefulsets,services,secrets,configmaps,persistentvolumeclaims"
    wide = "priorityclasses,clusterroles,validatingadmissionpolicies"
    before = _objects(cluster, NAMESPACE, kinds) | _objects(cluster, NAMESPACE, wide)
    assert {name for name, _ in before} >= {f"{RELEASE}-web", f"{NAMESPACE}.{RELEASE}-stores"}
    definition = cluster.get("customresourcedefinition", "exams.examplatform.dev")["metadata"]["uid"]

    for namespace in (SECOND, UNWATCHED):
        cluster.kubectl("--namespace", namespace, "create", "-f", "-", stdin=json.dumps(EXAM))
    eventually(lambda: _conditions(cluster, SECOND), "the second operator reports about its Exam", seconds=60)
    assert _conditions(cluster, UNWATCHED) == [], "no operator minds this namespace"
    accounts = {
        NAMESPACE: f"system:serviceaccount:{NAMESPACE}:{RELEASE}-operator",
        SECOND: f"system:serviceaccount:{SECOND}:{SECOND}-operator",
    }
    for own, account in accounts.items():
        assert {each for each in (NAMESPACE, SECOND, UNWATCHED) if _may(cluster, account, each)} == {own}

    for namespace in (SECOND, UNWATCHED):
        cluster.kubectl("--namespace", namespace, "delete", "exam", "optics", "--timeout=60s", seconds=90)
    cluster.helm("uninstall", SECOND, f"--namespace={SECOND}", "--wait", "--timeout=180s")
    assert cluster.get("--namespace", SECOND, "deployments,statefulsets")["items"] == []
    await_recovery(cluster)
    assert _objects(cluster, NAMESPACE, kinds) | _objects(cluster, NAMESPACE, wide) == before
    assert cluster.get("customresourcedefinition", "exams.examplatform.dev")["metadata"]["uid"] == definition
    output = cluster.helm("test", RELEASE, f"--namespace={NAMESPACE}", "--logs", "--timeout=120s")
    assert f"{platform.hosts.web}/.well-known/jwks.json: 1 key(s)" in output
