"""Operations on a release with data: upgrade, reinstall, failure of the machine, permissions."""

import asyncio
import base64
import json
import subprocess

import httpx
import pytest
from kubernetes.utils import parse_quantity

from exam_harness.environments.builds.binaries import program
from exam_harness.environments.cluster.deploy import CHART, NAMESPACE, RELEASE, await_platform, chart_arguments
from exam_harness.environments.cluster.diagnostics import await_recovery, pod_names
from exam_harness.environments.cluster.kind import ENV, NODE
from exam_harness.environments.cluster.replica_counts import SOLVER
from exam_harness.environments.cluster.up import bring_up
from exam_harness.environments.docker.images import image_name
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.scenarios.cluster.scenario import Size
from exam_harness.students.network import DECIDED_BY_SEAL, POSSIBLY_LATE
from exam_harness.waiting import eventually

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-operator"


def _in_namespace(*arguments: str) -> tuple[str, ...]:
    return ("--namespace", NAMESPACE, *arguments)


def _upgrade(platform, tags, *extra: str) -> str:
    arguments = chart_arguments(
        tags=tags, from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    return platform.cluster.helm("upgrade", RELEASE, str(CHART), *arguments, *extra)


def _tag_next_release(platform) -> dict[str, str]:
    """Tag the current images as those of a next release; return the tags."""
    tags = {service: f"{tag}-next" for service, tag in platform.tags.items()}
    for service, tag in platform.tags.items():
        words = (
            "ctr",
            "--namespace=k8s.io",
            "images",
            "tag",
            "--force",
            image_name(service, tag),
            image_name(service, tags[service]),
        )
        platform.cluster.engine.docker("exec", NODE, *words)
    return tags


def _jobs(cluster) -> set[str]:
    found = cluster.get(*_in_namespace("jobs", "--selector", "app.kubernetes.io/component=migrations"))["items"]
    return {job["metadata"]["name"] for job in found}


def _secret(cluster) -> dict[str, str]:
    data: dict[str, str] = cluster.get(*_in_namespace("secret", f"{RELEASE}-secrets"))["data"]
    return data


def _components(cluster, *, ready: bool = False) -> set[str]:
    """Return the components with pods that have not completed, or those with a ready pod."""
    found = cluster.get(*_in_namespace("pods", "--field-selector=status.phase!=Succeeded"))["items"]
    if ready:
        is_ready = {"type": "Ready", "status": "True"}
        found = [
            pod
            for pod in found
            if any(is_ready.items() <= condition.items() for condition in pod["status"].get("conditions", []))
        ]
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in found}


def _degrees(access) -> str:
    """Return every degree in PostgreSQL."""
    query = "SELECT student_id, revision_id, total, points FROM degrees_degree ORDER BY 1, 2"
    words = ("psql", "--no-psqlrc", "-U", "postgres", "-d", "exam", "-At", "-c", query)
    return access.cluster.kubectl(*_in_namespace("exec", f"{RELEASE}-postgres-0", "--", *words))


def test_an_upgrade_during_a_sitting_is_not_noticed(platform, access, sit) -> None:
    """If I upgrade while students answer, every answer is acknowledged at once, and data and secrets are kept."""
    cluster = platform.cluster
    before, secret = _jobs(cluster), _secret(cluster)
    tags = _tag_next_release(platform)

    async def upgrade(scenario) -> None:
        await asyncio.to_thread(_upgrade, platform, tags)
        scenario.echo("upgraded; pods are being replaced one by one")

    result = sit(while_open=upgrade, size=Size(seconds=90, fault_at=0.1))
    assert not result.sitting.mismatches
    # Students report the first of these as a mismatch themselves if they get it before the deadline; the second is for
    # answers after the deadline only.
    after_deadline = (POSSIBLY_LATE, DECIDED_BY_SEAL)
    failures = result.sitting.failures
    assert [failure for failure in failures if not any(text in failure for text in after_deadline)] == []
    assert len(_jobs(cluster) - before) == 1
    assert _secret(cluster) == secret
    images = {
        container["image"]
        for pod in cluster.get(*_in_namespace("pods", "--selector", "app.kubernetes.io/component=solver"))["items"]
        for container in pod["spec"]["containers"]
    }
    assert images == {image_name("solver", tags["solver"])}


def test_a_shell_can_use_the_cluster(platform, tmp_path) -> None:
    """If I source build/cluster/env in a clean shell, kubectl and helm are on the PATH and use the cluster."""
    words = f"source {ENV} && kubectl get nodes --output=name && helm list --namespace={NAMESPACE} --short"
    # kubectl keeps its discovery cache in HOME.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/bash", "-c", words], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [f"node/{NODE}", RELEASE]


