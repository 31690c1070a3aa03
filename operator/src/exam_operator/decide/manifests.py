"""Manifests of the Kubernetes objects that the operator creates, as pure functions of their inputs."""

from collections.abc import Sequence
from copy import deepcopy

from exam_core.canonical import JsonObject
from exam_operator.decide.demand import PodRange
from exam_operator.model.exam import GROUP, KIND, VERSION, ExamKey

MANAGER = "exam-operator"
SITTING_LABEL = f"{GROUP}/sitting"
REVISION_LABEL = f"{GROUP}/revision"
EXAM_ANNOTATION = f"{GROUP}/exam"
OPEN_SITTINGS_ANNOTATION = f"{GROUP}/open-sittings"
"""On a budget: the Exams for which no pod may be taken away. The chart rejects an upgrade while there are any."""
NAMED_SITTINGS = 5
LABELS = {"app.kubernetes.io/managed-by": MANAGER}
ID_CHARACTERS = 8
KEEP_JOB_SECONDS = 24 * 3600
"""How long a finished Job and its log are kept."""
POD_FAILURES = 6
CPU_PERCENT = 70
SCALE_DOWN_SECONDS = 60
"""Stabilisation window before the autoscaler removes pods. It is short because load ends with the sitting."""


def job_name(sitting: str, revision: int) -> str:
    """The name of the Job of a sitting and revision; there is only one."""
    return f"grade-{sitting[:ID_CHARACTERS]}-r{revision}"


def grading_job(
    template: JsonObject, *, namespace: str, key: ExamKey, sitting: str, revision: int, parallelism: int
) -> JsonObject:
    """The Job that coordinates the grading of one revision.

    It is created suspended and released once its uid is recorded in the status.

    Args:
        template: a PodTemplateSpec; its first container runs the grader's image.
        namespace: the operator's namespace.
        key: the Exam that is graded.
        sitting: the sitting's id.
        revision: the revision to grade.
        parallelism: how many chunks may be graded at once.
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
            # An eviction or a drained node is not a failure of the Job.
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": pod,
        },
    }


def autoscaler(deployment: JsonObject, pods: PodRange, *, keep: bool) -> JsonObject:
    """The HorizontalPodAutoscaler of a Deployment: at least the floor, more when its pods are busy.

    With `keep`, it removes no pod: neither by its policy, nor because its maximum is below the present number.
    """
    name = deployment["metadata"]["name"]
    present = deployment["spec"].get("replicas", 1) if keep else 0
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _owned_by(deployment),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": pods.floor,
            "maxReplicas": max(pods.ceiling, present),
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": CPU_PERCENT}},
                }
            ],
            "behavior": {
                "scaleDown": {
                    "stabilizationWindowSeconds": SCALE_DOWN_SECONDS,
                    "selectPolicy": "Disabled" if keep else "Max",
                }
            },
        },
    }


def disruption_budget(deployment: JsonObject, open_sittings: Sequence[ExamKey]) -> JsonObject:
    """The PodDisruptionBudget of a Deployment: a node drain evicts one pod at a time, and none during a sitting."""
    metadata = dict(_owned_by(deployment))
    if open_sittings:
        names = [str(key) for key in open_sittings[:NAMED_SITTINGS]]
        more = len(open_sittings) - len(names)
        text = ", ".join(names) + (f" and {more} more" if more else "")
        metadata["annotations"] = {OPEN_SITTINGS_ANNOTATION: text}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {
            "maxUnavailable": 0 if open_sittings else 1,
            "selector": deployment["spec"]["selector"],
            # A pod that is not ready serves no student.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def _owned_by(deployment: JsonObject) -> JsonObject:
    """The metadata of an object that has a Deployment's name, and is deleted with it."""
    metadata = deployment["metadata"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "labels": LABELS,
        "ownerReferences": [owner],
    }


def event(key: ExamKey, *, name: str, warning: bool, reason: str, message: str, at: str) -> JsonObject:
    """An Event about an Exam; the caller derives the name from the content, so that an Event is created once."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
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
