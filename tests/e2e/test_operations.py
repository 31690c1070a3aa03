"""What platform teams do with a release that has data in it."""

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
from exam_harness.students.network import PERHAPS_LATE
from exam_harness.waiting import eventually

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-operator"


def _ours(*words: str) -> tuple[str, ...]:
    return ("--namespace", NAMESPACE, *words)


def _upgrade(platform, tags, *more: str) -> str:
    words = chart_arguments(tags=tags, from_packages=platform.from_packages, port=platform.port)
    return platform.cluster.helm("upgrade", RELEASE, str(CHART), *words, *more)


def _next(platform) -> dict[str, str]:
    """The present images under the tags of a next release; their tags."""
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
    found = cluster.get(*_ours("jobs", "--selector", "app.kubernetes.io/component=migrations"))["items"]
    return {job["metadata"]["name"] for job in found}


def _secret(cluster) -> dict[str, str]:
    data: dict[str, str] = cluster.get(*_ours("secret", f"{RELEASE}-secrets"))["data"]
    return data


def _components(cluster, *, ready: bool = False) -> set[str]:
    """The parts of the platform that have pods which are to run; or those with a pod that is ready."""
    found = cluster.get(*_ours("pods", "--field-selector=status.phase!=Succeeded"))["items"]
    if ready:
        is_ready = {"type": "Ready", "status": "True"}
        found = [
            pod
            for pod in found
            if any(is_ready.items() <= condition.items() for condition in pod["status"].get("conditions", []))
        ]
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in found}


def _degrees(access) -> str:
    """Every degree there is, as PostgreSQL has it."""
    query = "SELECT student_id, revision_id, total, points FROM degrees_degree ORDER BY 1, 2"
    words = ("psql", "--no-psqlrc", "-U", "postgres", "-d", "exam", "-At", "-c", query)
    return access.cluster.kubectl(*_ours("exec", f"{RELEASE}-postgres-0", "--", *words))


def test_a_release_is_upgraded_in_a_sitting_and_nobody_notices(platform, access, sit) -> None:
    """If I upgrade while students answer, every answer is acknowledged at the first try; data and secrets stay."""
    cluster = platform.cluster
    before, secret = _jobs(cluster), _secret(cluster)
    tags = _next(platform)

    async def upgrade(sitting) -> None:
        await asyncio.to_thread(_upgrade, platform, tags)
        sitting.say("upgraded; pods are replaced one after the other")

    outcome = sit(while_open=upgrade, size=Size(seconds=90, trouble_at=0.1))
    assert not outcome.mismatches
    # No acknowledgement fails by this one: students complain, which is a mismatch, when they hear it in time.
    assert [failure for failure in outcome.failures if PERHAPS_LATE not in failure] == []
    assert len(_jobs(cluster) - before) == 1
    assert _secret(cluster) == secret
    images = {
        container["image"]
        for pod in cluster.get(*_ours("pods", "--selector", "app.kubernetes.io/component=solver"))["items"]
        for container in pod["spec"]["containers"]
    }
    assert images == {image_name("solver", tags["solver"])}


def test_a_shell_reaches_the_cluster(platform, tmp_path) -> None:
    """If I source build/cluster/env in a shell that knows nothing, kubectl and helm are there and find the release."""
    words = f"source {ENV} && kubectl get nodes --output=name && helm list --namespace={NAMESPACE} --short"
    # What kubectl remembers of a server it keeps at home, and beside itself where there is none.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/bash", "-c", words], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [f"node/{NODE}", RELEASE]


def test_the_release_tests_itself(platform, access) -> None:
    """If I run `helm test`, it goes in through the gateway and finds the keys of web and solver."""
    said = platform.cluster.helm("test", RELEASE, f"--namespace={NAMESPACE}", "--logs", "--timeout=120s")
    assert "localhost/.well-known/jwks.json: 1 key(s)" in said
    assert "solver.localhost/v1/keys: 1 key(s)" in said


