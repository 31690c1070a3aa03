"""The manifests: taken by a real API server, restricted, frugal with secrets and rights, and copies of one truth."""

import json
import re

import pytest
import yaml

from exam_harness.chart.render import CHART, component_of, pods_of, render
from exam_harness.container import receives_stop_signal
from exam_harness.environments.control_plane.exam_crd import install_crd
from exam_harness.environments.processes.paths import REPOSITORY

ELSEWHERE = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}
"""Kinds whose definitions others bring."""
STANDSTILL_SECONDS = 15
"""A node of two cores on which a release is upgraded answers nobody for some five seconds, sometimes twice in a row."""
ALL = {"web", "solver", "grader", "beat", "grading", "migrations"}
MAY_READ = {
    "secret-key": {"web", "migrations"},
    "service-token": {"web", "migrations", "operator"},
    "web-keys.pem": {"web", "migrations"},
    "solver-keys.pem": {"solver"},
    "postgres-password": {"postgres"},
    "postgres-web-password": {"postgres", "web", "migrations"},
    "postgres-solver-password": {"postgres", "solver"},
    "postgres-grader-password": {"postgres", "grader", "beat", "grading"},
    "redis-password": {"redis", *ALL},
    "cassandra-password": ALL,
}


@pytest.fixture(scope="session")
def restricted(control_plane) -> str:
    """A namespace that takes restricted pods alone, on an API server that knows Exams and the chart's priorities."""
    install_crd(control_plane)
    classes = {"apiVersion": "v1", "kind": "List", "items": _named(render(), "PriorityClass")}
    control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(classes))
    control_plane.create_namespace("restricted")
    control_plane.kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
    return "restricted"


def _named(manifests, kind) -> list[dict]:
    return [each for each in manifests if each["kind"] == kind]


def _containers(pod) -> list[dict]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.mark.integration
def test_a_real_api_server_takes_every_manifest(manifests, control_plane, restricted) -> None:
    """If I apply the chart, the API server knows every field of every manifest."""
    ours = [json.loads(json.dumps(each)) for each in manifests if each["kind"] not in ELSEWHERE]
    for each in ours:
        each["metadata"].pop("namespace", None)
    words = ("-n", restricted, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    said = control_plane.kubectl(*words, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": ours}))
    assert len(said.splitlines()) == len(ours)


@pytest.mark.integration
def test_every_pod_fits_into_a_restricted_namespace(manifests, control_plane, restricted) -> None:
    """If the namespace enforces the restricted standard, every pod is let in, and none with more rights is."""
    for name, template in pods_of(manifests).items():
        spec = {**template["spec"], "restartPolicy": "Never"}
        spec.pop("serviceAccountName", None)
        # A StatefulSet's volumes come from its claims.
        spec["volumes"] = [*spec.get("volumes", []), {"name": "data", "emptyDir": {}}]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name.lower().replace("/", "-")}, "spec": spec}
        words = ("-n", restricted, "create", "--dry-run=server", "-f", "-")
        assert "created" in control_plane.kubectl(*words, stdin=json.dumps(pod))
        spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        with pytest.raises(Exception, match="violates PodSecurity"):
            control_plane.kubectl(*words, stdin=json.dumps(pod))


def test_every_container_is_bounded_and_read_only(manifests) -> None:
    """If a container goes wrong, it can neither take the node's memory nor write to its own image."""
    reload = any(
        "watchfiles" in (each.get("command") or []) for pod in pods_of(manifests).values() for each in _containers(pod)
    )
    for pod in pods_of(manifests).values():
        for each in _containers(pod):
            assert {"cpu", "memory"} <= each["resources"]["requests"].keys()
            assert "memory" in each["resources"]["limits"]
            assert each["securityContext"]["readOnlyRootFilesystem"] is not reload
            assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_what_runs_for_long_is_probed(manifests) -> None:
    """If a pod does not serve, or not any more, Kubernetes knows."""
    for kind in ("Deployment", "StatefulSet"):
        for each in _named(manifests, kind):
            (container,) = each["spec"]["template"]["spec"]["containers"]
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), each["metadata"]["name"]


def test_a_node_that_stands_still_takes_nobody_out_of_the_balance(manifests) -> None:
    """If a node is busy with starting pods, those that serve keep being asked; so does a store."""
    for kind in ("Deployment", "StatefulSet"):
        for each in _named(manifests, kind):
            (container,) = each["spec"]["template"]["spec"]["containers"]
            for name in ("livenessProbe", "readinessProbe"):
                probe = container[name]
                # Kubernetes' own defaults where a manifest says nothing.
                patience = probe.get("timeoutSeconds", 1) * probe.get("failureThreshold", 3)
                assert patience >= STANDSTILL_SECONDS, (each["metadata"]["name"], name)


