"""The objects that the operator makes."""

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
    """A grading Job made of the template."""
    return dict(grading_job(TEMPLATE, namespace="platform", key=KEY, sitting=SITTING, revision=2, parallelism=3))


def test_a_grading_job_is_made_of_the_template() -> None:
    """If I look at a grading Job, it runs the template's image for one sitting and revision, and the template stays."""
    before = deepcopy(TEMPLATE)
    made = job()
    assert before == TEMPLATE
    pod = made["spec"]["template"]
    args = pod["spec"]["containers"][0]["args"]
    assert args == ["coordinate", f"--sitting={SITTING}", "--revision=2", "--parallelism=3"]
    assert pod["metadata"]["labels"]["team"] == "maths"
    assert pod["metadata"]["labels"].items() >= made["metadata"]["labels"].items()
    assert pod["spec"]["restartPolicy"] == "Never"


def test_a_grading_job_waits_to_be_released() -> None:
    """If a Job is made, it does not run before it is on record which one it is."""
    made = job()
    assert made["spec"]["suspend"] is True
    assert Job.from_json(made | {"metadata": made["metadata"] | {"uid": "u"}}).state is JobState.SUSPENDED


def test_a_name_is_made_of_sitting_and_revision() -> None:
    """If two operators make the Job of a revision, it is one Job."""
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
def test_the_state_of_a_job_is_read_from_what_kubernetes_says(changes: dict, state: JobState) -> None:
    """If Kubernetes says that a Job is done, failed or waits, the operator takes it so."""
    body = {"metadata": {"name": "grade", "uid": "u"}, "spec": {}} | changes
    assert Job.from_json(body).state is state
    going = body | {"metadata": body["metadata"] | {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
    assert Job.from_json(going).state is JobState.TERMINATING


def test_an_autoscaler_never_has_its_ceiling_below_its_floor() -> None:
    """If the floor is above what sittings ask for at most, the floor holds."""
    made = autoscaler("exam-solver", namespace="platform", floor=9, ceiling=4)["spec"]
    assert (made["minReplicas"], made["maxReplicas"]) == (9, 9)
    assert made["scaleTargetRef"]["name"] == "exam-solver"


def test_a_budget_lets_nodes_be_drained_pod_by_pod() -> None:
    """If a node is drained, one pod of the Deployment goes at a time."""
    selector = {"matchLabels": {"app": "solver"}}
    made = disruption_budget("exam-solver", namespace="platform", selector=selector)["spec"]
    assert made == {"maxUnavailable": 1, "selector": selector}


def test_an_event_is_about_its_exam() -> None:
    """If I describe an Exam, its Events are there."""
    said = event(KEY, name="x", warning=True, reason="Closed", message="too late", at="2027-01-15T08:00:00Z")
    assert (
        said["involvedObject"].items()
        >= {"kind": "Exam", "name": "midterm", "namespace": "exams", "uid": KEY.uid}.items()
    )
    assert (said["type"], said["reason"], said["message"]) == ("Warning", "Closed", "too late")