def test_a_route_of_the_gateway_api_serves_both_hosts(platform, access) -> None:
    """If I choose an HTTPRoute in place of the Ingress, a gateway's controller serves web and solver through it."""
    words = ("ingress.enabled=false", "httpRoute.enabled=true", "httpRoute.parentRefs[0].name=local")
    told = [f"--set={word}" for word in (*words, "httpRoute.parentRefs[0].namespace=traefik")]

    def keys(path: str, host: str) -> bool:
        url = f"http://127.0.0.1:{platform.port}{path}"
        reply = httpx.get(url, headers={"Host": host}, trust_env=False, timeout=10)
        return reply.is_success and bool(reply.json()["keys"])

    def served() -> bool:
        return keys("/.well-known/jwks.json", "localhost") and keys("/v1/keys", "solver.localhost")

    _upgrade(platform, platform.tags, *told)
    try:
        assert platform.cluster.get(*_ours("ingresses"))["items"] == []
        eventually(served, "both hosts are served through the route", seconds=60)
        (parent,) = platform.cluster.get(*_ours("httproute", RELEASE))["status"]["parents"]
        holds = {each["type"]: each["status"] for each in parent["conditions"]}
        assert holds == {"Accepted": "True", "ResolvedRefs": "True"}
    finally:
        _upgrade(platform, platform.tags)
    eventually(served, "both hosts are served through the Ingress again", seconds=60)