def test_the_gateway_gives_up_on_no_service(manifests) -> None:
    """If a request to a Service fails, the next one is sent all the same: other pods are behind the same address."""
    (config,) = (each for each in _named(manifests, "ConfigMap") if each["metadata"]["name"] == "exam-gateway")
    servers = re.findall(r"server exam-\S+:8000[^;]*;", config["data"]["nginx.conf"])
    assert len(servers) == 4
    assert all(server.endswith(" max_fails=0;") for server in servers)


def test_every_container_hears_the_signal_to_stop(manifests) -> None:
    """If a pod is told to stop, the program in it is told, and need not be killed."""
    for name, pod in pods_of(manifests).items():
        for each in _containers(pod):
            assert receives_stop_signal(each.get("command") or ["the image's own"]), name


def test_how_many_solvers_and_graders_is_the_operators_to_say(manifests) -> None:
    """If I upgrade in a sitting, the number of solver pods stays what the operator made it."""
    found = {each["metadata"]["name"]: each["spec"] for each in _named(manifests, "Deployment")}
    assert "replicas" not in found["exam-solver"]
    assert "replicas" not in found["exam-grader"]


def test_each_secret_is_read_by_those_who_need_it_alone(plain) -> None:
    """If somebody gets into a pod, they find the keys of that component, and never those of another."""
    readers = {key: set() for key in MAY_READ}
    for pod in pods_of(plain).values():
        text = json.dumps(pod)
        for key in re.findall(r'"secretKeyRef": \{"name": "exam-secrets", "key": "([^"]+)"\}', text):
            readers[key].add(component_of(pod))
        for volume in pod["spec"].get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                readers[item["key"]].add(component_of(pod))
        assert '"envFrom"' not in text
        assert all("items" in each["secret"] for each in pod["spec"].get("volumes", []) if "secret" in each)
    assert readers == MAY_READ
    (secret,) = _named(plain, "Secret")
    assert secret["data"].keys() == MAY_READ.keys()
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_nothing_is_secret_by_default(plain) -> None:
    """If two releases are installed, no secret of one is a secret of the other."""
    (one,), (other,) = _named(plain, "Secret"), _named(render(), "Secret")
    assert all(one["data"][key] != other["data"][key] for key in MAY_READ)


def test_only_the_operator_has_rights(manifests) -> None:
    """If I look for rights in the chart, they are the operator's, and those of operator/rbac.yaml."""
    roles = {each["kind"]: each for each in yaml.safe_load_all((REPOSITORY / "operator/rbac.yaml").read_text())}
    for kind, role in roles.items():
        (ours,) = _named(manifests, kind)
        assert ours["rules"] == role["rules"]
        (binding,) = _named(manifests, f"{kind}Binding")
        assert binding["roleRef"]["name"] == ours["metadata"]["name"]
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "exam-operator", "namespace": "exam"}]
    (account,) = _named(manifests, "ServiceAccount")
    assert account["metadata"]["name"] == "exam-operator"
    with_token = {
        component_of(pod)
        for pod in pods_of(manifests).values()
        if pod["spec"].get("automountServiceAccountToken") is not False
    }
    assert with_token == {"operator"}


@pytest.mark.parametrize(
    ("copy", "truth"),
    [
        ("files/exams.yaml", "crds/exams.yaml"),
        ("files/operator-rbac.yaml", "operator/rbac.yaml"),
        *(
            (f"files/nginx/{path.name}", f"docker/nginx/{path.name}")
            for path in sorted(REPOSITORY.glob("docker/nginx/*.conf"))
        ),
    ],
)
def test_copies_are_equal(copy, truth) -> None:
    """If the resource, the rights or the gateway change, the chart's copies do too (`make copies`)."""
    assert (CHART / copy).read_text() == (REPOSITORY / truth).read_text()


def test_the_resource_outlives_the_release(manifests) -> None:
    """If I uninstall the chart, every Exam stays."""
    (crd,) = _named(manifests, "CustomResourceDefinition")
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    truth = yaml.safe_load((REPOSITORY / "crds/exams.yaml").read_text())
    assert crd["spec"] == truth["spec"]


