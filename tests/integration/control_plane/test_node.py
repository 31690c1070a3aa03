"""The node runs pods' commands as processes and reports their status; controllers do the rest."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import Node
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration

SLEEP = ["sleep", "600"]


class Cluster:
    """Helpers around kubectl in a namespace of the test's own."""

    def __init__(self, control_plane: ControlPlane, node: Node, namespace: str) -> None:
        self.control_plane, self.node, self.namespace = control_plane, node, namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.control_plane.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def apply(self, kind: str, name: str, **body: Any) -> None:
        """Apply one object."""
        group = {"Job": "batch/v1", "Deployment": "apps/v1"}.get(kind, "v1")
        manifest = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **body}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def job(self, name: str, command: list[str], *, backoff_limit: int = 6, **pod: Any) -> None:
        """Apply a Job with one container."""
        self.apply("Job", name, spec={"backoffLimit": backoff_limit, "template": {"spec": pod_spec(command, **pod)}})

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object, or an empty one if it does not exist."""
        output = self.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(output) if output else {}

    def pods_of(self, job: str) -> list[dict[str, Any]]:
        """Return a Job's pods, oldest first."""
        by_age = "--sort-by=.metadata.creationTimestamp"
        return json.loads(self.kubectl("get", "pods", "-l", f"job-name={job}", by_age, "-o", "json"))["items"]

    def await_condition(self, job: str, condition: str) -> dict[str, Any]:
        """Wait until a Job has a condition; return the Job."""

        def has_it() -> dict[str, Any] | None:
            found = self.get("job", job)
            held = [each["type"] for each in found["status"].get("conditions", []) if each["status"] == "True"]
            return found if condition in held else None

        return eventually(has_it, f"Job {job} is {condition}", seconds=60)

    def await_phase(self, pod: str, phase: str) -> dict[str, Any]:
        """Wait until a pod has a phase; return the pod."""

        def has_it() -> dict[str, Any] | None:
            found = self.get("pod", pod)
            return found if found.get("status", {}).get("phase") == phase else None

        return eventually(has_it, f"pod {pod} is {phase}")


def pod_spec(command: list[str], *, env: list[dict[str, Any]] | None = None, **extra: Any) -> dict[str, Any]:
    """Return the spec of a pod with one container."""
    container = {"name": "main", "image": "none", "command": command, "env": env or []}
    return {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 5, **extra}


@pytest.fixture
def cluster(control_plane: ControlPlane, kube_node: Node, kube_namespace: str) -> Cluster:
    """A cluster with one node."""
    return Cluster(control_plane, kube_node, kube_namespace)


def test_a_job_runs_its_command_with_its_environment(cluster: Cluster) -> None:
    """If I create a Job, its command runs with values from Secrets, ConfigMaps and fields, and completes it."""
    cluster.apply("Secret", "keys", stringData={"token": "s3cret"})
    cluster.apply("ConfigMap", "settings", data={"level": "year-1"})
    env: list[dict[str, Any]] = [
        {"name": "PLAIN", "value": "plain"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
        {"name": "ABSENT", "valueFrom": {"secretKeyRef": {"name": "none", "key": "none", "optional": True}}},
        {"name": "SPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "COMBINED", "value": "$(PLAIN)-$(LEVEL)"},
    ]
    names = [each["name"] for each in env]
    program = f"import os; print([os.environ.get(name) for name in {names}])"
    cluster.job("prints", ["python", "-c", program], env=env)
    job = cluster.await_condition("prints", "Complete")
    assert job["status"]["succeeded"] == 1
    (pod,) = cluster.pods_of("prints")
    assert pod["spec"]["nodeName"] == cluster.node.name
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    printed = ["plain", "s3cret", "year-1", None, cluster.namespace, "plain-year-1"]
    assert cluster.node.log(cluster.namespace, pod["metadata"]["name"]).strip() == str(printed)


def test_a_failing_job_is_retried_up_to_its_backoff_limit(cluster: Cluster) -> None:
    """If a command exits with 3, the Job retries up to its backoffLimit and fails; pods report the exit code."""
    cluster.job("fails", ["sh", "-c", "exit 3"], backoff_limit=1)
    failed = cluster.await_condition("fails", "Failed")
    assert failed["status"]["failed"] == 2
    codes = [
        pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for pod in cluster.pods_of("fails")
    ]
    assert codes == [3, 3]


def test_a_deleted_pod_of_a_job_is_replaced(cluster: Cluster) -> None:
    """If I delete a running pod of a Job, it is removed, and another pod runs in its place."""
    cluster.job("replaced", SLEEP)

    def running() -> list[str]:
        return [
            each["metadata"]["name"] for each in cluster.pods_of("replaced") if each["status"]["phase"] == "Running"
        ]

    (first,) = eventually(running, "the first pod runs")
    cluster.kubectl("delete", "pod", first, "--wait=true")
    (second,) = eventually(running, "the second pod runs")
    assert second != first
    assert cluster.get("pod", first) == {}


def test_a_deleted_pod_has_its_grace_period(cluster: Cluster) -> None:
    """If I delete a pod, it gets SIGTERM and a grace period; one that ignores SIGTERM is killed after it."""
    graceful = "trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    stubborn = "trap '' TERM; echo ready; while :; do sleep 0.1; done"

    def is_ready(name: str) -> bool:
        return "ready" in cluster.node.log(cluster.namespace, name)

    for name, script in (("graceful", graceful), ("stubborn", stubborn)):
        cluster.apply("Pod", name, spec=pod_spec(["sh", "-c", script]))
        eventually(partial(is_ready, name), f"{name} is ready")
    cluster.kubectl("delete", "pod", "graceful", "--grace-period=30", "--wait=true")
    assert "goodbye" in cluster.node.log(cluster.namespace, "graceful")
    cluster.kubectl("delete", "pod", "stubborn", "--grace-period=1", "--wait=true")
    assert cluster.get("pod", "stubborn") == {}


def test_a_pod_with_a_missing_secret_waits_with_the_reason(cluster: Cluster) -> None:
    """If a pod's Secret is missing, its status names it; once the Secret exists, the pod runs."""
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "late", "key": "token"}}}]
    cluster.apply("Pod", "waits", spec=pod_spec(SLEEP, env=env))

    def waiting_message() -> str | None:
        statuses = cluster.get("pod", "waits")["status"].get("containerStatuses", [{"state": {}}])
        return statuses[0]["state"].get("waiting", {}).get("message")

    assert eventually(waiting_message, "the pod is waiting") == 'Secret "late" not found'
    cluster.apply("Secret", "late", stringData={"token": "t"})
    ready = cluster.await_phase("waits", "Running")["status"]["conditions"]
    assert {each["type"]: each["status"] for each in ready}["Ready"] == "True"