def test_helm_test_passes(platform, access) -> None:
    """If I run `helm test`, it fetches the keys of web and solver through the gateway."""
    output = platform.cluster.helm("test", RELEASE, f"--namespace={NAMESPACE}", "--logs", "--timeout=120s")
    assert f"{platform.hosts.web}/.well-known/jwks.json: 1 key(s)" in output
    assert f"{platform.hosts.solver}/v1/keys: 1 key(s)" in output


def test_an_httproute_serves_both_hosts(platform, access) -> None:
    """If I choose an HTTPRoute instead of the Ingress, web and solver are served through it."""
    values = ("ingress.enabled=false", "httpRoute.enabled=true", "httpRoute.parentRefs[0].name=local")
    settings = [f"--set={value}" for value in (*values, "httpRoute.parentRefs[0].namespace=traefik")]

    def keys(path: str, host: str) -> bool:
        url = f"http://127.0.0.1:{platform.port}{path}"
        reply = httpx.get(url, headers={"Host": host}, trust_env=False, timeout=10)
        return reply.is_success and bool(reply.json()["keys"])

    def served() -> bool:
        hosts = platform.hosts
        return keys("/.well-known/jwks.json", hosts.web) and keys("/v1/keys", hosts.solver)

    _upgrade(platform, platform.tags, *settings)
    try:
        assert platform.cluster.get(*_in_namespace("ingresses"))["items"] == []
        eventually(served, "both hosts are served through the route", seconds=60)
        (parent,) = platform.cluster.get(*_in_namespace("httproute", RELEASE))["status"]["parents"]
        conditions = {each["type"]: each["status"] for each in parent["conditions"]}
        assert conditions == {"Accepted": "True", "ResolvedRefs": "True"}
    finally:
        _upgrade(platform, platform.tags)
    eventually(served, "both hosts are served through the Ingress again", seconds=60)


@pytest.fixture
def node_full_of_graders(platform, access):
    """More pods of the graders' priority class than fit on the node, each as large as Cassandra."""
    cluster, name = platform.cluster, "filler"
    (victim,) = pod_names(cluster, "cassandra")
    cpu = cluster.get(*_in_namespace("pod", victim))["spec"]["containers"][0]["resources"]["requests"]["cpu"]
    allocatable = cluster.get("node", NODE)["status"]["allocatable"]["cpu"]
    replicas = int(parse_quantity(allocatable) / parse_quantity(cpu)) + 1
    container = {
        "name": name,
        "image": image_name("grader", platform.tags["grader"]),
        "command": ["python", "-c", "import signal; signal.pause()"],
        "resources": {"requests": {"cpu": cpu}},
    }
    pod = {
        "priorityClassName": f"{NAMESPACE}.{RELEASE}-grading",
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }

    def full() -> bool:
        """Return whether each pod is running or unschedulable, and some are unschedulable."""
        found = [pod["status"] for pod in cluster.get("--namespace", name, "pods")["items"]]
        unschedulable = [
            status
            for status in found
            if any(condition.get("reason") == "Unschedulable" for condition in status.get("conditions", []))
        ]
        running = [status for status in found if status["phase"] == "Running"]
        return bool(unschedulable) and len(unschedulable) + len(running) == replicas

    cluster.kubectl("create", "namespace", name)
    try:
        cluster.kubectl("--namespace", name, "create", "-f", "-", stdin=json.dumps(deployment))
        eventually(full, "the node is full", seconds=120)
        yield
    finally:
        cluster.kubectl("delete", "namespace", name, "--timeout=120s", seconds=150)


def test_a_store_preempts_graders(platform, node_full_of_graders) -> None:
    """If Cassandra's pod is deleted on a node full of graders, it preempts one and is scheduled."""
    cluster = platform.cluster
    (victim,) = pod_names(cluster, "cassandra")
    before = cluster.get(*_in_namespace("pod", victim))["metadata"]["uid"]
    cluster.kubectl(*_in_namespace("delete", "pod", victim, "--grace-period=0", "--force"))
    await_recovery(cluster)
    assert cluster.get(*_in_namespace("pod", victim))["metadata"]["uid"] != before


def test_the_autoscaler_has_metrics(platform, access) -> None:
    """If solvers are busy, their autoscaler has their measured CPU utilisation."""

    def measured() -> list[int]:
        status = platform.cluster.get(*_in_namespace("horizontalpodautoscaler", SOLVER)).get("status", {})
        found = [each.get("resource", {}).get("current", {}) for each in status.get("currentMetrics") or []]
        return [current["averageUtilization"] for current in found if "averageUtilization" in current]

    assert eventually(measured, "the autoscaler has metrics", seconds=120)[0] >= 0


