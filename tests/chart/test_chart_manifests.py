"""The rendered manifests: valid on a real API server, restricted pods, least privilege, and copies in sync."""

import json
import re
import shutil
from urllib.parse import urlsplit

import pytest
import yaml

from exam_harness.chart.render import CHART, RELEASE, RenderError, component_of, pods_of, render
from exam_harness.container import receives_stop_signal
from exam_harness.environments.control_plane.exam_crd import install_crd
from exam_harness.environments.processes.paths import REPOSITORY
from exam_operator.decide.manifests import disruption_budget
from exam_operator.model.exam import ExamKey

FOREIGN_KINDS = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}
"""Kinds whose CustomResourceDefinitions belong to other projects."""
NODE_STALL_SECONDS = 15
"""During an upgrade, a node with two cores may stall for some five seconds, sometimes twice in a row."""
STORE_CLIENTS = {"web", "solver", "grader", "beat", "grading", "migrations"}
SECRET_READERS: dict[str, set[str]] = {
    "secret-key": {"web", "migrations"},
    "web-keys.pem": {"web", "migrations"},
    "statement-keys.pem": {"web", "migrations"},
    "solver-keys.pem": {"solver"},
    "operator-service-keys.pem": {"operator", "web"},
    "solver-service-keys.pem": {"solver", "web"},
    "postgres-password": {"postgres", "migrations"},
    "postgres-owner-password": {"migrations"},
    "postgres-web-password": {"postgres", "web", "migrations"},
    "postgres-solver-password": {"postgres", "solver"},
    "postgres-grader-password": {"postgres", "grader", "beat", "grading"},
    "redis-web-password": {"redis", "broker", "web", "migrations"},
    "redis-solver-password": {"redis", "solver"},
    "redis-grader-password": {"broker", "grader", "beat", "grading"},
    "redis-probe-password": {"redis", "broker"},
    "cassandra-password": {"migrations"},
    "cassandra-web-password": {"web", "migrations"},
    "cassandra-solver-password": {"solver", "migrations"},
    "cassandra-grader-password": {"grader", "beat", "grading", "migrations"},
}


@pytest.fixture(scope="session")
def restricted(control_plane) -> str:
    """A namespace that enforces the restricted standard, with the CRD and the chart's PriorityClasses."""
    install_crd(control_plane)
    classes = {"apiVersion": "v1", "kind": "List", "items": _of_kind(render(), "PriorityClass")}
    control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(classes))
    control_plane.create_namespace("restricted")
    control_plane.kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
    return "restricted"


def _of_kind(manifests, kind) -> list[dict]:
    return [each for each in manifests if each["kind"] == kind]


def _containers(pod) -> list[dict]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.mark.integration
def test_api_server_accepts_every_manifest(manifests, control_plane, restricted) -> None:
    """If I apply the chart, strict validation by the API server accepts every field of every manifest."""
    items = [json.loads(json.dumps(each)) for each in manifests if each["kind"] not in FOREIGN_KINDS]
    for each in items:
        each["metadata"].pop("namespace", None)
    arguments = ("-n", restricted, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    output = control_plane.kubectl(*arguments, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert len(output.splitlines()) == len(items)


@pytest.mark.integration
def test_every_pod_meets_the_restricted_standard(manifests, control_plane, restricted) -> None:
    """If the namespace enforces the restricted standard, every pod is admitted; a privileged variant is rejected."""
    for name, template in pods_of(manifests).items():
        spec = {**template["spec"], "restartPolicy": "Never"}
        spec.pop("serviceAccountName", None)
        # A StatefulSet's data volume comes from its volumeClaimTemplates, unless it keeps nothing.
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        spec["volumes"] = list(({"data": {"name": "data", "emptyDir": {}}} | volumes).values())
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name.lower().replace("/", "-")}, "spec": spec}
        arguments = ("-n", restricted, "create", "--dry-run=server", "-f", "-")
        assert "created" in control_plane.kubectl(*arguments, stdin=json.dumps(pod))
        spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        with pytest.raises(Exception, match="violates PodSecurity"):
            control_plane.kubectl(*arguments, stdin=json.dumps(pod))