@pytest.fixture
def crowd_of_graders(platform, access):
    """More pods of the graders' priority than the node has room for, each as large as a Cassandra."""
    cluster, name = platform.cluster, "filler"
    (victim,) = pod_names(cluster, "cassandra")
    cpu = cluster.get(*_ours("pod", victim))["spec"]["containers"][0]["resources"]["requests"]["cpu"]
    room = cluster.get("node", NODE)["status"]["allocatable"]["cpu"]
    replicas = int(parse_quantity(room) / parse_quantity(cpu)) + 1
    container = {
        "name": name,
        "image": image_name("grader", platform.tags["grader"]),
        "command": ["python", "-c", "import signal; signal.pause()"],
        "resources": {"requests": {"cpu": cpu}},
    }
    pod = {
        "priorityClassName": f"{NAMESPACE}-{RELEASE}-grading",
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
        """Whether each of them runs or was found to have no room, and some were."""
        found = [pod["status"] for pod in cluster.get("--namespace", name, "pods")["items"]]
        refused = [
            status
            for status in found
            if any(condition.get("reason") == "Unschedulable" for condition in status.get("conditions", []))
        ]
        running = [status for status in found if status["phase"] == "Running"]
        return bool(refused) and len(refused) + len(running) == replicas

    cluster.kubectl("create", "namespace", name)
    try:
        cluster.kubectl("--namespace", name, "create", "-f", "-", stdin=json.dumps(deployment))
        eventually(full, "the node is full", seconds=120)
        yield
    finally:
        cluster.kubectl("delete", "namespace", name, "--timeout=120s", seconds=150)


def test_graders_make_room_for_a_store(platform, crowd_of_graders) -> None:
    """If Cassandra dies where graders wait for any room on the node, it comes back all the same."""
    cluster = platform.cluster
    (victim,) = pod_names(cluster, "cassandra")
    before = cluster.get(*_ours("pod", victim))["metadata"]["uid"]
    cluster.kubectl(*_ours("delete", "pod", victim, "--grace-period=0", "--force"))
    await_recovery(cluster)
    assert cluster.get(*_ours("pod", victim))["metadata"]["uid"] != before


def test_the_autoscaler_sees_real_metrics(platform, access) -> None:
    """If solvers are busy, their autoscaler knows: it reads the processor time that the cluster measures."""

    def measured() -> list[int]:
        status = platform.cluster.get(*_ours("horizontalpodautoscaler", SOLVER)).get("status", {})
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
def test_the_operator_may_not_do_what_it_has_no_need_to(platform, words) -> None:
    """If somebody gets hold of the operator's account, they cannot read all secrets, start pods or take more rights."""
    with pytest.raises(HarnessError, match="code 1"):
        platform.cluster.kubectl(*_ours("auth", "can-i", f"--as={OPERATOR}", *words))


def test_the_operator_is_refused_by_the_api_server(platform) -> None:
    """If the operator's account asks for all secrets, the API server refuses."""
    with pytest.raises(HarnessError, match=r"Forbidden.*cannot list resource \"secrets\""):
        platform.cluster.kubectl(*_ours("get", "secrets", f"--as={OPERATOR}"))


@pytest.mark.parametrize("component", ["web", "solver", "grader", "gateway", "cassandra", "postgres", "redis"])
def test_nobody_else_has_an_account_at_the_api_server(platform, component) -> None:
    """If somebody gets into a pod other than the operator's, there is no token of the API server in it."""
    pod = pod_names(platform.cluster, component)[0]
    words = _ours("exec", pod, "--", "ls", "/var/run/secrets/kubernetes.io")
    with pytest.raises(HarnessError, match="No such file"):
        platform.cluster.kubectl(*words)


def test_a_pod_with_more_rights_is_refused(platform) -> None:
    """If I try to run a privileged pod beside the platform, the API server refuses it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged"},
        "spec": {"containers": [{"name": "main", "image": "none", "securityContext": {"privileged": True}}]},
    }
    with pytest.raises(HarnessError, match="violates PodSecurity"):
        platform.cluster.kubectl(*_ours("apply", "--dry-run=server", "-f", "-"), stdin=json.dumps(pod))


def test_an_upgrade_without_its_secret_is_refused(platform, access) -> None:
    """If the Secret is gone, an upgrade says so and what to do, and changes nothing."""
    cluster = platform.cluster
    kept = cluster.get(*_ours("secret", f"{RELEASE}-secrets"))
    cluster.kubectl(*_ours("delete", "secret", f"{RELEASE}-secrets"))
    try:
        with pytest.raises(HarnessError, match=r"(?s)Secret exam/exam-secrets is gone.*backup"):
            _upgrade(platform, platform.tags)
    finally:
        metadata = {name: kept["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
        whole = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": kept["data"]}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(whole))
    assert base64.b64decode(_secret(cluster)["secret-key"])


def test_an_uninstalled_release_leaves_its_data_and_comes_back(platform, access) -> None:
    """If I uninstall and install again, volumes, Exams and the Secret were kept, and every degree is there."""
    cluster = platform.cluster
    degrees = _degrees(access)
    assert degrees
    exams = [each["metadata"]["uid"] for each in cluster.get("exams", "--all-namespaces")["items"]]
    assert exams
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=180s")
    assert cluster.get(*_ours("deployments"))["items"] == []
    claims = {claim["metadata"]["name"] for claim in cluster.get(*_ours("persistentvolumeclaims"))["items"]}
    assert claims == {f"data-{RELEASE}-postgres-0", f"data-{RELEASE}-cassandra-rack1-0"}
    assert [each["metadata"]["uid"] for each in cluster.get("exams", "--all-namespaces")["items"]] == exams
    words = chart_arguments(tags=platform.tags, from_packages=platform.from_packages, port=platform.port)
    cluster.helm("install", RELEASE, str(CHART), *words)
    await_platform(cluster, lambda _: None)
    assert _degrees(access) == degrees


def test_the_machine_goes_down_in_an_upgrade(platform, access, shown) -> None:
    """If my machine goes down while helm upgrades, `make up` brings everything back, and every degree is there."""
    cluster = platform.cluster
    degrees, parts = _degrees(access), _components(cluster)
    assert degrees
    words = chart_arguments(tags=_next(platform), from_packages=platform.from_packages, port=platform.port)
    upgrade = [str(program("helm")), "upgrade", RELEASE, str(CHART), *words, "--wait"]
    helm = subprocess.Popen(upgrade, env=cluster.subprocess_env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        begun = ("secrets", f"--selector=owner=helm,name={RELEASE},status=pending-upgrade")
        eventually(lambda: cluster.get(*_ours(*begun))["items"], "helm has begun")
    finally:
        helm.kill()
        helm.wait()
    cluster.engine.docker("kill", NODE)
    with Steps("make up", shown) as steps:
        bring_up(steps, port=platform.port)
    # As soon as it says so, and by the pods themselves: what counts them may not have looked yet.
    assert _components(cluster, ready=True) == parts
    (release,) = json.loads(cluster.helm("list", f"--namespace={NAMESPACE}", "--output=json"))
    assert release["status"] == "deployed"
    assert _degrees(access) == degrees
