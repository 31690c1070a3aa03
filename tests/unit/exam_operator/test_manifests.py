"""The manifests of the objects that the operator creates."""

from copy import deepcopy

import pytest

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


def test_the_maximum_of_an_autoscaler_is_not_below_its_minimum() -> None:
    """If the floor is above the ceiling, the floor wins."""
    manifest = autoscaler("exam-solver", namespace="platform", floor=9, ceiling=4)["spec"]
    assert (manifest["minReplicas"], manifest["maxReplicas"]) == (9, 9)
    assert manifest["scaleTargetRef"]["name"] == "exam-solver"


def test_a_disruption_budget_allows_one_unavailable_pod() -> None:
    """If a node is drained, one pod of the Deployment is evicted at a time."""
    selector = {"matchLabels": {"app": "solver"}}
    manifest = disruption_budget("exam-solver", namespace="platform", selector=selector)["spec"]
    assert manifest == {"maxUnavailable": 1, "selector": selector}


def test_an_event_is_about_its_exam() -> None:
    """If I describe an Exam, its Events are listed."""
    body = event(KEY, name="x", warning=True, reason="Closed", message="too late", at="2027-01-15T08:00:00Z")
    assert (
        body["involvedObject"].items()
        >= {"kind": "Exam", "name": "midterm", "namespace": "exams", "uid": KEY.uid}.items()
    )
    assert (body["type"], body["reason"], body["message"]) == ("Warning", "Closed", "too late")