def test_containers_have_resource_limits_and_a_read_only_root(manifests) -> None:
    """If a container misbehaves, it can neither exhaust the node's memory nor modify its own image."""
    reload = any(
        "watchfiles" in (each.get("command") or []) for pod in pods_of(manifests).values() for each in _containers(pod)
    )
    for pod in pods_of(manifests).values():
        for each in _containers(pod):
            assert {"cpu", "memory"} <= each["resources"]["requests"].keys()
            assert "memory" in each["resources"]["limits"]
            assert each["securityContext"]["readOnlyRootFilesystem"] is not reload
            assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_long_running_pods_have_all_three_probes(manifests) -> None:
    """If a pod does not serve yet, or stops serving, Kubernetes detects it."""
    for kind in ("Deployment", "StatefulSet"):
        for each in _of_kind(manifests, kind):
            (container,) = each["spec"]["template"]["spec"]["containers"]
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), each["metadata"]["name"]


def test_probes_tolerate_a_stalled_node(manifests) -> None:
    """If a node stalls while pods start, the serving pods and the stores stay in their endpoints."""
    for kind in ("Deployment", "StatefulSet"):
        for each in _of_kind(manifests, kind):
            (container,) = each["spec"]["template"]["spec"]["containers"]
            for name in ("livenessProbe", "readinessProbe"):
                probe = container[name]
                # The defaults are those of Kubernetes.
                tolerated = probe.get("timeoutSeconds", 1) * probe.get("failureThreshold", 3)
                assert tolerated >= NODE_STALL_SECONDS, (each["metadata"]["name"], name)


def test_gateway_looks_up_existing_services(manifests) -> None:
    """The names that the gateway looks up are those of Services: of web, of the solvers, and of ready solver pods."""
    services = {each["metadata"]["name"]: each["spec"] for each in _of_kind(manifests, "Service")}
    (container,) = pods_of(manifests)["Deployment/exam-gateway"]["spec"]["containers"]
    names = {each["name"]: each["value"] for each in container["env"]}
    web, solver, pods = (services[names[each]] for each in ("WEB", "SOLVER", "SOLVER_PODS"))
    assert "clusterIP" not in web | solver
    assert pods["clusterIP"] == "None"
    assert not pods.get("publishNotReadyAddresses")
    assert pods["selector"] == solver["selector"]
    assert {each["ports"][0]["port"] for each in (web, solver, pods)} == {8000}


def test_web_allows_the_hosts_by_which_it_is_called() -> None:
    """If I set hosts.web, the operator and the solvers still reach web: it allows the host that they send."""
    pods = pods_of(
        render(
            {"hosts": {"web": "exams.example.edu", "solver": "solver.exams.example.edu"}, "ingress": {"enabled": False}}
        )
    )
    environments = {
        name: {each["name"]: each.get("value", "") for each in container["env"]}
        for name, pod in pods.items()
        for container in pod["spec"]["containers"]
        if "env" in container
    }
    allowed = environments["Deployment/exam-web"]["EXAM_ALLOWED_HOSTS"].split(",")
    variables = [each for env in environments.values() for each in env.items()]
    called = {name: url for name, url in variables if "WEB" in name and name.endswith("_URL")}
    ports = {name: urlsplit(url).port for name, url in called.items()}
    assert ports == {"EXAM_OPERATOR_WEB_URL": 8001, "EXAM_WEB_URL": 8000, "EXAM_WEB_INTERNAL_URL": 8001}
    assert {urlsplit(url).hostname for url in called.values()} <= set(allowed)
    assert "exams.example.edu" in allowed


def test_gateway_configuration_names_no_host(manifests) -> None:
    """If DNS is unavailable, nginx can still reload its configuration: the addresses are in a file."""
    (config,) = (each for each in _of_kind(manifests, "ConfigMap") if each["metadata"]["name"] == "exam-gateway")
    texts = [text for name, text in config["data"].items() if name.endswith(".conf")]
    assert not [text for text in texts if re.search(r"exam-(web|solver)", text)]
    assert "include /tmp/upstreams.conf;" in config["data"]["nginx.conf"]


def test_every_container_receives_sigterm(manifests) -> None:
    """If a pod terminates, SIGTERM reaches its program, so that it need not be killed."""
    for name, pod in pods_of(manifests).items():
        for each in _containers(pod):
            assert receives_stop_signal(each.get("command") or ["the image's own"]), name


