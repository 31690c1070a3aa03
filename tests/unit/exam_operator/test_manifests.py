"""The manifests of the objects that the operator creates."""

from copy import deepcopy
from typing import Any

import pytest

from exam_operator.decide.demand import PodRange
from exam_operator.decide.manifests import autoscaler, disruption_budget, event, grading_job, job_name
from exam_operator.model.exam import ExamKey
from exam_operator.model.observed import Job, JobState

KEY = ExamKey("exams", "midterm", "0" * 36)
SITTING = "60b1f19f-0000-4000-8000-000000000000"
TEMPLATE = {
    "metadata": {"labels": {"team": "maths"}},
    "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "grader", "image": "grader", "args": ["worker"]}]},
}


def job() -> dict:
    """A grading Job from the template."""
    return dict(grading_job(TEMPLATE, namespace="platform", key=KEY, sitting=SITTING, revision=2, parallelism=3))


def test_a_grading_job_is_built_from_the_template() -> None:
    """If I look at a grading Job, it runs the template's image for one sitting and revision."""
    before = deepcopy(TEMPLATE)
    manifest = job()
    assert before == TEMPLATE
    pod = manifest["spec"]["template"]
    args = pod["spec"]["containers"][0]["args"]
    assert args == ["coordinate", f"--sitting={SITTING}", "--revision=2", "--parallelism=3"]
    assert pod["metadata"]["labels"]["team"] == "maths"
    assert pod["metadata"]["labels"].items() >= manifest["metadata"]["labels"].items()
    assert pod["spec"]["restartPolicy"] == "Never"


def test_a_grading_job_is_created_suspended() -> None:
    """If a Job is created, it does not run before its uid is recorded."""
    manifest = job()
    assert manifest["spec"]["suspend"] is True
    assert Job.from_json(manifest | {"metadata": manifest["metadata"] | {"uid": "u"}}).state is JobState.SUSPENDED


def test_the_name_of_a_job_is_deterministic() -> None:
    """If two operators create the Job of a revision, they create the same one."""
    assert (job()["metadata"]["name"], job_name(SITTING, 2)) == ("grade-60b1f19f-r2",) * 2


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"spec": {"suspend": True}}, JobState.SUSPENDED),
        ({"spec": {"suspend": False}}, JobState.RUNNING),
        ({"spec": {}}, JobState.RUNNING),
        ({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, JobState.COMPLETE),
        ({"status": {"conditions": [{"type": "Complete", "status": "False"}]}}, JobState.RUNNING),
        ({"status": {"conditions": [{"type": "Failed", "status": "True"}]}}, JobState.FAILED),
        ({"status": {"conditions": [{"type": "FailureTarget", "status": "True"}]}}, JobState.FAILED),
        (
            {"spec": {"suspend": True}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}},
            JobState.FAILED,
        ),
    ],
)
def test_the_state_of_a_job_follows_its_conditions(changes: dict, state: JobState) -> None:
    """If Kubernetes marks a Job complete, failed or suspended, the operator reads that state."""
    body = {"metadata": {"name": "grade", "uid": "u"}, "spec": {}} | changes
    assert Job.from_json(body).state is state
    terminating = body | {"metadata": body["metadata"] | {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
    assert Job.from_json(terminating).state is JobState.TERMINATING


DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "exam-solver", "namespace": "platform", "uid": "d"},
    "spec": {"replicas": 7, "selector": {"matchLabels": {"app": "solver"}}},
}
PODS = PodRange(needed=2, floor=2, ceiling=4)


def test_an_autoscaler_has_the_range_of_the_demand() -> None:
    """If I look at an autoscaler, its bounds are the demand's, and it may remove pods."""
    spec = autoscaler(DEPLOYMENT, PODS, keep=False)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    assert spec["scaleTargetRef"]["name"] == "exam-solver"
    assert spec["behavior"]["scaleDown"]["selectPolicy"] == "Max"


@pytest.mark.parametrize(("replicas", "maximum"), [({"replicas": 7}, 7), ({"replicas": 3}, 4), ({}, 4)])
def test_an_autoscaler_keeps_the_pods_of_an_open_sitting(replicas: dict, maximum: int) -> None:
    """If a sitting is open, its autoscaler removes no pod, also none above the maximum of the demand."""
    deployment = DEPLOYMENT | {"spec": {"selector": {}} | replicas}
    spec = autoscaler(deployment, PODS, keep=True)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, maximum)
    assert spec["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"


def test_a_disruption_budget_allows_one_unavailable_pod_and_none_during_a_sitting() -> None:
    """If a node is drained, one pod is evicted at a time; during a sitting none, and the budget names the sitting."""
    free = disruption_budget(DEPLOYMENT, ())
    assert (free["spec"]["maxUnavailable"], free["spec"]["selector"]) == (1, DEPLOYMENT["spec"]["selector"])
    assert "annotations" not in free["metadata"]
    held = disruption_budget(DEPLOYMENT, (KEY,))
    assert held["spec"] == free["spec"] | {"maxUnavailable": 0}
    assert held["metadata"]["annotations"] == {"examplatform.dev/open-sittings": "exams/midterm"}
    many = disruption_budget(DEPLOYMENT, (KEY,) * 300)["metadata"]["annotations"]
    assert many["examplatform.dev/open-sittings"].endswith("exams/midterm and 295 more")


def test_autoscalers_and_budgets_are_deleted_with_their_deployment() -> None:
    """If a release is uninstalled, the garbage collector deletes its autoscalers and budgets with the Deployments."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "exam-solver", "uid": "d"}
    for each in (autoscaler(DEPLOYMENT, PODS, keep=False), disruption_budget(DEPLOYMENT, ())):
        assert each["metadata"]["ownerReferences"] == [owner]


def test_an_event_is_about_its_exam() -> None:
    """If I describe an Exam, its Events are listed."""
    body = event(KEY, name="x", warning=True, reason="Closed", message="too late", at="2027-01-15T08:00:00Z")
    assert (
        body["involvedObject"].items()
        >= {"kind": "Exam", "name": "midterm", "namespace": "exams", "uid": KEY.uid}.items()
    )
    assert (body["type"], body["reason"], body["message"]) == ("Warning", "Closed", "too late")
