"""The Kubernetes objects that the operator makes, as pure functions of what they depend on."""

from copy import deepcopy

from exam_core.canonical import JsonObject
from exam_operator.model.exam import GROUP, ExamKey

MANAGER = "exam-operator"
SITTING_LABEL = f"{GROUP}/sitting"
REVISION_LABEL = f"{GROUP}/revision"
EXAM_ANNOTATION = f"{GROUP}/exam"
LABELS = {"app.kubernetes.io/managed-by": MANAGER}
ID_CHARACTERS = 8
KEEP_JOB_SECONDS = 24 * 3600
"""How long a finished Job and its log can be looked at."""
POD_FAILURES = 6
CPU_PERCENT = 70
CALM_SECONDS = 60
"""For how long less must have been enough before pods are let go: a sitting's load ends with it."""


def job_name(sitting: str, revision: int) -> str:
    """The name of the one Job of a sitting and revision."""
    return f"grade-{sitting[:ID_CHARACTERS]}-r{revision}"


def grading_job(
    template: JsonObject, *, namespace: str, key: ExamKey, sitting: str, revision: int, parallelism: int
) -> JsonObject:
    """The Job that sees one revision through, made suspended: it is released once its uid is on record.

    Args:
        template: a PodTemplateSpec; its first container's image has the grader.
        namespace: the operator's.
        key: the resource it is for.
        sitting: the sitting's id.
        revision: which grading.
        parallelism: how many chunks may be with the graders at once.
    """
    labels = LABELS | {SITTING_LABEL: sitting, REVISION_LABEL: str(revision)}
    pod = deepcopy(dict(template))
    metadata = pod.setdefault("metadata", {})
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    metadata["annotations"] = {**metadata.get("annotations", {}), EXAM_ANNOTATION: str(key)}
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["containers"][0]["args"] = [
        "coordinate",
        f"--sitting={sitting}",
        f"--revision={revision}",
        f"--parallelism={parallelism}",
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(sitting, revision),
            "namespace": namespace,
            "labels": labels,
            "annotations": {EXAM_ANNOTATION: str(key)},
        },
        "spec": {
            "suspend": True,
            "backoffLimit": POD_FAILURES,
            "completions": 1,
            "parallelism": 1,
            "ttlSecondsAfterFinished": KEEP_JOB_SECONDS,
            # An eviction or a drained node is nobody's failure.
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": pod,
        },
    }


def autoscaler(deployment: str, *, namespace: str, floor: int, ceiling: int) -> JsonObject:
    """The HorizontalPodAutoscaler of a Deployment: never below the floor, more when its pods are busy."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": deployment, "namespace": namespace, "labels": LABELS},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": floor,
            "maxReplicas": max(floor, ceiling),
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": CPU_PERCENT}},
                }
            ],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": CALM_SECONDS}},
        },
    }


def disruption_budget(deployment: str, *, namespace: str, selector: JsonObject) -> JsonObject:
    """The PodDisruptionBudget of a Deployment: nodes are drained one of its pods at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": deployment, "namespace": namespace, "labels": LABELS},
        "spec": {"maxUnavailable": 1, "selector": selector},
    }


def event(key: ExamKey, *, name: str, warning: bool, reason: str, message: str, at: str) -> JsonObject:
    """An Event about a resource; its name is made from what it says, so that it is said once."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": "examplatform.dev/v1alpha1",
            "kind": "Exam",
            "namespace": key.namespace,
            "name": key.name,
            "uid": key.uid,
        },
        "type": "Warning" if warning else "Normal",
        "reason": reason,
        "message": message,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
    }
