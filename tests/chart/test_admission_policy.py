"""The policy that keeps the pods of open sittings, on a real API server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from exam_harness.chart.render import render
from exam_harness.environments.processes.process import HarnessError
from exam_harness.waiting import eventually
from exam_operator.decide.manifests import disruption_budget
from exam_operator.model.exam import ExamKey

OPEN = ExamKey("exams", "midterm", "u")
KINDS = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
REPLACE = "examplatform.dev/replace-during-sittings"


def _policies(values=None) -> list[dict[str, Any]]:
    return [each for each in render(values) if each["kind"] in KINDS]


def test_the_policy_can_be_left_out() -> None:
    """If my release may create no cluster-wide objects, or I switch the policy off, it is not rendered."""
    assert {each["kind"] for each in _policies()} == KINDS
    assert _policies({"admissionPolicy": {"enabled": False}}) == []
    assert _policies({"watchNamespaces": ["maths"], "crds": {"roles": False}}) == []


class Release:
    """The release's Deployments on an API server, and the operator's budget."""

    def __init__(self, control_plane, namespace: str) -> None:
        self.control_plane = control_plane
        self.namespace = namespace
        self._restarts = 0

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace of the release."""
        return str(self.control_plane.kubectl("-n", self.namespace, *words, stdin=stdin))

    def apply(self, documents) -> None:
        """Create or change objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": documents}
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items))

    def deployments(self, values=None) -> list[dict[str, Any]]:
        """The Deployments as the chart renders them."""
        return [each for each in render(values) if each["kind"] == "Deployment"]

    def set_open(self, *sittings: ExamKey) -> None:
        """Set the budget as the operator does."""
        solver = json.loads(self.kubectl("get", "deployment", "exam-solver", "-o", "json"))
        self.apply([disruption_budget(solver, sittings)])

    def restart(self, component: str) -> None:
        """Change the pod template; `kubectl rollout restart` changes it once in a second."""
        self._restarts += 1
        self.kubectl("set", "env", f"deployment/exam-{component}", f"RESTARTED={self._restarts}")

    def is_rejected(self, component: str = "solver") -> bool:
        """Return whether a restart is rejected because a sitting is open."""
        try:
            self.restart(component)
        except HarnessError as error:
            if "Sittings are open: exams/midterm." not in str(error):
                raise
            return True
        return False


@pytest.fixture(scope="module")
def release(control_plane, release_namespace) -> Iterator[Release]:
    """A release with its policy, without pods; no sitting is open."""
    release = Release(control_plane, release_namespace)
    release.apply(release.deployments())
    release.set_open()
    release.apply(_policies())
    yield release
    release.kubectl("delete", "deployments,poddisruptionbudgets", "--all")
    names = [f"{each['kind']}/{each['metadata']['name']}" for each in _policies()]
    release.kubectl("delete", *names)


@pytest.mark.integration
def test_pods_of_an_open_sitting_are_not_replaced(release) -> None:
    """If a sitting is open, a restart of web, solver or gateway is rejected; of others, or later, it is not."""
    release.set_open(OPEN)
    eventually(release.is_rejected, "the policy is in force", seconds=30)
    assert all(release.is_rejected(component) for component in ("web", "gateway"))
    assert not any(release.is_rejected(component) for component in ("grader", "operator"))
    with pytest.raises(HarnessError, match=r"replace the pods that serve their students.*upgradeDuringSittings"):
        release.kubectl("rollout", "restart", "deployment/exam-solver")
    release.set_open()
    eventually(lambda: not release.is_rejected(), "the sitting is over", seconds=30)
    release.kubectl("rollout", "restart", "deployment/exam-solver")


@pytest.mark.integration
def test_scaling_goes_on_during_a_sitting(release) -> None:
    """If a sitting is open, its autoscaler can add pods, and labels can change: neither replaces a pod."""
    release.set_open(OPEN)
    eventually(release.is_rejected, "the policy is in force", seconds=30)
    release.kubectl("scale", "deployment/exam-solver", "--replicas=7")
    release.kubectl("label", "deployment/exam-solver", "--overwrite", "team=exams")
    release.kubectl("patch", "deployment/exam-solver", "--patch", '{"spec": {"replicas": 8}}')


@pytest.mark.integration
def test_pods_can_be_replaced_on_request(release) -> None:
    """If I annotate a Deployment, or set upgradeDuringSittings, its pods are replaced while a sitting is open."""
    release.set_open(OPEN)
    eventually(release.is_rejected, "the policy is in force", seconds=30)
    release.kubectl("annotate", "deployment/exam-web", f"{REPLACE}=true")
    assert not release.is_rejected("web")
    assert release.is_rejected("solver"), "each Deployment on its own"
    changed = {"logLevel": "DEBUG"}
    with pytest.raises(HarnessError, match="Sittings are open"):
        release.apply(release.deployments(changed))
    release.apply(release.deployments(changed | {"upgradeDuringSittings": True}))
    served = [f"deployment/exam-{component}" for component in ("web", "solver", "gateway")]
    release.kubectl("annotate", *served, f"{REPLACE}-")
    assert release.is_rejected("web")


@pytest.mark.integration
def test_another_release_is_not_concerned(release, control_plane) -> None:
    """If a sitting of one release is open, Deployments of another one, in any namespace, can be changed."""
    release.set_open(OPEN)
    eventually(release.is_rejected, "the policy is in force", seconds=30)
    control_plane.create_namespace("elsewhere")
    other = Release(control_plane, "elsewhere")
    other.apply([{**each, "metadata": {**each["metadata"], "namespace": "elsewhere"}} for each in other.deployments()])
    assert not other.is_rejected("solver")
    beside = [each for each in render(release="second") if each["kind"] == "Deployment"]
    release.apply([each for each in beside if each["metadata"]["name"] == "second-solver"])
    release.kubectl("set", "env", "deployment/second-solver", "X=1")
