"""Solver pods of a sitting: limits, faults of the pods, and what stays as it is while the sitting is open."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from exam_harness.environments.control_plane.operator_namespace import SOLVER, WEB, OperatorNamespace
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NEVER_SCHEDULED = {"schedulerName": "none"}
"""A pod that stays pending, as one that fits on no node."""


@pytest.fixture(autouse=True)
def alone(world) -> None:
    """No Exam of an earlier test is left: its pods would count."""

    def none_left() -> bool:
        exams: str = world.control_plane.kubectl("get", "exams", "--all-namespaces", "--output=name")
        return not exams.strip()

    eventually(none_left, "the Exams of earlier tests are deleted", seconds=60)


@pytest.fixture
def solver(world) -> Iterator[Any]:
    """Patches the solver's Deployment for a test; afterwards it is created again, with one pod."""
    patched = world.operated

    def patch(**spec: Any) -> None:
        _kubectl(world, "patch", "deployment", SOLVER, "--type=merge", "-p", json.dumps({"spec": spec}))

    yield patch
    _kubectl(world, "delete", "deployment", SOLVER)
    patched.create_deployment(SOLVER)
    eventually(lambda: _ready(world) > 0, "the solver is ready again")


def _kubectl(world, *words: str, stdin: str | None = None) -> str:
    return str(world.control_plane.kubectl("-n", world.operated.namespace, *words, stdin=stdin))


def _replicas(world) -> int:
    return int(world.owned("deployment", SOLVER)["spec"].get("replicas", 0))


def _ready(world) -> int:
    return int(world.owned("deployment", SOLVER).get("status", {}).get("readyReplicas", 0))


