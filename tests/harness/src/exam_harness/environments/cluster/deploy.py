"""Deploy into the cluster: metrics-server, an Ingress controller, and the platform's chart."""

from exam_harness.environments.builds.binaries import TRAEFIK, required_version
from exam_harness.environments.builds.go import go_module_folder
from exam_harness.environments.cluster.kind import Cluster
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.paths import KIND_SOURCES, REPOSITORY
from exam_harness.hosts import Hosts

ADDONS = KIND_SOURCES / "addons"
CHART = REPOSITORY / "charts/exam-platform"
RELEASE = "exam"
NAMESPACE = "exam"
WAIT = "--timeout=240s"
GRACE_SECONDS = 60
"""How much longer than its own timeout kubectl may run."""
GATEWAY_API = ("sigs.k8s.io/gateway-api", "config/crd/standard")
"""The CustomResourceDefinitions of the Gateway API, in the version that Traefik is built with."""
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


def deploy_addons(cluster: Cluster, echo: Echo, *, metrics_server: str, traefik: str, from_packages: bool) -> None:
    """Deploy metrics-server, and Traefik as the controller of Ingresses and HTTPRoutes."""
    echo("deploying metrics-server and Traefik")
    definitions = gateway_definitions(from_packages=from_packages)
    cluster.kubectl("apply", "--server-side", "-f", definitions)
    cluster.kubectl("wait", "--for=condition=established", "-f", definitions, "--timeout=30s")
    for name, image in (("metrics-server", metrics_server), ("traefik", traefik)):
        text = (ADDONS / f"{name}.yaml").read_text().replace(f"{name.replace('-', '_').upper()}_IMAGE", image)
        cluster.kubectl("apply", "-f", "-", stdin=text)
    for namespace, name in (("kube-system", "metrics-server"), ("traefik", "traefik")):
        cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", WAIT, seconds=300)
    cluster.kubectl("apply", "-f", str(ADDONS / "metrics-api.yaml"))


def gateway_definitions(*, from_packages: bool) -> str:
    """Return the Gateway API's definitions: of the module that Traefik is built with, or their release's address."""
    module, folder = GATEWAY_API
    if from_packages:
        return str(go_module_folder(TRAEFIK, module) / folder)
    version = required_version(TRAEFIK.sources / "go.mod", module)
    return f"https://github.com/kubernetes-sigs/gateway-api/releases/download/{version}/standard-install.yaml"


def deploy_platform(
    cluster: Cluster, echo: Echo, *, tags: dict[str, str], from_packages: bool, port: int, hosts: Hosts
) -> None:
    """Install or upgrade the chart, and wait until everything is ready."""
    echo("installing the platform's chart")
    if NAMESPACE not in cluster.kubectl("get", "namespaces", "--output=name"):
        cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "--overwrite", "namespace", NAMESPACE, RESTRICTED)
    # Helm refuses to upgrade a release whose helm was killed; without the pending revision it continues from the last
    # deployed one.
    pending = f"owner=helm,name={RELEASE},status in (pending-install,pending-upgrade,pending-rollback)"
    for revision in cluster.kubectl("-n", NAMESPACE, "get", "secrets", "-l", pending, "--output=name").split():
        echo(f"deleting {revision}, a pending revision of a helm that was killed")
        cluster.kubectl("-n", NAMESPACE, "delete", revision)
    arguments = chart_arguments(tags=tags, from_packages=from_packages, port=port, hosts=hosts)
    cluster.helm("upgrade", "--install", RELEASE, str(CHART), *arguments)
    await_platform(cluster, echo)


def chart_arguments(*, tags: dict[str, str], from_packages: bool, port: int, hosts: Hosts) -> list[str]:
    """Return helm's arguments: values files and values."""
    files = [KIND_SOURCES / "values.yaml", *([KIND_SOURCES / "values-packages.yaml"] if from_packages else [])]
    origin = f"http://{hosts.web}" + (f":{port}" if port != 80 else "")
    return [
        f"--namespace={NAMESPACE}",
        *(f"--values={path}" for path in files),
        *(f"--set={service}.image.tag={tag}" for service, tag in tags.items()),
        f"--set=hosts.web={hosts.web},hosts.solver={hosts.solver}",
        f"--set=trustedOrigins[0]={origin}",
    ]


def await_platform(cluster: Cluster, echo: Echo) -> None:
    """Wait until the migrations have completed and every StatefulSet and Deployment is rolled out."""
    echo("waiting for stores, migrations and services")
    migrations = ("job", "--selector", component_selector("migrations"), WAIT)
    cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=complete", *migrations, seconds=300)
    await_rollouts(cluster, seconds=240)


def await_rollouts(cluster: Cluster, *, seconds: int, namespace: str = NAMESPACE) -> None:
    """Wait until every StatefulSet and Deployment of a release is rolled out; `seconds` for each of them."""
    for kind in ("statefulset", "deployment"):
        for each in cluster.get("-n", namespace, kind)["items"]:
            name = f"{kind}/{each['metadata']['name']}"
            status = ("rollout", "status", name)
            if each["spec"].get("updateStrategy", {}).get("type") == "OnDelete":
                # The operator replaces its pods: `rollout status` has nothing to wait for.
                status = ("wait", name, f"--for=jsonpath={{.status.availableReplicas}}={each['spec']['replicas']}")
            cluster.kubectl("-n", namespace, *status, f"--timeout={seconds}s", seconds=seconds + GRACE_SECONDS)


def component_selector(name: str) -> str:
    """Return the label selector of a component."""
    return f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={name}"
