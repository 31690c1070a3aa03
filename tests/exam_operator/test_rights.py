"""The operator's roles grant exactly the rights that it uses."""

import json

import pytest
import yaml

from exam_harness.environments.control_plane.operator_namespace import RBAC
from exam_harness.faults.apiserver_proxy import FaultProxy
from exam_harness.scenarios.sitting.platform_client import PAPERS
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def granted() -> dict[str, set[tuple[str, str, str]]]:
    """(group, resource, verb) of each role in `operator/rbac.yaml`, by the role's kind."""
    return {
        role["kind"]: {
            (group, resource, verb)
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        for role in yaml.safe_load_all(RBAC.read_text())
    }


def test_every_right_is_used_and_none_is_missing(world, proxy: FaultProxy) -> None:
    """If I read the operator's roles, they list exactly the requests that it sends in the life of a sitting."""
    env = {"EXAM_OPERATOR_RESYNC_SECONDS": "2", "EXAM_OPERATOR_RACK_SELECTOR": "component=rack"}
    operator = world.operated.operator("observed", server=proxy.url, env=env)
    world.control_plane.kubectl("-n", world.operated.namespace, "delete", "leases", "--all")
    operator.start()
    operator.await_ready()
    try:
        _replace_a_pod_of_a_rack(world)
        _use_every_right(world)
    finally:
        operator.stop()
    own = world.operated.namespace
    requests = [passed.request for passed in proxy.requests]
    inside = {right for request in requests if request.namespace == own for right in request.permissions}
    outside = {right for request in requests if request.namespace != own for right in request.permissions}
    forbidden = [str(passed.request) for passed in proxy.requests if passed.status in (401, 403)]
    assert (outside, inside) == (granted()["ClusterRole"], granted()["Role"])
    assert forbidden == []


def _replace_a_pod_of_a_rack(world) -> None:
    """A StatefulSet that leaves the replacement of its pods to the operator is changed, between sittings."""

    def apply(minutes: int) -> None:
        container = {"name": "main", "image": "none", "command": ["sleep", str(60 * minutes)]}
        labels = {"component": "rack"}
        spec = {
            "serviceName": "rack",
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "OnDelete"},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        metadata = {"name": "rack", "labels": labels}
        world.operated.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec})

    def running() -> str:
        """The command of the available pod; empty while there is none."""
        words = ("-n", world.operated.namespace, "get", "--ignore-not-found", "--output")
        available = world.control_plane.kubectl(*words, "jsonpath={.status.availableReplicas}", "statefulset", "rack")
        command = world.control_plane.kubectl(*words, "jsonpath={.spec.containers[0].command}", "pod", "rack-0")
        return command if available == "1" else ""

    apply(10)
    eventually(lambda: "600" in running(), "the pod runs", seconds=60)
    apply(20)
    eventually(lambda: "1200" in running(), "the pod is replaced", seconds=60)


def _use_every_right(world) -> None:
    """An exam as code, graded by a Job that had to be replaced, published, deleted."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "paper"},
        "type": "examplatform.dev/paper",
        "stringData": {"paper.yaml": (PAPERS / "geometry-201.yaml").read_text()},
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    # Delete the autoscalers and budgets, so that they have to be created again.
    for kind in ("hpa", "pdb"):
        world.control_plane.kubectl("-n", world.operated.namespace, "delete", kind, "--all")
    # Pods are read when there are too few of them.
    present = world.owned("deployment", "exam-solver")["spec"]["replicas"]
    world.apply("busy", lasts=600, solver={"minReplicas": present + 1, "maxReplicas": present + 1})
    world.await_condition("busy", "CapacityReady", "True")
    world.stack.worker.pause()
    try:
        world.apply(
            "all",
            lasts=600,
            exam="geometry-201",
            owner="noether",
            paperFrom={"secretKeyRef": {"name": "paper"}},
            desiredState="StoppedAndGrade",
            grading={"publish": "Automatic"},
        )
        status = world.await_job("all")
        [job] = world.jobs(status["sittingId"])
        deadline = json.dumps({"spec": {"activeDeadlineSeconds": 1}})
        name = job["metadata"]["name"]
        world.control_plane.kubectl(
            "-n", world.operated.namespace, "patch", "job", name, "--type=merge", "-p", deadline
        )

        def another() -> bool:
            return any(each["metadata"]["uid"] != job["metadata"]["uid"] for each in world.jobs(status["sittingId"]))

        eventually(another, "the Job is replaced", seconds=60)
    finally:
        world.stack.worker.resume()
    world.await_phase("all", "Published")
    world.kubectl("delete", "exam", "all")
    world.await_deleted("all")