def test_scaled_deployments_omit_replicas(manifests) -> None:
    """If I upgrade during a sitting, the number of its pods stays as the operator set it."""
    found = {each["metadata"]["name"]: each["spec"] for each in _of_kind(manifests, "Deployment")}
    for name in ("exam-web", "exam-solver", "exam-grader"):
        assert "replicas" not in found[name]
    budgets = {each["metadata"]["name"] for each in _of_kind(manifests, "PodDisruptionBudget")}
    assert not budgets & {"exam-web", "exam-solver", "exam-grader"}


def test_each_secret_key_is_read_by_its_components_only(plain) -> None:
    """If an attacker takes over a pod, they find the secrets of that component only."""
    readers: dict[str, set[str]] = {key: set() for key in SECRET_READERS}
    for pod in pods_of(plain).values():
        text = json.dumps(pod)
        for key in re.findall(r'"secretKeyRef": \{"name": "exam-secrets", "key": "([^"]+)"\}', text):
            readers[key].add(component_of(pod))
        for volume in pod["spec"].get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                readers[item["key"]].add(component_of(pod))
        assert '"envFrom"' not in text
        assert all("items" in each["secret"] for each in pod["spec"].get("volumes", []) if "secret" in each)
    assert readers == SECRET_READERS


def test_only_the_operator_has_a_token(manifests) -> None:
    """If an attacker gets into another pod than the operator's, it has no service account token."""
    (account,) = _of_kind(manifests, "ServiceAccount")
    assert account["metadata"]["name"] == "exam-operator"
    with_token = {
        component_of(pod)
        for pod in pods_of(manifests).values()
        if pod["spec"].get("automountServiceAccountToken") is not False
    }
    assert with_token == {"operator"}


@pytest.mark.parametrize(
    ("copy", "original"),
    [
        ("files/exams.yaml", "crds/exams.yaml"),
        ("files/operator-rbac.yaml", "operator/rbac.yaml"),
        *(
            (f"files/nginx/{path.name}", f"docker/nginx/{path.name}")
            for path in sorted((*REPOSITORY.glob("docker/nginx/*.conf"), *REPOSITORY.glob("docker/nginx/*.sh")))
        ),
    ],
)
def test_copies_equal_their_originals(copy, original) -> None:
    """If the CRD, the RBAC rules or the gateway's configuration change, so do the chart's copies (`make copies`)."""
    assert (CHART / copy).read_text() == (REPOSITORY / original).read_text()


@pytest.mark.integration
def test_an_upgrade_is_rejected_while_a_sitting_is_open(control_plane, release_namespace) -> None:
    """If I upgrade while a sitting is open, helm names it and changes nothing, unless I set upgradeDuringSittings."""
    arguments = ("--is-upgrade", "--dry-run=server", f"--kubeconfig={control_plane.kubeconfig}")
    values = {"secrets": {"existingSecret": "kept"}}
    deployment = {
        "metadata": {"name": "exam-solver", "namespace": release_namespace, "uid": "0" * 36},
        "spec": {"selector": {"matchLabels": {"app": "solver"}}},
    }

    def set_open(*sittings: ExamKey) -> None:
        budget = dict(disruption_budget(deployment, sittings))
        budget["metadata"].pop("ownerReferences")
        words = ("-n", release_namespace, "apply", "--server-side", "-f", "-")
        control_plane.kubectl(*words, stdin=json.dumps(budget))

    set_open()
    assert render(values, arguments=arguments)
    set_open(ExamKey("exams", "midterm", "u"))
    with pytest.raises(RenderError, match=r"(?s)Sittings are open: exams/midterm .*set upgradeDuringSittings=true"):
        render(values, arguments=arguments)
    assert render(values | {"upgradeDuringSittings": True}, arguments=arguments)