def _pods(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A pod template with a changed pod spec, and the strategy that keeps none of the former pods."""
    return {"strategy": {"type": "Recreate", "rollingUpdate": None}, "template": {"spec": dict(spec)}}


def _container(*command: str) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "none", "command": list(command)}]}


def test_candidates_beyond_the_maximum_are_reported(world) -> None:
    """If maxReplicas allows fewer pods than my candidates need, CapacityReady is false and says what to change."""
    world.apply("crowded", lasts=60, candidates=1000, solver={"candidatesPerReplica": 100, "maxReplicas": 2})
    world.await_phase("crowded", "Open")
    found = world.await_condition("crowded", "CapacityReady", "False", "MaxReplicasTooLow")
    assert "1000 candidates need 10 solver pods" in found["message"]
    assert "raise spec.solver.maxReplicas to 10" in found["message"]
    assert world.status("crowded")["reason"] == "MaxReplicasTooLow"
    eventually(lambda: "MaxReplicasTooLow" in [reason for reason, _ in world.events("crowded")], "an Event says so")
    world.patch("crowded", {"solver": {"maxReplicas": 10}})
    world.await_condition("crowded", "CapacityReady", "True")
    assert "reason" not in world.status("crowded")


def test_one_tenant_gets_no_more_pods_than_the_platform_allows(world, proxy) -> None:
    """If an Exam requests a thousand pods, it gets as many as the platform allows, and its status says so."""
    operator = world.operated.operator("limited", server=proxy.url, env={"EXAM_OPERATOR_MAX_SOLVERS": "3"})
    operator.start()
    try:
        world.apply("greedy", lasts=60, solver={"minReplicas": 1000, "maxReplicas": 1000})
        found = world.await_condition("greedy", "CapacityReady", "False", "PlatformLimitReached")
        assert "need 1000 solver pods, the platform allows 3" in found["message"]
        assert "solver.maxReplicas" in found["message"]

        def limited() -> bool:
            spec = world.owned("hpa", SOLVER)["spec"]
            # Pods that an earlier sitting has left are not taken away from an open one.
            return (spec["minReplicas"], spec["maxReplicas"]) == (3, max(3, _replicas(world)))

        eventually(limited, "the autoscaler has the platform's limit")
        assert "exam_operator_solvers_wanted 1000.0" in world.probe(operator, "metrics").text
    finally:
        operator.stop()


def test_a_solver_without_replicas_is_reported(world, solver) -> None:
    """If the solver is scaled to 0 by hand, which disables its autoscaler, the Exam's status says how to end that."""
    _kubectl(world, "scale", "deployment", SOLVER, "--replicas=0")
    world.apply("switched-off", lasts=60)
    found = world.await_condition("switched-off", "CapacityReady", "False", "ScaledToZero")
    assert f"kubectl -n {world.operated.namespace} scale deployment {SOLVER} --replicas=1" in found["message"]
    assert world.status("switched-off")["reason"] == "ScaledToZero"
    _kubectl(world, "scale", "deployment", SOLVER, "--replicas=1")
    world.await_condition("switched-off", "CapacityReady", "True")


def test_crashing_solver_pods_are_reported(world, solver) -> None:
    """If solver pods crash in a loop, the Exam's status names one of them and how to read its log."""
    solver(**_pods(_container("false")))
    world.apply("crashing", lasts=120)
    found = world.await_condition("crashing", "CapacityReady", "False", "CrashLooping")
    assert "exit code 1" in found["message"]
    assert f"kubectl -n {world.operated.namespace} logs {SOLVER}-" in found["message"]
    assert found["message"].endswith("--previous")
    solver(**_pods(_container("sleep", "infinity")))
    world.await_condition("crashing", "CapacityReady", "True")


def test_unschedulable_solver_pods_are_reported(world, solver) -> None:
    """If no node has room for the solver's pods, the Exam's status has the scheduler's message and what to do."""
    solver(**_pods(NEVER_SCHEDULED))
    world.apply("homeless", lasts=120)
    labels = ("pods", "-l", f"app.kubernetes.io/name={SOLVER}")

    def pending() -> list[str]:
        query = ("get", *labels, "--field-selector=status.phase=Pending", "--output=name")
        return _kubectl(world, *query).split()

    names = eventually(pending, "a pod is pending")
    # What the scheduler writes.
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
    }
    body = json.dumps({"status": {"conditions": [unscheduled]}})
    _kubectl(world, "patch", *names, "--subresource=status", "--type=strategic", "-p", body)
    found = world.await_condition("homeless", "CapacityReady", "False", "Unschedulable")
    assert "3 Insufficient cpu" in found["message"]
    assert "add nodes" in found["message"]


