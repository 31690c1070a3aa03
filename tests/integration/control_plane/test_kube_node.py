"""The node's stand-in runs a pod's own command and tells the truth about it; the rest is Kubernetes' own doing."""

import json
from pathlib import Path
from typing import Any

import pytest

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.control_plane.pods.node import Node
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration

SLEEP = ["sleep", "600"]


class Cluster:
    """What these tests do with kubectl, in a namespace of their own."""

    def __init__(self, control_plane: ControlPlane, node: Node, namespace: str) -> None:
        self.control_plane, self.node, self.namespace = control_plane, node, namespace

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.control_plane.kubectl("-n", self.namespace, *words, stdin=stdin)

    def apply(self, kind: str, name: str, **body: Any) -> None:
        """Apply one object."""
        group = {"Job": "batch/v1", "Deployment": "apps/v1"}.get(kind, "v1")
        made = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **body}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(made))

    def job(self, name: str, command: list[str], *, backoff_limit: int = 6, **pod: Any) -> None:
        """Apply a Job with one container."""
        self.apply("Job", name, spec={"backoffLimit": backoff_limit, "template": {"spec": pod_spec(command, **pod)}})

    def get(self, what: str, name: str) -> dict[str, Any]:
        """An object, empty when it is not there."""
        said = self.kubectl("get", what, name, "--ignore-not-found", "-o", "json")
        return json.loads(said) if said else {}

    def pods_of(self, job: str) -> list[dict[str, Any]]:
        """A Job's pods, oldest first."""
        by_age = "--sort-by=.metadata.creationTimestamp"
        return json.loads(self.kubectl("get", "pods", "-l", f"job-name={job}", by_age, "-o", "json"))["items"]

    def await_condition(self, job: str, condition: str) -> dict[str, Any]:
        """Wait until a Job has a condition; the Job."""

        def has_it() -> dict[str, Any] | None:
            found = self.get("job", job)
            held = [each["type"] for each in found["status"].get("conditions", []) if each["status"] == "True"]
            return found if condition in held else None

        return eventually(has_it, f"Job {job} is {condition}", seconds=60)

    def await_phase(self, pod: str, phase: str) -> dict[str, Any]:
        """Wait until a pod has a phase; the pod."""

        def has_it() -> dict[str, Any] | None:
            found = self.get("pod", pod)
            return found if found.get("status", {}).get("phase") == phase else None

        return eventually(has_it, f"pod {pod} is {phase}")


def pod_spec(command: list[str], *, env: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A pod with one container."""
    container = {"name": "main", "image": "none", "command": command, "env": env or []}
    return {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 5, **more}


@pytest.fixture
def cluster(control_plane: ControlPlane, kube_node: Node, kube_namespace: str) -> Cluster:
    """A cluster with one node."""
    return Cluster(control_plane, kube_node, kube_namespace)


def test_a_jobs_own_command_runs_with_its_own_environment(cluster: Cluster) -> None:
    """A Job's command runs with the values, Secrets, ConfigMaps and fields its manifest names, and completes it."""
    cluster.apply("Secret", "keys", stringData={"token": "s3cret"})
    cluster.apply("ConfigMap", "settings", data={"level": "year-1"})
    env = [
        {"name": "PLAIN", "value": "plain"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
        {"name": "ABSENT", "valueFrom": {"secretKeyRef": {"name": "none", "key": "none", "optional": True}}},
        {"name": "SPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "MADE_OF", "value": "$(PLAIN)-$(LEVEL)"},
    ]
    names = [each["name"] for each in env]
    program = f"import os; print([os.environ.get(name) for name in {names}])"
    cluster.job("prints", ["python", "-c", program], env=env)
    done = cluster.await_condition("prints", "Complete")
    assert done["status"]["succeeded"] == 1
    (pod,) = cluster.pods_of("prints")
    assert pod["spec"]["nodeName"] == cluster.node.name
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    printed = ["plain", "s3cret", "year-1", None, cluster.namespace, "plain-year-1"]
    assert cluster.node.log(cluster.namespace, pod["metadata"]["name"]).strip() == str(printed)


def test_a_failing_job_is_tried_again_as_often_as_its_backoff_limit_says(cluster: Cluster) -> None:
    """A command that ends with 3 is tried once more and then the Job has failed; both pods keep their exit code."""
    cluster.job("fails", ["sh", "-c", "exit 3"], backoff_limit=1)
    failed = cluster.await_condition("fails", "Failed")
    assert failed["status"]["failed"] == 2
    codes = [
        pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for pod in cluster.pods_of("fails")
    ]
    assert codes == [3, 3]


def test_a_job_whose_pod_is_deleted_while_it_runs_gets_another(cluster: Cluster) -> None:
    """A pod deleted mid-run ends and goes, and the Job's next pod runs in its place."""
    cluster.job("goes-on", SLEEP)

    def running() -> list[str]:
        return [each["metadata"]["name"] for each in cluster.pods_of("goes-on") if each["status"]["phase"] == "Running"]

    (first,) = eventually(running, "the first pod runs")
    cluster.kubectl("delete", "pod", first, "--wait=true")
    (second,) = eventually(running, "the second pod runs")
    assert second != first
    assert cluster.get("pod", first) == {}


def test_a_deleted_pod_may_finish_within_its_grace_and_not_beyond(cluster: Cluster) -> None:
    """A deleted pod gets SIGTERM and its grace period to end well in; one that does not care is killed after it."""
    polite = "trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    deaf = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    for name, script in (("polite", polite), ("deaf", deaf)):
        cluster.apply("Pod", name, spec=pod_spec(["sh", "-c", script]))
        eventually(lambda name=name: "ready" in cluster.node.log(cluster.namespace, name), f"{name} is ready")
    cluster.kubectl("delete", "pod", "polite", "--grace-period=30", "--wait=true")
    assert "goodbye" in cluster.node.log(cluster.namespace, "polite")
    cluster.kubectl("delete", "pod", "deaf", "--grace-period=1", "--wait=true")
    assert cluster.get("pod", "deaf") == {}


def test_a_pod_waits_for_the_secret_it_names_and_says_so(cluster: Cluster) -> None:
    """A pod whose Secret is missing says which one it waits for, and runs as soon as it is there."""
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "late", "key": "token"}}}]
    cluster.apply("Pod", "waits", spec=pod_spec(SLEEP, env=env))

    def complaint() -> str | None:
        statuses = cluster.get("pod", "waits")["status"].get("containerStatuses", [{"state": {}}])
        return statuses[0]["state"].get("waiting", {}).get("message")

    assert eventually(complaint, "the pod says what it waits for") == 'Secret "late" not found'
    cluster.apply("Secret", "late", stringData={"token": "t"})
    ready = cluster.await_phase("waits", "Running")["status"]["conditions"]
    assert {each["type"]: each["status"] for each in ready}["Ready"] == "True"


