"""Two releases in one cluster: separate names, one CustomResourceDefinition, and one operator for each Exam."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from exam_harness.chart.network_policies import allowed_connections
from exam_harness.chart.render import CHART, SECRET, RenderError, render
from exam_harness.environments.builds.binaries import program
from exam_harness.environments.control_plane.exam_crd import install_crd
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.process import HarnessError

CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PriorityClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
RULES: dict[str, list[dict[str, Any]]] = {
    each["kind"]: each["rules"] for each in yaml.safe_load_all((REPOSITORY / "operator/rbac.yaml").read_text())
}
PAPERS = [each for each in RULES["ClusterRole"] if each["resources"] == ["secrets"]]
EXAMS = [each for each in RULES["ClusterRole"] if each not in PAPERS]
SUBJECTS = [{"kind": "ServiceAccount", "name": "exam-operator", "namespace": "exam"}]
SECOND = {"crds": {"install": False}}


def _of_kind(documents, kind) -> list[dict[str, Any]]:
    return [each for each in documents if each["kind"] == kind]


def _rights(documents) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rules of all roles that are bound, by namespace (empty: all) and name."""
    found = {}
    for kind in ("Role", "ClusterRole"):
        for binding in _of_kind(documents, f"{kind}Binding"):
            assert binding["subjects"] == SUBJECTS
            assert binding["roleRef"]["kind"] == kind
            place = binding["metadata"].get("namespace", ""), binding["roleRef"]["name"]
            (role,) = [
                each
                for each in _of_kind(documents, kind)
                if (each["metadata"].get("namespace", ""), each["metadata"]["name"]) == place
            ]
            found[place] = role["rules"]
    return found


def test_two_releases_share_no_cluster_wide_name() -> None:
    """If two teams install the chart in one cluster, no object of one release belongs to the other one too."""
    one, other = render(), render(SECOND, namespace="physics")
    names = [
        {(each["kind"], each["metadata"]["name"]) for each in documents if each["kind"] in CLUSTER_WIDE}
        for documents in (one, other)
    ]
    assert names[0] & names[1] == set()
    assert {kind for kind, _ in names[0]} == CLUSTER_WIDE
    assert all(name.startswith("physics.") for _, name in names[1])
    same = render(SECOND, release="physics")
    taken = {(each["kind"], each["metadata"]["name"]) for each in one}
    assert not [each for each in same if (each["kind"], each["metadata"]["name"]) in taken], "in one namespace"


def test_names_tell_namespace_and_release_apart() -> None:
    """If release c of namespace a-b and release b-c of namespace a are in one cluster, they share no name."""
    names = [
        {(each["kind"], each["metadata"]["name"]) for each in documents if each["kind"] in CLUSTER_WIDE}
        for documents in (render(SECOND, namespace="a-b", release="c"), render(SECOND, namespace="a", release="b-c"))
    ]
    assert names[0]
    assert names[0] & names[1] == set()
    watching = [
        {(each["kind"], each["metadata"]["name"]) for each in documents if each["metadata"].get("namespace") == "maths"}
        for documents in (
            render(SECOND | {"watchNamespaces": ["maths"]}, namespace="a-b", release="c"),
            render(SECOND | {"watchNamespaces": ["maths"]}, namespace="a", release="b-c"),
        )
    ]
    assert watching[0]
    assert watching[0] & watching[1] == set()


def test_crd_is_kept_on_uninstall(manifests) -> None:
    """If I uninstall the chart, every Exam stays in the cluster."""
    (crd,) = _of_kind(manifests, "CustomResourceDefinition")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    original = yaml.safe_load((REPOSITORY / "crds/exams.yaml").read_text())
    assert crd["spec"] == original["spec"]


