"""The control plane of the tests is a real one: what Kubernetes promises holds here, kill -9 included."""

import json
import shutil
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import is_listening
from exam_harness.environments.processes.process import HarnessError
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration


def apply(control_plane: ControlPlane, namespace: str, *objects: dict[str, Any]) -> None:
    """Apply some objects as a person would."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(listed))


def found(control_plane: ControlPlane, namespace: str, *what: str) -> list[dict[str, Any]]:
    """What kubectl finds, none included."""
    said = control_plane.kubectl("get", "-n", namespace, *what, "--ignore-not-found", "-o", "json")
    answer = json.loads(said) if said else {"items": []}
    return answer.get("items", [answer])


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    """The smallest object there is."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def test_kubectl_speaks_with_a_server_of_its_own_version(control_plane: ControlPlane) -> None:
    """The kubectl and the API server are the one pinned Kubernetes, and both know it."""
    said = json.loads(control_plane.kubectl("version", "-o", "json"))
    assert said["serverVersion"]["gitVersion"] == said["clientVersion"]["gitVersion"] == "v1.34.4"


def test_a_job_gets_its_pod_and_a_suspended_one_gets_none(control_plane: ControlPlane, kube_namespace: str) -> None:
    """The Job controller makes a released Job's pod, and a suspended Job's only when it is released."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}
    for name, suspend in (("runs", False), ("waits", True)):
        spec = {"suspend": suspend, "template": {"spec": pod}}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
        apply(control_plane, kube_namespace, job)

    def pods_of(name: str) -> list[dict[str, Any]]:
        return found(control_plane, kube_namespace, "pods", "-l", f"job-name={name}")

    eventually(lambda: pods_of("runs"), "the running Job has a pod")
    assert pods_of("waits") == []
    control_plane.kubectl("patch", "job", "waits", "-n", kube_namespace, "-p", '{"spec": {"suspend": false}}')
    (made,) = eventually(lambda: pods_of("waits"), "the released Job has a pod")
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Job"


def test_a_finalizer_holds_what_is_deleted_and_its_dependents_go_after_it(
    control_plane: ControlPlane, kube_namespace: str
) -> None:
    """A deleted object waits for its finalizer; when it is gone, the garbage collector takes what it owned."""
    apply(control_plane, kube_namespace, config_map("owner", finalizers=["examplatform.dev/test"]))
    (owner,) = found(control_plane, kube_namespace, "configmap", "owner")
    owned_by = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    apply(control_plane, kube_namespace, config_map("owned", ownerReferences=[owned_by]))
    control_plane.kubectl("delete", "configmap", "owner", "-n", kube_namespace, "--wait=false")
    (held,) = found(control_plane, kube_namespace, "configmap", "owner")
    assert held["metadata"]["deletionTimestamp"]
    assert found(control_plane, kube_namespace, "configmap", "owned")
    release = '{"metadata": {"finalizers": null}}'
    control_plane.kubectl("patch", "configmap", "owner", "-n", kube_namespace, "--type=merge", "-p", release)
    eventually(
        lambda: not found(control_plane, kube_namespace, "configmap", "owned"), "what the gone one owned is gone"
    )
    assert not found(control_plane, kube_namespace, "configmap", "owner")


def test_an_autoscaler_raises_a_deployment_to_its_floor_without_any_metrics(
    control_plane: ControlPlane, kube_namespace: str
) -> None:
    """An autoscaler's floor holds even where nobody serves metrics: that is how a sitting is pre-warmed."""
    labels = {"app": "one"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "none"}]}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}
    apply(
        control_plane,
        kube_namespace,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "one"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "one"},
            "spec": {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5},
        },
    )
    eventually(lambda: len(found(control_plane, kube_namespace, "pods", "-l", "app=one")) == 3, "there are three pods")


def test_the_api_server_comes_back_from_kill_9_with_every_object(
    control_plane: ControlPlane, kube_namespace: str
) -> None:
    """What the API server acknowledged is there when it is killed and started again, under the same identity."""
    apply(control_plane, kube_namespace, config_map("kept"))
    (before,) = found(control_plane, kube_namespace, "configmap", "kept")
    control_plane.apiserver.kill()
    with pytest.raises(HarnessError, match="refused"):
        found(control_plane, kube_namespace, "configmap", "kept")
    control_plane.start()
    control_plane.await_ready()
    assert found(control_plane, kube_namespace, "configmap", "kept") == [before]


def test_a_paused_api_server_answers_nobody_and_goes_on_where_it_was(
    control_plane: ControlPlane, kube_namespace: str
) -> None:
    """A frozen API server keeps its connections and answers nothing; thawed, it serves on."""
    control_plane.apiserver.pause()
    try:
        with pytest.raises(HarnessError, match=r"[Tt]imeout"):
            control_plane.kubectl("get", "namespaces", "--request-timeout=1s")
    finally:
        control_plane.apiserver.resume()
    control_plane.await_ready()
    assert found(control_plane, kube_namespace, "namespace", kube_namespace)


def test_a_service_account_may_do_what_its_rules_say_and_nothing_else(
    control_plane: ControlPlane, kube_namespace: str
) -> None:
    """A service account without rules is refused; one with a rule may do that and is refused the rest."""
    nobody = control_plane.service_account_kubeconfig("nobody", namespace=kube_namespace)
    with pytest.raises(
        HarnessError, match=f'system:serviceaccount:{kube_namespace}:nobody" cannot list resource "pods"'
    ):
        control_plane.kubectl("get", "pods", kubeconfig=nobody)
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    reader = control_plane.service_account_kubeconfig("reader", namespace=kube_namespace, rules=[rule])
    assert control_plane.kubectl("get", "pods", "-o", "name", kubeconfig=reader) == ""
    with pytest.raises(HarnessError, match='cannot list resource "secrets"'):
        control_plane.kubectl("get", "secrets", kubeconfig=reader)


def test_nobody_is_served_without_a_name(control_plane: ControlPlane) -> None:
    """A request that shows neither certificate nor token is refused, not treated as anonymous."""
    trusted = ssl.create_default_context(cafile=control_plane.authority)
    with httpx.Client(verify=trusted, trust_env=False) as stranger:
        assert stranger.get(f"{control_plane.url}/readyz").status_code == httpx.codes.UNAUTHORIZED


def test_a_stopped_control_plane_leaves_nothing_running() -> None:
    """After stop no process of it is left and nobody listens on its port."""
    folder = new_run_folder("kube-test")
    server = ControlPlane(folder)
    try:
        server.start()
        server.await_ready()
        pids = [child.pid for child in (server.etcd, server.apiserver, server.controller_manager)]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    finally:
        server.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not is_listening(server.port)
    shutil.rmtree(folder)