def test_solver_pods_beyond_a_quota_are_reported(world) -> None:
    """If a quota forbids the solver's pods, the Exam's status has the API server's message."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "1"}},
    }
    world.operated.apply(quota)
    try:
        world.apply("rationed", lasts=120, solver={"minReplicas": 4})
        found = world.await_condition("rationed", "CapacityReady", "False", "PodsNotCreated")
        assert "exceeded quota: small" in found["message"]
    finally:
        _kubectl(world, "delete", "resourcequota", "small")


def test_solvers_are_not_scaled_down_while_a_sitting_is_open(world) -> None:
    """If a large sitting ends while a small one is open, no solver pod is removed and none may be evicted."""
    world.apply("small", lasts=170, solver={"maxReplicas": 1})
    world.apply("large", lasts=170, solver={"minReplicas": 4, "maxReplicas": 4})
    world.await_condition("large", "CapacityReady", "True")
    world.await_phase("small", "Open")
    pods = eventually(lambda: (wanted := _replicas(world)) >= 4 and _ready(world) == wanted and wanted, "all are ready")
    world.patch("large", {"desiredState": "StoppedAndGrade"})
    world.await_phase("large", "Graded")
    autoscaler = eventually(
        lambda: (found := world.owned("hpa", SOLVER)["spec"])["minReplicas"] == 1 and found, "the demand is lower"
    )
    assert autoscaler["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    # An autoscaler ignores its policies for pods above its maximum.
    assert autoscaler["maxReplicas"] >= 4
    budget = world.owned("pdb", SOLVER)
    assert budget["spec"]["maxUnavailable"] == 0
    assert f"{world.namespace}/small" in budget["metadata"]["annotations"]["examplatform.dev/open-sittings"]
    pod = json.loads(_kubectl(world, "get", "pods", "-l", f"app.kubernetes.io/name={SOLVER}", "-o", "json"))["items"][0]
    assert world.evict(pod["metadata"]["name"]) == 429
    assert (_replicas(world), _ready(world)) == (pods, pods)
    world.patch("small", {"desiredState": "StoppedAndGrade"})
    world.await_phase("small", "Graded")
    eventually(lambda: world.owned("pdb", SOLVER)["spec"]["maxUnavailable"] == 1, "pods may be evicted again")
    assert world.owned("hpa", SOLVER)["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max"
    assert "annotations" not in world.owned("pdb", SOLVER)["metadata"]


def test_web_is_scaled_with_the_logins_of_a_sitting(world) -> None:
    """If a sitting brings many logins, web has the pods for them before it opens, and keeps them until it is over."""
    world.apply(
        "logins", opens_in=20, lasts=170, candidates=3500, solver={"prewarm": "19s", "candidatesPerReplica": 5000}
    )
    world.await_phase("logins", "Warming", "Open")
    eventually(lambda: world.owned("hpa", WEB)["spec"]["minReplicas"] == 4, "web's autoscaler has the demand")
    eventually(lambda: world.owned("deployment", WEB)["status"].get("readyReplicas", 0) >= 4, "web is scaled up")
    assert world.owned("pdb", WEB)["spec"]["maxUnavailable"] == 0
    assert world.owned("hpa", WEB)["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    world.patch("logins", {"desiredState": "StoppedAndGrade"})
    world.await_phase("logins", "Graded", "Cancelled")
    eventually(lambda: world.owned("hpa", WEB)["spec"]["minReplicas"] == 2, "the demand is lower")
    eventually(lambda: world.owned("pdb", WEB)["spec"]["maxUnavailable"] == 1, "pods may be evicted again")


def test_the_whole_desired_state_is_applied(world) -> None:
    """If I edit an autoscaler or a budget by hand, the operator restores all of it."""
    eventually(lambda: world.owned("pdb", SOLVER), "the budget exists")
    changed = {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": _utilization(5)}}]}
    _kubectl(world, "patch", "hpa", SOLVER, "--type=merge", "-p", json.dumps({"spec": changed}))
    _kubectl(world, "patch", "pdb", SOLVER, "--type=merge", "-p", '{"spec":{"maxUnavailable":"100%"}}')

    def utilization() -> int:
        return int(world.owned("hpa", SOLVER)["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"])

    eventually(lambda: utilization() == 70, "the autoscaler is restored", seconds=20)
    eventually(lambda: world.owned("pdb", SOLVER)["spec"]["maxUnavailable"] in {0, 1}, "the budget is restored")


def _utilization(percent: int) -> dict[str, Any]:
    return {"type": "Utilization", "averageUtilization": percent}


def test_an_uninstalled_release_leaves_no_autoscaler_or_budget(world) -> None:
    """If I uninstall a release, its Deployments take the operator's autoscalers and budgets with them."""
    operated = OperatorNamespace(world.control_plane, world.stack, "uninstalled")
    operator = operated.operator()
    operator.start()

    def remaining() -> list[str]:
        return operated.control_plane.kubectl("-n", "uninstalled", "get", "hpa,pdb", "--output=name").split()

    try:
        eventually(lambda: len(remaining()) == 6, "autoscalers and budgets exist")
        # The operator ends last, or not at all.
        operated.control_plane.kubectl("-n", "uninstalled", "delete", "deployment", "--all")
        eventually(lambda: not remaining(), "autoscalers and budgets are deleted", seconds=60)
    finally:
        operator.stop()