def test_crd_can_be_left_to_others() -> None:
    """If another release or another tool installs the resource, this one does not; and I can have it deleted."""
    assert _of_kind(render({"crds": {"install": False}}), "CustomResourceDefinition") == []
    (crd,) = _of_kind(render({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in crd["metadata"]


def test_by_default_no_secret_of_another_namespace_is_read(plain) -> None:
    """If an attacker takes over the operator, they read no Secret outside its namespace."""
    assert _rights(plain) == {
        ("exam", "exam-operator"): RULES["Role"],
        ("exam", "exam-operator-papers"): PAPERS,
        ("", "exam.exam-operator"): EXAMS,
    }
    assert PAPERS == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]


def test_reading_all_secrets_is_a_choice() -> None:
    """If papers come from Secrets of any namespace, I can let the operator read them, and it may not list them."""
    rights = _rights(render({"operator": {"readAllSecrets": True}}))
    assert rights["", "exam.exam-operator-papers"] == PAPERS
    assert rights["", "exam.exam-operator"] == EXAMS


def test_named_namespaces_get_roles() -> None:
    """If I name the namespaces of Exams, the operator has rights there and in its own, and none in the cluster."""
    documents = render({"watchNamespaces": ["maths", "physics"]})
    assert _rights(documents) == {
        ("exam", "exam-operator"): RULES["Role"],
        ("maths", "exam.exam-operator-exams"): [*EXAMS, *PAPERS],
        ("physics", "exam.exam-operator-exams"): [*EXAMS, *PAPERS],
    }
    assert _of_kind(documents, "ClusterRoleBinding") == []
    (operator,) = [each for each in _of_kind(documents, "Deployment") if each["metadata"]["name"] == "exam-operator"]
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert {"name": "EXAM_OPERATOR_WATCH_NAMESPACES", "value": "maths,physics"} in container["env"]


def test_view_and_edit_include_exams(plain) -> None:
    """If a user may view or edit a namespace, they may view or edit its Exams, without a role of the project."""
    verbs = {
        label.removeprefix("rbac.authorization.k8s.io/aggregate-to-"): set(role["rules"][0]["verbs"])
        for role in _of_kind(plain, "ClusterRole")
        for label in role["metadata"]["labels"]
        if "aggregate-to-" in label
    }
    changes = {"create", "update", "patch", "delete", "deletecollection"}
    assert verbs == {"view": {"get", "list", "watch"}, "edit": changes, "admin": changes}
    without = render({"crds": {"roles": False}, "watchNamespaces": ["maths"]})
    assert _of_kind(without, "ClusterRole") == []


@pytest.fixture(scope="module")
def namespaces(control_plane) -> None:
    """Three namespaces on an API server with the resource."""
    install_crd(control_plane)
    for name in ("maths", "physics", "history"):
        control_plane.create_namespace(name)


@pytest.fixture
def cluster(control_plane, namespaces) -> Iterator[Any]:
    """The API server; roles are deleted after the test."""
    yield control_plane
    labelled = ("-l", "app.kubernetes.io/name=exam-platform")
    control_plane.kubectl("delete", "clusterroles,clusterrolebindings", *labelled)
    for name in ("maths", "physics", "history", "exam"):
        control_plane.kubectl("-n", name, "delete", "roles,rolebindings", *labelled)


def _install_roles(cluster, values, namespace) -> None:
    kinds = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
    items = [each for each in render(values, namespace=namespace) if each["kind"] in kinds]
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


@pytest.mark.integration
def test_each_exam_has_one_operator(cluster, release_namespace) -> None:
    """If another release's operator watches a namespace, helm refuses a second one for it, with what to set."""
    options: dict[str, Any] = {
        "namespace": "history",
        "arguments": ("--dry-run=server", f"--kubeconfig={cluster.kubeconfig}"),
    }
    one, two = {"watchNamespaces": ["maths"]}, {**SECOND, "watchNamespaces": ["physics"]}
    _install_roles(cluster, one, namespace=release_namespace)
    assert render(two, **options)
    assert render(one, **options | {"namespace": release_namespace}), "its own roles are no other's"
    for overlapping in ({**SECOND, "watchNamespaces": ["physics", "maths"]}, SECOND):
        with pytest.raises(
            RenderError, match=r"exam/exam-operator already reconciles the Exams of namespace maths.*set w"
        ):
            render(overlapping, **options)
    _install_roles(cluster, {}, namespace=release_namespace)
    with pytest.raises(RenderError, match="exam/exam-operator already reconciles the Exams of all namespaces"):
        render(two, **options)


@pytest.mark.integration
def test_an_upgrade_serves_the_operators_that_it_replaces(cluster) -> None:
    """If operators run that share one token with web, an upgrade lets them reach web for an hour; the next does not."""
    arguments = ("--is-upgrade", "--dry-run=server", f"--kubeconfig={cluster.kubeconfig}")
    own = {"crds": {"install": False, "roles": False}, "watchNamespaces": ["history"]}
    words = ("-n", "history", "apply", "--server-side", "--force-conflicts", "-f", "-")

    def deployment(documents: list[dict[str, Any]], name: str) -> tuple[str, list[dict[str, Any]]]:
        """A Deployment of the release as JSON, and the variables of its container."""
        (found,) = (each for each in _of_kind(documents, "Deployment") if each["metadata"]["name"] == name)
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return json.dumps(found), container["env"]

    def upgrade() -> str:
        """Until when an upgrade of what the cluster has serves former operators; it is applied to web."""
        documents = render(own, namespace="history", arguments=arguments)
        web, variables = deployment(documents, "exam-web")
        env = {each["name"]: each.get("value", "") for each in variables}
        until = env.get("EXAM_FORMER_CALLERS_UNTIL", "")
        assert ("EXAM_SERVICE_TOKEN" in env) is bool(until)
        assert (("operator", "web", 8000) in allowed_connections(documents)) is bool(until)
        cluster.kubectl(*words, stdin=web)
        return until

    present, _ = deployment(render(own, namespace="history"), "exam-operator")
    token = {"secretKeyRef": {"name": "exam-secrets", "key": "service-token"}}
    former = json.loads(present)
    (container,) = former["spec"]["template"]["spec"]["containers"]
    container["env"].append({"name": "EXAM_SERVICE_TOKEN", "valueFrom": token})
    try:
        cluster.kubectl(*words, stdin=json.dumps(former))
        until = upgrade()
        assert timedelta(minutes=59) < datetime.fromisoformat(until) - datetime.now(UTC) <= timedelta(hours=1)
        cluster.kubectl(*words, stdin=present)
        assert upgrade() == until, "an upgrade that is repeated within the hour"
        _, variables = deployment(render(own, namespace="history"), "exam-web")
        past = {"name": "EXAM_FORMER_CALLERS_UNTIL", "value": "2026-01-01T00:00:00Z"}
        web = json.loads(deployment(render(own, namespace="history"), "exam-web")[0])
        web["spec"]["template"]["spec"]["containers"][0]["env"] = [*variables, past]
        cluster.kubectl(*words, stdin=json.dumps(web))
        assert upgrade() == "", "the next upgrade"
    finally:
        cluster.kubectl("-n", "history", "delete", "deployments", "exam-operator", "exam-web", "--ignore-not-found")


@pytest.mark.integration
def test_the_operator_may_act_where_it_watches(cluster, release_namespace) -> None:
    """If I name namespaces, the API server lets the operator work there, and rejects it elsewhere."""
    _install_roles(cluster, {"watchNamespaces": ["maths"]}, namespace=release_namespace)
    account = f"--as=system:serviceaccount:{release_namespace}:exam-operator"

    def may(verb, resource, namespace) -> bool:
        words = ("auth", "can-i", account, "-n", namespace, verb, resource)
        try:
            return cluster.kubectl(*words).strip() == "yes"
        except HarnessError as error:
            if "ended with code 1\nno" not in str(error):
                raise
            return False

    asked = [("watch", "exams.examplatform.dev"), ("get", "secrets"), ("create", "events"), ("get", "namespaces/maths")]
    assert [each for each in asked if may(*each, "maths")] == asked
    assert [each for each in asked if may(*each, "physics")] == []
    assert may("create", "jobs.batch", release_namespace)
    assert not may("get", "secrets", release_namespace)


@pytest.mark.integration
def test_an_upgrade_keeps_the_classes_of_the_stores(cluster, release_namespace) -> None:
    """If my release has PriorityClasses of the former names, an upgrade keeps them, and restarts no store."""

    def classes(**owner: str) -> set[str]:
        former = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {
                "name": f"{release_namespace}-exam-stores",
                "annotations": {f"meta.helm.sh/release-{name}": value for name, value in owner.items()},
            },
            "value": 1000,
        }
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(former))
        arguments = ("--is-upgrade", "--dry-run=server", f"--kubeconfig={cluster.kubeconfig}")
        documents = render({"admissionPolicy": {"enabled": False}}, arguments=arguments)
        return {each["spec"]["template"]["spec"]["priorityClassName"] for each in _of_kind(documents, "StatefulSet")}

    try:
        assert classes(name="exam", namespace=release_namespace) == {f"{release_namespace}-exam-stores"}
        assert classes(name="exam", namespace="another") == {f"{release_namespace}.exam-stores"}
    finally:
        cluster.kubectl("delete", "priorityclass", f"{release_namespace}-exam-stores")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("values", "printed"),
    [({}, True), ({"operator": {"readAllSecrets": True}}, False), ({"watchNamespaces": ["maths"]}, False)],
    ids=["default", "all Secrets", "named namespaces"],
)
def test_notes_name_the_right_that_a_namespace_with_papers_grants(
    cluster, release_namespace, values, *, printed
) -> None:
    """If a namespace needs a Role before its Exams may have papers, helm prints the commands after the installation."""
    command = [str(program("helm")), "install", "notes", str(CHART), f"--namespace={release_namespace}", "--values=-"]
    command += ["--dry-run=server", f"--kubeconfig={cluster.kubeconfig}"]
    given = json.dumps(SECOND | {"secrets": {"existingSecret": SECRET}} | values)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, notes = done.stdout.split("\nNOTES:\n")
    assert ("--serviceaccount=exam:notes-operator" in notes) is printed
    assert ("create role exam-papers --verb=get --resource=secrets" in notes) is printed