@pytest.mark.parametrize(
    "words",
    [
        ("list", "secrets"),
        ("delete", "exams.examplatform.dev"),
        ("create", "pods"),
        ("patch", "deployments.apps"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("get", "pods", "--subresource=exec"),
    ],
)
def test_the_operator_has_no_unneeded_permissions(platform, words) -> None:
    """If an attacker has the operator's token, they cannot list Secrets, create pods or gain permissions."""
    with pytest.raises(HarnessError, match="code 1"):
        platform.cluster.kubectl(*_in_namespace("auth", "can-i", f"--as={OPERATOR}", *words))


def test_the_operator_cannot_list_secrets(platform) -> None:
    """If the operator's service account lists Secrets, the API server responds Forbidden."""
    with pytest.raises(HarnessError, match=r"Forbidden.*cannot list resource \"secrets\""):
        platform.cluster.kubectl(*_in_namespace("get", "secrets", f"--as={OPERATOR}"))


@pytest.mark.parametrize(
    "component", ["web", "solver", "grader", "gateway", "cassandra", "postgres", "redis", "broker"]
)
def test_other_pods_have_no_service_account_token(platform, component) -> None:
    """If an attacker gets into another pod than the operator's, it has no service account token."""
    pod = pod_names(platform.cluster, component)[0]
    words = _in_namespace("exec", pod, "--", "ls", "/var/run/secrets/kubernetes.io")
    with pytest.raises(HarnessError, match="No such file"):
        platform.cluster.kubectl(*words)


def test_a_privileged_pod_is_rejected(platform) -> None:
    """If I create a privileged pod in the platform's namespace, Pod Security rejects it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged"},
        "spec": {"containers": [{"name": "main", "image": "none", "securityContext": {"privileged": True}}]},
    }
    with pytest.raises(HarnessError, match="violates PodSecurity"):
        platform.cluster.kubectl(*_in_namespace("apply", "--dry-run=server", "-f", "-"), stdin=json.dumps(pod))


def test_an_upgrade_without_its_secret_is_rejected(platform, access) -> None:
    """If the Secret is missing, an upgrade fails with what to do, and changes nothing."""
    cluster = platform.cluster
    kept = cluster.get(*_in_namespace("secret", f"{RELEASE}-secrets"))
    cluster.kubectl(*_in_namespace("delete", "secret", f"{RELEASE}-secrets"))
    try:
        with pytest.raises(HarnessError, match=r"(?s)Secret exam/exam-secrets not found.*backup"):
            _upgrade(platform, platform.tags)
    finally:
        metadata = {name: kept["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
        whole = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": kept["data"]}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(whole))
    assert base64.b64decode(_secret(cluster)["secret-key"])


def test_a_reinstalled_release_keeps_its_data(platform, access) -> None:
    """If I uninstall and install again, volumes, Exams, the Secret and every degree are kept."""
    cluster = platform.cluster
    degrees = _degrees(access)
    assert degrees
    exams = [each["metadata"]["uid"] for each in cluster.get("exams", "--all-namespaces")["items"]]
    assert exams
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=180s")
    assert cluster.get(*_in_namespace("deployments"))["items"] == []
    owned = _in_namespace("horizontalpodautoscalers,poddisruptionbudgets")
    eventually(lambda: cluster.get(*owned)["items"] == [], "no autoscaler and no budget is left", seconds=60)
    claims = {claim["metadata"]["name"] for claim in cluster.get(*_in_namespace("persistentvolumeclaims"))["items"]}
    assert claims == {f"data-{RELEASE}-{pod}" for pod in ("postgres-0", "broker-0", "cassandra-rack1-0")}
    assert [each["metadata"]["uid"] for each in cluster.get("exams", "--all-namespaces")["items"]] == exams
    words = chart_arguments(
        tags=platform.tags, from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    cluster.helm("install", RELEASE, str(CHART), *words)
    await_platform(cluster, lambda _: None)
    assert _degrees(access) == degrees


def test_the_machine_fails_during_an_upgrade(platform, access, console) -> None:
    """If my machine fails while helm upgrades, `make up` recovers everything, and every degree is kept."""
    cluster = platform.cluster
    degrees, parts = _degrees(access), _components(cluster)
    assert degrees
    words = chart_arguments(
        tags=_tag_next_release(platform), from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    upgrade = [str(program("helm")), "upgrade", RELEASE, str(CHART), *words, "--wait"]
    helm = subprocess.Popen(upgrade, env=cluster.subprocess_env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        pending = ("secrets", f"--selector=owner=helm,name={RELEASE},status=pending-upgrade")
        eventually(lambda: cluster.get(*_in_namespace(*pending))["items"], "helm has started")
    finally:
        helm.kill()
        helm.wait()
    cluster.engine.docker("kill", NODE)
    with Steps("make up", console) as steps:
        bring_up(steps, port=platform.port, hosts=platform.hosts)
    # Check at once, and the pods themselves: the controllers' counts may still be stale.
    assert _components(cluster, ready=True) == parts
    (release,) = json.loads(cluster.helm("list", f"--namespace={NAMESPACE}", "--output=json"))
    assert release["status"] == "deployed"
    assert _degrees(access) == degrees