def test_external_stores_are_not_deployed(external) -> None:
    """If I name Secrets of external stores, none of mine is deployed, and addresses come from those Secrets."""
    assert _named(external, "StatefulSet") == []
    assert _named(external, "Secret") == []
    read = {
        (each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
        for pod in pods_of(external).values()
        for container in _containers(pod)
        for each in container.get("env", [])
        if "valueFrom" in each
    }
    assert {("our-postgres", f"{role}-url") for role in ("web", "solver", "grader")} <= read
    assert ("our-redis", "url") in read
    assert {("our-cassandra", key) for key in ("hosts", "username", "password", "local-dc", "replication")} <= read
    assert ("ours", "solver-keys.pem") not in read


def test_images_come_from_the_registry_that_was_named() -> None:
    """If all images are to come from my registry, all do."""
    pods = pods_of(render({"global": {"imageRegistry": "images.example.org"}}))
    images = {each["image"] for pod in pods.values() for each in _containers(pod)}
    assert len(images) == 8
    assert all(image.startswith("images.example.org/") for image in images)


def test_hosts_are_routed_by_ingress_or_gateway_api() -> None:
    """If my cluster has the Gateway API instead of an Ingress controller, both hosts lead to the gateway too."""
    hosts = {"web": "exams.example.org", "solver": "solver.example.org"}
    documents = render(
        {
            "hosts": hosts,
            "ingress": {"enabled": False},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
        }
    )
    assert _named(documents, "Ingress") == []
    (route,) = _named(documents, "HTTPRoute")
    assert route["spec"]["hostnames"] == list(hosts.values())
    assert route["spec"]["parentRefs"] == [{"name": "public"}]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == ("exam-gateway", 8080)
    (config,) = [each for each in _named(documents, "ConfigMap") if each["metadata"]["name"] == "exam-gateway"]
    assert "server_name exams.example.org;" in config["data"]["gateway.conf"]
    assert "server_name solver.example.org;" in config["data"]["gateway.conf"]
    (ingress,) = _named(render({"hosts": hosts}), "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == list(hosts.values())


def test_racks_of_cassandra_are_apart() -> None:
    """If I name three racks, each is a StatefulSet of its own, knows its name, and rows are kept three times."""
    documents = render({"cassandra": {"racks": ["a", "b", "c"]}})
    racks = {
        each["metadata"]["name"]: each
        for each in _named(documents, "StatefulSet")
        if "cassandra" in each["metadata"]["name"]
    }
    assert set(racks) == {"exam-cassandra-a", "exam-cassandra-b", "exam-cassandra-c"}
    for rack in "abc":
        options = json.dumps(racks[f"exam-cassandra-{rack}"]["spec"]["template"])
        assert f"/etc/exam-cassandra/{rack}.properties" in options
        assert '"preStop": {"exec": {"command": ["nodetool", "drain"]}}' in options
    web = pods_of(documents)["Deployment/exam-web"]
    assert {"name": "EXAM_CASSANDRA_REPLICATION", "value": "3"} in web["spec"]["containers"][0]["env"]


def test_a_new_release_has_migrations_of_its_own() -> None:
    """If the image or any value changes, its migrations are another Job; if nothing does, the Job is the same."""

    def job(tag, values=None) -> str:
        documents = render({"web": {"image": {"tag": tag}}} | (values or {}))
        (found,) = _named(documents, "Job")
        return found["metadata"]["name"]

    assert job("1.0") == job("1.0") != job("1.1")
    assert job("1.0") != job("1.0", {"trustedOrigins": ["http://localhost:8080"]})


def test_a_full_node_is_shared_by_who_waits_for_whom(manifests) -> None:
    """If a node is full, graders make room for what students wait for, and both for the stores; nobody else has to."""
    classes = {each["metadata"]["name"]: each for each in _named(manifests, "PriorityClass")}
    assert classes["exam-exam-stores"]["value"] > classes["exam-exam-serving"]["value"] == 0
    assert classes["exam-exam-grading"]["value"] < 0
    assert classes["exam-exam-grading"]["preemptionPolicy"] == "Never"
    tiers = dict.fromkeys(("cassandra", "postgres", "redis"), "stores") | {"grader": "grading", "grading": "grading"}
    for pod in pods_of(manifests).values():
        assert pod["spec"]["priorityClassName"] == f"exam-exam-{tiers.get(component_of(pod), 'serving')}"


def test_priority_classes_of_ones_own_are_used() -> None:
    """If I name priority classes of mine, pods have those and the chart makes none."""
    ours = {"stores": "first", "serving": "second", "grading": "last"}
    documents = render({"priorityClasses": ours})
    assert not _named(documents, "PriorityClass")
    assert {pod["spec"]["priorityClassName"] for pod in pods_of(documents).values()} == set(ours.values())
