"""The tests' control plane is a real Kubernetes: controllers, RBAC, and durability after kill -9."""

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
    """Apply some objects with kubectl."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(listed))


def get(control_plane: ControlPlane, namespace: str, *arguments: str) -> list[dict[str, Any]]:
    """Return the objects that ``kubectl get`` finds, possibly none."""
    output = control_plane.kubectl("get", "-n", namespace, *arguments, "--ignore-not-found", "-o", "json")
    parsed = json.loads(output) if output else {"items": []}
    return parsed.get("items", [parsed])


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    """Return a small ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def test_kubectl_and_api_server_have_the_pinned_version(control_plane: ControlPlane) -> None:
    """If I run kubectl version, client and server report the pinned Kubernetes version."""
    versions = json.loads(control_plane.kubectl("version", "-o", "json"))
    assert versions["serverVersion"]["gitVersion"] == versions["clientVersion"]["gitVersion"] == "v1.34.4"


def test_a_suspended_job_gets_its_pod_when_resumed(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If a Job is suspended, its pod is created only once the Job is resumed."""
    pod_spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}
    for name, suspend in (("runs", False), ("waits", True)):
        spec = {"suspend": suspend, "template": {"spec": pod_spec}}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
        apply(control_plane, kube_namespace, job)

    def pods_of(name: str) -> list[dict[str, Any]]:
        return get(control_plane, kube_namespace, "pods", "-l", f"job-name={name}")

    eventually(lambda: pods_of("runs"), "the running Job has a pod")
    assert pods_of("waits") == []
    control_plane.kubectl("patch", "job", "waits", "-n", kube_namespace, "-p", '{"spec": {"suspend": false}}')
    (pod,) = eventually(lambda: pods_of("waits"), "the resumed Job has a pod")
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "Job"


def test_finalizers_and_garbage_collection(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If I delete an object with a finalizer, it and its dependents are deleted once the finalizer is removed."""
    apply(control_plane, kube_namespace, config_map("owner", finalizers=["examplatform.dev/test"]))
    (owner,) = get(control_plane, kube_namespace, "configmap", "owner")
    owned_by = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    apply(control_plane, kube_namespace, config_map("owned", ownerReferences=[owned_by]))
    control_plane.kubectl("delete", "configmap", "owner", "-n", kube_namespace, "--wait=false")
    (deleting,) = get(control_plane, kube_namespace, "configmap", "owner")
    assert deleting["metadata"]["deletionTimestamp"]
    assert get(control_plane, kube_namespace, "configmap", "owned")
    remove_finalizers = '{"metadata": {"finalizers": null}}'
    control_plane.kubectl("patch", "configmap", "owner", "-n", kube_namespace, "--type=merge", "-p", remove_finalizers)
    eventually(
        lambda: not get(control_plane, kube_namespace, "configmap", "owned"), "the dependent is garbage collected"
    )
    assert not get(control_plane, kube_namespace, "configmap", "owner")


def test_an_autoscaler_applies_min_replicas_without_metrics(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If no metrics are served, an autoscaler still applies minReplicas, which is how a sitting is pre-warmed."""
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
    eventually(lambda: len(get(control_plane, kube_namespace, "pods", "-l", "app=one")) == 3, "there are three pods")


def test_objects_survive_kill_9_of_the_api_server(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If the API server is killed and started again, acknowledged objects are unchanged."""
    apply(control_plane, kube_namespace, config_map("kept"))
    (before,) = get(control_plane, kube_namespace, "configmap", "kept")
    control_plane.apiserver.kill()
    with pytest.raises(HarnessError, match="refused"):
        get(control_plane, kube_namespace, "configmap", "kept")
    control_plane.start()
    control_plane.await_ready()
    assert get(control_plane, kube_namespace, "configmap", "kept") == [before]


def test_a_paused_api_server_times_out_and_resumes(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If the API server is paused, requests time out; resumed, it serves again."""
    control_plane.apiserver.pause()
    try:
        with pytest.raises(HarnessError, match=r"[Tt]imeout"):
            control_plane.kubectl("get", "namespaces", "--request-timeout=1s")
    finally:
        control_plane.apiserver.resume()
    control_plane.await_ready()
    assert get(control_plane, kube_namespace, "namespace", kube_namespace)


def test_a_service_account_has_only_the_rights_of_its_rules(control_plane: ControlPlane, kube_namespace: str) -> None:
    """If a service account has no rules, it is forbidden; with a rule, it may do that and nothing else."""
    powerless = control_plane.service_account_kubeconfig("powerless", namespace=kube_namespace)
    with pytest.raises(
        HarnessError, match=f'system:serviceaccount:{kube_namespace}:powerless" cannot list resource "pods"'
    ):
        control_plane.kubectl("get", "pods", kubeconfig=powerless)
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    reader = control_plane.service_account_kubeconfig("reader", namespace=kube_namespace, rules=[rule])
    assert control_plane.kubectl("get", "pods", "-o", "name", kubeconfig=reader) == ""
    with pytest.raises(HarnessError, match='cannot list resource "secrets"'):
        control_plane.kubectl("get", "secrets", kubeconfig=reader)


def test_anonymous_requests_are_rejected(control_plane: ControlPlane) -> None:
    """If I send a request without certificate and token, it is 401."""
    context = ssl.create_default_context(cafile=control_plane.authority)
    with httpx.Client(verify=context, trust_env=False) as anonymous:
        assert anonymous.get(f"{control_plane.url}/readyz").status_code == httpx.codes.UNAUTHORIZED


def test_a_stopped_control_plane_leaves_nothing_running() -> None:
    """If the control plane is stopped, no process is left and its port is closed."""
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
