"""What keeps the pods of a Deployment from being ready."""

from typing import Any

import pytest

from exam_operator.decide.pod_faults import pod_fault

NAME, NAMESPACE = "exam-solver", "exam"
DEPLOYMENT: dict[str, Any] = {"spec": {"replicas": 2}}


def pod(name: str, *, state: dict[str, Any] | None = None, ready: bool = False, **status: Any) -> dict[str, Any]:
    """A pod with one container."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    container = {"name": "main", "image": "solver:1", "state": state or {}, **status}
    return {
        "metadata": {"name": name},
        "status": {"conditions": conditions, "containerStatuses": [container]},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def terminated(reason: str, code: int) -> dict[str, Any]:
    """The state of a container that has ended."""
    return {"terminated": {"reason": reason, "exitCode": code}}


def unscheduled(name: str) -> dict[str, Any]:
    """A pod that fits on no node."""
    message = "0/3 nodes are available: 3 Insufficient cpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def fault(*pods: dict[str, Any], deployment: dict[str, Any] | None = DEPLOYMENT) -> tuple[str, str] | None:
    """The reason and message of the fault."""
    return pod_fault(NAME, NAMESPACE, deployment, pods)


def test_starting_pods_are_no_fault() -> None:
    """If pods are only starting or terminating, or restarted once, nothing is reported."""
    once = pod("b", state={"running": {}}, restartCount=1, lastState=terminated("Error", 1))
    ending = pod("c", state=waiting("CrashLoopBackOff"), lastState=terminated("Error", 1))
    ending["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    assert fault(pod("a", state=waiting("ContainerCreating")), once, ending) is None
    assert fault() is None


def test_a_ready_pod_is_no_fault() -> None:
    """If a pod restarted often but is ready now, nothing is reported."""
    assert fault(pod("a", ready=True, restartCount=9, lastState=terminated("Error", 1))) is None


@pytest.mark.parametrize("state", [waiting("CrashLoopBackOff"), {"running": {}}, terminated("OOMKilled", 137)])
def test_a_crash_loop_names_the_pod_and_its_last_end(state: dict[str, Any]) -> None:
    """If a pod crashes in a loop, I read how it ended, whatever its container does at the moment."""
    crashing = pod("solver-b", state=state, restartCount=4, lastState=terminated("OOMKilled", 137))
    assert fault(pod("solver-a", ready=True), crashing) == (
        "CrashLooping",
        "pod solver-b crashes in a loop (OOMKilled, exit code 137): kubectl -n exam logs solver-b --previous",
    )


@pytest.mark.parametrize(
    ("found", "reason", "text"),
    [
        (pod("a", state=waiting("ImagePullBackOff")), "ImageNotPulled", "image solver:1 of pod a cannot be pulled"),
        (
            pod("a", state=waiting("CreateContainerConfigError", 'secret "exam-secrets" not found')),
            "ContainerNotStarted",
            'pod a cannot start: secret "exam-secrets" not found',
        ),
        (unscheduled("a"), "Unschedulable", "pod a cannot be scheduled: 0/3 nodes are available: 3 Insufficient cpu."),
    ],
)
def test_a_pod_that_cannot_run_is_reported(found: dict[str, Any], reason: str, text: str) -> None:
    """If a pod cannot be scheduled or started, I read why, and which command shows more."""
    what, message = fault(found) or ("", "")
    assert (what, message.startswith(text)) == (reason, True)
    assert message.endswith("kubectl -n exam describe pod a")


def test_a_crash_comes_before_a_lack_of_room() -> None:
    """If some pods crash and others are unschedulable, the crash is reported, and always of the same pod."""
    crashes = [pod(name, state=waiting("CrashLoopBackOff"), lastState=terminated("Error", 1)) for name in "cb"]
    assert fault(unscheduled("a"), *crashes) == fault(*reversed(crashes), unscheduled("a"))
    reason, message = fault(unscheduled("a"), *crashes) or ("", "")
    assert (reason, "pod b" in message) == ("CrashLooping", True)


@pytest.mark.parametrize(
    ("deployment", "reason", "text"),
    [
        (None, "DeploymentNotFound", "Deployment exam/exam-solver does not exist"),
        ({"spec": {"replicas": 0}}, "ScaledToZero", "kubectl -n exam scale deployment exam-solver --replicas=1"),
        (
            {
                "spec": {"replicas": 2},
                "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]},
            },
            "PodsNotCreated",
            "pods of Deployment exam-solver cannot be created: exceeded quota",
        ),
    ],
)
def test_a_deployment_without_pods_is_reported(deployment: dict[str, Any] | None, reason: str, text: str) -> None:
    """If the Deployment is missing, scaled to 0, or may not create pods, I read which of them and what to do."""
    what, message = fault(deployment=deployment) or ("", "")
    assert (what, text in message) == (reason, True)