def test_external_stores_are_not_deployed(external) -> None:
    """If I set existingSecret for the stores, none is deployed, and addresses come from those Secrets."""
    assert _of_kind(external, "StatefulSet") == []
    assert _of_kind(external, "Secret") == []
    read = {
        (each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
        for pod in pods_of(external).values()
        for container in _containers(pod)
        for each in container.get("env", [])
        if "secretKeyRef" in each.get("valueFrom", {})
    }
    assert {("our-postgres", f"{role}-url") for role in ("owner", "web", "solver", "grader")} <= read
    assert ("our-redis", "url") in read
    assert {("our-broker", f"{user}-url") for user in ("web", "grader")} <= read
    assert {("our-cassandra", key) for key in ("hosts", "username", "password", "local-dc", "replication")} <= read
    assert ("ours", "solver-keys.pem") not in read


def test_each_container_gets_the_roles_that_it_needs(manifests) -> None:
    """If an attacker takes over web, they find neither the role that owns the schema nor PostgreSQL's superuser."""
    variables = {
        f"{component_of(pod)} {container['name']}": {
            each["name"] for each in container.get("env", []) if each["name"].endswith("DATABASE_URL")
        }
        for pod in pods_of(manifests).values()
        for container in _containers(pod)
    }
    admin = {each for each, names in variables.items() if "EXAM_ADMIN_DATABASE_URL" in names}
    owner = {each for each, names in variables.items() if "EXAM_OWNER_DATABASE_URL" in names}
    own = any(each["metadata"]["name"] == "exam-postgres" for each in _of_kind(manifests, "StatefulSet"))
    assert admin == ({"migrations postgres-owner"} if own else set())
    assert owner == {"migrations postgres"} | admin
    assert variables["web web"] == {"EXAM_DATABASE_URL"}


def test_all_images_come_from_the_configured_registry() -> None:
    """If I set global.imageRegistry, every image is pulled from it."""
    pods = pods_of(render({"global": {"imageRegistry": "images.example.org"}}))
    images = {each["image"] for pod in pods.values() for each in _containers(pod)}
    assert len(images) == 8
    assert all(image.startswith("images.example.org/") for image in images)


def test_ingress_or_httproute_routes_both_hosts() -> None:
    """If my cluster has the Gateway API instead of an Ingress controller, both hosts are routed to the gateway too."""
    hosts = {"web": "exams.example.org", "solver": "solver.example.org"}
    documents = render(
        {
            "hosts": hosts,
            "gateway": {"trustedProxies": ["10.0.0.0/8"]},
            "ingress": {"enabled": False},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
        }
    )
    assert _of_kind(documents, "Ingress") == []
    (route,) = _of_kind(documents, "HTTPRoute")
    assert route["spec"]["hostnames"] == list(hosts.values())
    assert route["spec"]["parentRefs"] == [{"name": "public"}]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == ("exam-gateway", 8080)
    (config,) = [each for each in _of_kind(documents, "ConfigMap") if each["metadata"]["name"] == "exam-gateway"]
    assert "server_name exams.example.org;" in config["data"]["gateway.conf"]
    assert "server_name solver.example.org;" in config["data"]["gateway.conf"]
    (ingress,) = _of_kind(render({"hosts": hosts, "gateway": {"trustedProxies": ["10.0.0.0/8"]}}), "Ingress")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == list(hosts.values())


def test_each_rack_is_a_statefulset() -> None:
    """If I configure three racks, each is a StatefulSet with its rack name, and the replication factor is three."""
    documents = render({"cassandra": {"racks": ["a", "b", "c"]}})
    racks = {
        each["metadata"]["name"]: each
        for each in _of_kind(documents, "StatefulSet")
        if "cassandra" in each["metadata"]["name"]
    }
    assert set(racks) == {"exam-cassandra-a", "exam-cassandra-b", "exam-cassandra-c"}
    for rack in "abc":
        options = json.dumps(racks[f"exam-cassandra-{rack}"]["spec"]["template"])
        assert f"/etc/exam-cassandra/{rack}.properties" in options
        assert '"preStop": {"exec": {"command": ["nodetool", "drain"]}}' in options
    web = pods_of(documents)["Deployment/exam-web"]
    assert {"name": "EXAM_CASSANDRA_REPLICATION", "value": "3"} in web["spec"]["containers"][0]["env"]


def test_each_component_has_its_role_in_cassandra() -> None:
    """If a component is taken over, its pod has no credentials of Cassandra but those of its own role."""
    roles = {
        "web": {"exam_web"},
        "solver": {"exam_solver"},
        "grader": {"exam_grader"},
        "beat": {"exam_grader"},
        "grading": {"exam_grader"},
        # The container that migrates PostgreSQL is web's.
        "migrations": {"exam", "exam_web"},
    }
    found = {
        component_of(pod): {
            each["value"]
            for container in _containers(pod)
            for each in container.get("env", [])
            if each["name"] == "EXAM_CASSANDRA_USERNAME"
        }
        for pod in pods_of(render()).values()
    }
    assert {component: names for component, names in found.items() if names} == roles
    job = next(each for name, each in pods_of(render()).items() if "migrate" in name)
    order = [each["command"][3] for each in _containers(job) if "exam_answerlog" in each["command"]]
    assert order == ["take-over", "migrate", "roles"]


@pytest.mark.parametrize("prefix", ["", "solver-"])
def test_an_external_cassandra_may_have_a_role_for_each_component(prefix: str) -> None:
    """If my own Cassandra has a role for each component, each uses its own; the migrations use the owner's."""
    pods = pods_of(render({"cassandra": {"existingSecret": "ours", "componentRoles": bool(prefix)}}))
    (job,) = (each for name, each in pods.items() if "migrate" in name)
    (migration,) = (each for each in _containers(job) if "exam_answerlog" in each["command"])
    (solver,) = _containers(pods["Deployment/exam-solver"])
    for container, expected in ((solver, prefix), (migration, "")):
        keys = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each}
        assert keys["EXAM_CASSANDRA_USERNAME"] == {"name": "ours", "key": f"{expected}username"}
        assert keys["EXAM_CASSANDRA_PASSWORD"] == {"name": "ours", "key": f"{expected}password"}
        assert keys["EXAM_CASSANDRA_HOSTS"] == {"name": "ours", "key": "hosts"}