def test_an_unsupported_pod_stays_pending_with_the_reason(cluster: Cluster) -> None:
    """If a pod needs an unsupported feature, for example a mount, it stays Pending with the reason."""
    spec = pod_spec(SLEEP, volumes=[{"name": "keys", "secret": {"secretName": "keys"}}])
    spec["containers"][0]["volumeMounts"] = [{"name": "keys", "mountPath": "/keys"}]
    cluster.apply("Pod", "mounts", spec=spec)

    def waiting() -> dict[str, str] | None:
        statuses = cluster.get("pod", "mounts")["status"].get("containerStatuses", [{"state": {}}])
        return statuses[0]["state"].get("waiting")

    reason = eventually(waiting, "the pod reports why it does not run")
    assert reason == {"reason": "NotSupported", "message": "volume mounts are not supported: keys"}


def test_a_failed_container_is_restarted_on_failure(cluster: Cluster) -> None:
    """If restartPolicy is OnFailure, a failing container is restarted in the same pod until it succeeds."""
    script = "test -e tried && exit 0; touch tried; exit 1"
    cluster.apply("Pod", "again", spec=pod_spec(["sh", "-c", script], restartPolicy="OnFailure"))
    (status,) = cluster.await_phase("again", "Succeeded")["status"]["containerStatuses"]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1


def test_pods_survive_a_crash_of_the_api_server(cluster: Cluster, control_plane: ControlPlane) -> None:
    """If the API server crashes, pods keep running; a pod that ends meanwhile is reported afterwards."""
    script = "while test ! -e /proc/self/cwd/go; do sleep 0.05; done; exit 7"
    cluster.apply("Pod", "survives", spec=pod_spec(["sh", "-c", f"pwd; {script}"]))
    cluster.await_phase("survives", "Running")
    folder = eventually(lambda: cluster.node.log(cluster.namespace, "survives").strip(), "the pod prints its folder")
    control_plane.apiserver.kill()
    try:
        (Path(folder) / "go").touch()
    finally:
        control_plane.start()
        control_plane.await_ready()
    (status,) = cluster.await_phase("survives", "Failed")["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 7


def test_a_stopped_node_leaves_no_process_behind(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If the node is stopped, the processes of its pods are killed."""
    node = Node(control_plane, name="node-2")
    node.start()
    try:
        cluster = Cluster(control_plane, node, kube_namespace)
        script = "echo $$$$; exec sleep 600"  # `$$` is an escaped dollar sign in Kubernetes
        cluster.apply("Pod", "left", spec=pod_spec(["sh", "-c", script], nodeName="node-2"))
        pid = eventually(lambda: node.log(kube_namespace, "left").strip(), "the pod prints its process id")
        assert Path(f"/proc/{pid}").exists()
    finally:
        node.stop()
    assert not Path(f"/proc/{pid}").exists()
    cluster.kubectl("delete", "pod", "left", "--force")
