"""Why a Deployment has fewer ready pods than it should: a pure function of the Deployment and its pods."""

from collections.abc import Iterable, Mapping

from exam_core.canonical import JsonObject
from exam_operator.model.observed import PodFault

IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
CONTAINER_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
MANY_RESTARTS = 2
"""A pod that restarted so often and is not ready crashes in a loop, also while its container runs for a moment."""


def pod_fault(name: str, namespace: str, deployment: JsonObject | None, pods: Iterable[JsonObject]) -> PodFault | None:
    """The fault that keeps pods from being ready, with what to do; None if they are only starting.

    Args:
        name: the Deployment's name.
        namespace: its namespace.
        deployment: the Deployment; None if it does not exist.
        pods: its pods.
    """
    kubectl = f"kubectl -n {namespace}"
    if deployment is None:
        text = f"Deployment {namespace}/{name} does not exist: install the release's chart again"
        return PodFault("DeploymentNotFound", text)
    if deployment["spec"].get("replicas", 1) == 0:
        text = f"Deployment {name} has 0 replicas, which disables its autoscaler: "
        return PodFault("ScaledToZero", f"{text}{kubectl} scale deployment {name} --replicas=1")
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            text = f"pods of Deployment {name} cannot be created: {condition.get('message', '')}"
            return PodFault("PodsNotCreated", f"{text}; raise the quota, or correct what this names")
    starting = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and not _is_ready(pod))
    unready = sorted(starting, key=_name)
    for find in (_crash, _image, _container, _unschedulable):
        fault = next((fault for pod in unready if (fault := find(pod, kubectl))), None)
        if fault is not None:
            return fault
    return None


def _crash(pod: JsonObject, kubectl: str) -> PodFault | None:
    for status in _containers(pod):
        looping = _waiting(status).get("reason") == "CrashLoopBackOff" or status.get("restartCount", 0) >= MANY_RESTARTS
        ended = status.get("lastState", {}).get("terminated") or status.get("state", {}).get("terminated")
        if looping and ended:
            cause = f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}"
            text = f"pod {_name(pod)} crashes in a loop ({cause}): {kubectl} logs {_name(pod)} --previous"
            return PodFault("CrashLooping", text)
    return None


def _image(pod: JsonObject, kubectl: str) -> PodFault | None:
    for status in _containers(pod):
        if _waiting(status).get("reason") in IMAGE_REASONS:
            text = (
                f"image {status.get('image')} of pod {_name(pod)} cannot be pulled: correct its name or the pull secret"
            )
            return PodFault("ImageNotPulled", f"{text}; {kubectl} describe pod {_name(pod)}")
    return None


def _container(pod: JsonObject, kubectl: str) -> PodFault | None:
    for status in _containers(pod):
        if _waiting(status).get("reason") in CONTAINER_REASONS:
            text = f"pod {_name(pod)} cannot start: {_waiting(status).get('message', '')}"
            return PodFault("ContainerNotStarted", f"{text}; {kubectl} describe pod {_name(pod)}")
    return None


def _unschedulable(pod: JsonObject, kubectl: str) -> PodFault | None:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            text = f"pod {_name(pod)} cannot be scheduled: {condition.get('message', '')}"
            advice = "add nodes, or lower the resource requests"
            return PodFault("Unschedulable", f"{text}; {advice}; {kubectl} describe pod {_name(pod)}")
    return None


def _is_ready(pod: JsonObject) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _containers(pod: JsonObject) -> list[JsonObject]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _waiting(status: JsonObject) -> Mapping[str, str]:
    waiting: Mapping[str, str] = status.get("state", {}).get("waiting") or {}
    return waiting


def _name(pod: JsonObject) -> str:
    name: str = pod["metadata"]["name"]
    return name