def test_migrations_job_name_changes_with_the_values() -> None:
    """If the image or any value changes, a new Job migrates; if nothing changes, the Job keeps its name."""

    def job(tag, values=None) -> str:
        documents = render({"web": {"image": {"tag": tag}}} | (values or {}))
        (found,) = _of_kind(documents, "Job")
        return found["metadata"]["name"]

    assert job("1.0") == job("1.0") != job("1.1")
    assert job("1.0") != job("1.0", {"trustedOrigins": ["http://localhost:8080"]})


def test_priorities_put_stores_before_serving_before_grading(manifests) -> None:
    """If a node is full, grading is preempted for serving, and both for the stores; other workloads are not."""
    classes = {each["metadata"]["name"]: each for each in _of_kind(manifests, "PriorityClass")}
    assert classes["exam.exam-stores"]["value"] > classes["exam.exam-serving"]["value"] == 0
    assert classes["exam.exam-grading"]["value"] < 0
    assert classes["exam.exam-grading"]["preemptionPolicy"] == "Never"
    tiers = dict.fromkeys(("cassandra", "postgres", "redis", "broker"), "stores") | {
        "grader": "grading",
        "grading": "grading",
    }
    for pod in pods_of(manifests).values():
        assert pod["spec"]["priorityClassName"] == f"exam.exam-{tiers.get(component_of(pod), 'serving')}"


def test_existing_priority_classes_are_used() -> None:
    """If I name existing PriorityClasses, pods use them and the chart creates none."""
    names = {"stores": "first", "serving": "second", "grading": "last"}
    documents = render({"priorityClasses": names})
    assert not _of_kind(documents, "PriorityClass")
    assert {pod["spec"]["priorityClassName"] for pod in pods_of(documents).values()} == set(names.values())


def test_a_new_chart_version_changes_no_pod_of_a_store(tmp_path) -> None:
    """If I upgrade to a chart that changes nothing of the stores, PostgreSQL, Redis and Cassandra do not restart."""
    values = {"cassandra": {"racks": ["a", "b", "c"]}}
    newer = tmp_path / "exam-platform"
    shutil.copytree(CHART, newer)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (newer / "Chart.yaml").write_text(yaml.safe_dump(chart | {"version": "97.0.0", "appVersion": "98.0.0"}))
    before, after = (
        {each["metadata"]["name"]: each["spec"] for each in _of_kind(documents, "StatefulSet")}
        for documents in (render(values), render(values, chart=newer))
    )
    assert len(before) == 6
    assert before == after
    web = f"Deployment/{RELEASE}-web"
    assert pods_of(render(values))[web] != pods_of(render(values, chart=newer))[web], "the versions do differ"
