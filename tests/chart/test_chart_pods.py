"""What a platform team sets for each component: scheduling, metadata, environment, volumes, users, images, ports."""

from typing import Any

import pytest
import yaml

from exam_harness.chart.network_policies import OUTSIDE, allowed_connections
from exam_harness.chart.render import CHART, RenderError, component_of, pods_of, render

COMPONENTS = {
    "web": {"web", "migrations", "test"},
    "solver": {"solver"},
    "grader": {"grader", "beat", "grading"},
    "operator": {"operator"},
    "gateway": {"gateway"},
    "postgres": {"postgres"},
    "redis": {"redis"},
    "broker": {"broker"},
    "cassandra": {"cassandra"},
}
"""The pods of each group of values."""
SPREAD = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
POD: dict[str, Any] = {
    "nodeSelector": {"pool": "exams"},
    "tolerations": [{"key": "exams", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [SPREAD],
    "podLabels": {"team": "exams", "app.kubernetes.io/name": "mine"},
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "extra", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "extra", "mountPath": "/extra"}],
}


def _pods(documents, group) -> dict[str, dict[str, Any]]:
    pods = {component_of(pod): pod for pod in pods_of(documents).values()}
    return {component: pods[component] for component in COMPONENTS[group]}


@pytest.mark.parametrize("group", COMPONENTS)
def test_pods_have_what_the_values_set(group) -> None:
    """If I set scheduling, labels, annotations, variables or volumes of a component, its pods alone have them."""
    before, after = render(), render({group: POD})
    for component, pod in _pods(after, group).items():
        spec, metadata = pod["spec"], pod["metadata"]
        assert spec["nodeSelector"] == POD["nodeSelector"]
        assert spec["tolerations"] == POD["tolerations"]
        assert spec["affinity"] == POD["affinity"]
        (spread,) = spec["topologySpreadConstraints"]
        assert spread.pop("labelSelector")["matchLabels"]["app.kubernetes.io/component"] == component
        assert spread == SPREAD
        if component == "test":
            continue
        assert metadata["labels"]["team"] == "exams"
        assert metadata["labels"]["app.kubernetes.io/name"] == "exam-platform", "the Services select it"
        assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"
        assert POD["extraVolumes"][0] in spec["volumes"]
        assert POD["extraVolumeMounts"][0] in spec["containers"][0]["volumeMounts"]
        if component != "migrations":
            assert POD["extraEnv"][0] in spec["containers"][0]["env"]
    for other in COMPONENTS.keys() - {group}:
        for component, pod in _pods(after, other).items():
            without = {name: value for name, value in pod["metadata"].items() if name != "annotations"}
            assert without == {
                name: value for name, value in _pods(before, other)[component]["metadata"].items() if name in without
            }
            assert pod["spec"] == _pods(before, other)[component]["spec"]


def test_variables_of_web_reach_its_migrations() -> None:
    """If web needs a variable for its database, the migration has it too."""
    (job,) = (each for name, each in pods_of(render({"web": POD})).items() if name.startswith("Job/exam-migrate"))
    assert POD["extraEnv"][0] in job["spec"]["initContainers"][0]["env"]


def test_openshift_assigns_users() -> None:
    """If I set runAsUser to null, the pods ask for no user, and are still refused as root."""
    for pod in pods_of(render({group: {"runAsUser": None} for group in COMPONENTS})).values():
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys()


def test_default_users_are_those_of_the_images(plain) -> None:
    """If I set nothing, each pod runs as the user that owns its image's files."""
    users = {component_of(pod): pod["spec"]["securityContext"]["runAsUser"] for pod in pods_of(plain).values()}
    assert users.pop("gateway") == 101
    assert {users.pop(each) for each in ("postgres", "redis", "broker", "cassandra")} == {999}
    assert set(users.values()) == {10001}


def test_images_can_be_pinned_by_digest() -> None:
    """If I set digests, exactly those images run."""
    digest = f"sha256:{'0' * 64}"
    pods = pods_of(render({group: {"image": {"digest": digest}} for group in COMPONENTS}))
    images = {each["image"] for pod in pods.values() for each in pod["spec"]["containers"]}
    assert len(images) == 8
    assert all(image.endswith(f"@{digest}") for image in images)
    with pytest.raises(RenderError, match="digest"):
        render({"web": {"image": {"digest": "latest"}}})


def test_ports_of_policies_are_values() -> None:
    """If my cluster's DNS, API server or stores have other ports, the policies allow those and not the usual ones."""
    ports = {"dnsPorts": [5353], "apiServerPorts": [8443], "externalStorePorts": [9142]}
    documents = render({"networkPolicies": ports, "cassandra": {"existingSecret": "ours"}})
    outside = {(source, port) for source, target, port in allowed_connections(documents) if target == OUTSIDE}
    assert ("operator", 8443) in outside
    assert ("solver", 9142) in outside
    assert {port for _, port in outside} == {5353, 8443, 9142}


def test_gateway_listens_on_ipv6_where_the_pod_has_it(plain) -> None:
    """If my cluster has IPv6 addresses, the gateway and its probes are reachable at them; without, it starts too."""
    (config,) = [
        each["data"] for each in plain if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "exam-gateway"
    ]
    command = pods_of(plain)["Deployment/exam-gateway"]["spec"]["containers"][0]["command"][-1]
    assert "include /tmp/listen-ipv6*.conf;" in config["listen.conf"]
    assert "include /tmp/health-ipv6*.conf;" in config["nginx.conf"]
    for port, name in ((8080, "listen"), (8081, "health")):
        assert f"echo 'listen [::]:{port};' > /tmp/{name}-ipv6.conf" in command


def test_the_chart_describes_itself() -> None:
    """If I look the chart up on Artifact Hub, it has a maintainer, a licence, and the resource that it installs."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["maintainers"]
    assert chart["annotations"]["artifacthub.io/license"] == "MIT"
    (crd,) = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    definition = yaml.safe_load((CHART / "files/exams.yaml").read_text())
    assert crd["name"] == definition["metadata"]["name"]
    assert crd["version"] in {each["name"] for each in definition["spec"]["versions"]}