def test_a_pod_that_wants_more_than_a_process_says_so_and_stays_pending(cluster: Cluster) -> None:
    """What the stand-in cannot do, a mount for one, it does not skip: the pod waits with the reason."""
    spec = pod_spec(SLEEP, volumes=[{"name": "keys", "secret": {"secretName": "keys"}}])
    spec["containers"][0]["volumeMounts"] = [{"name": "keys", "mountPath": "/keys"}]
    cluster.apply("Pod", "mounts", spec=spec)

    def waiting() -> dict[str, str] | None:
        statuses = cluster.get("pod", "mounts")["status"].get("containerStatuses", [{"state": {}}])
        return statuses[0]["state"].get("waiting")

    said = eventually(waiting, "the pod says why it does not run")
    assert said == {"reason": "NotSupported", "message": "volume mounts are not supported: keys"}


def test_a_container_that_ends_is_started_again_where_its_pod_says_so(cluster: Cluster) -> None:
    """With restartPolicy OnFailure a failing container runs again in the same pod until it succeeds."""
    script = "test -e tried && exit 0; touch tried; exit 1"
    cluster.apply("Pod", "again", spec=pod_spec(["sh", "-c", script], restartPolicy="OnFailure"))
    (status,) = cluster.await_phase("again", "Succeeded")["status"]["containerStatuses"]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1


def test_pods_run_on_while_the_api_server_is_killed_and_their_end_is_told_afterwards(
    cluster: Cluster, control_plane: ControlPlane
) -> None:
    """An API server that crashes takes no pod with it; what ended meanwhile is told when it is back."""
    script = "while test ! -e /proc/self/cwd/go; do sleep 0.05; done; exit 7"
    cluster.apply("Pod", "survives", spec=pod_spec(["sh", "-c", f"pwd; {script}"]))
    cluster.await_phase("survives", "Running")
    folder = eventually(lambda: cluster.node.log(cluster.namespace, "survives").strip(), "the pod names its folder")
    control_plane.apiserver.kill()
    try:
        (Path(folder) / "go").touch()
    finally:
        control_plane.start()
        control_plane.await_ready()
    (status,) = cluster.await_phase("survives", "Failed")["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 7


def test_a_stopped_node_leaves_no_process_behind(control_plane: ControlPlane, kube_namespace: str) -> None:
    """When the node goes, every pod's process goes with it."""
    node = Node(control_plane, name="node-2")
    node.start()
    try:
        cluster = Cluster(control_plane, node, kube_namespace)
        script = "echo $$$$; exec sleep 600"  # Kubernetes takes two dollars for one
        cluster.apply("Pod", "left", spec=pod_spec(["sh", "-c", script], nodeName="node-2"))
        pid = eventually(lambda: node.log(kube_namespace, "left").strip(), "the pod tells its process id")
        assert Path(f"/proc/{pid}").exists()
    finally:
        node.stop()
    assert not Path(f"/proc/{pid}").exists()
    cluster.kubectl("delete", "pod", "left", "--force")
