"""Build Kubernetes and etcd from their Go modules into a cache outside the repository.

``python -m exam_support.kube.install`` may run at any time, twice at once, and after an interruption. Versions are
pinned in ``k8s/kind/*/go.mod``, every module is held against its checksum in ``go.sum``, and a change of either is
another folder of the cache.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from exam_support.stack.cached import folder_for, one_at_a_time, say, short_digest
from exam_support.stack.places import KIND_SOURCES, cache
from exam_support.stack.process import StackError

GO_AT_LEAST = (1, 24)
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
    """

    name: str
    module: str
    links: tuple[str, ...] = ()
    stamped: tuple[str, ...] = ()

    @property
    def sources(self) -> Path:
        """Where its module is."""
        return KIND_SOURCES / self.name

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
        told = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        stamps = [f"-X {package}.{name}={value}" for package in self.stamped for name, value in told.items()]
        return " ".join(["-s", "-w", *stamps])


KUBERNETES = Binary(
    name="kubernetes",
    module="k8s.io/kubernetes",
    links=COMPONENTS,
    stamped=("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
)
ETCD = Binary(name="etcd", module="go.etcd.io/etcd/server/v3")


def program(name: str) -> Path:
    """Where ``etcd`` or a component of Kubernetes is; that it is not built yet is an error which says what to do."""
    binary = ETCD if name == ETCD.name else KUBERNETES
    path = _home(binary, _go_version(_go())) / name
    if not path.exists():
        raise StackError(f"{binary.name} {binary.version} is not built yet: run make kube (minutes, once)")
    return path


def main() -> None:
    """Build what the cache lacks, saying what is done."""
    go = _go()
    for binary in (ETCD, KUBERNETES):
        home = _home(binary, _go_version(go))
        with one_at_a_time("lock-go"):
            if not home.exists():
                _build(binary, go, home)
    say(f"Kubernetes {KUBERNETES.version} and etcd {ETCD.version} are ready")


def _home(binary: Binary, go_version: str) -> Path:
    """The folder of a built program: other sources, another compiler or other flags are another folder."""
    parts = [(binary.sources / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    recipe = f"{go_version}\n{' '.join(_words('go', binary))}".encode()
    return cache() / f"{binary.name}-{binary.version.removeprefix('v')}-{short_digest(b''.join([*parts, recipe]))}"


def _words(go: str, binary: Binary) -> list[str]:
    # Read-only modules: go.sum is what is checked against, never what is written.
    return [go, "build", "-v", "-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={binary.link_flags}"]


def _build(binary: Binary, go: str, home: Path) -> None:
    named = f"{binary.name} {binary.version}"
    say(f"{named}: building with Go from its sources (minutes the first time)")
    began = time.monotonic()
    with folder_for(home) as folder:
        log = folder / "build.log"
        with log.open("wb") as output:
            build = subprocess.Popen(
                [*_words(go, binary), "-o", str(folder / binary.name), "."],
                cwd=binary.sources,
                env=os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"},
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
    wanted = ".".join(map(str, GO_AT_LEAST))
    go = shutil.which("go")
    if go is None:
        raise StackError(
            f"Go is missing: install Go {wanted} or newer (the Go project has archives of it)"
            " and put its bin folder on the PATH; Debian 12's own golang-go is too old"
        )
    found = re.match(r"go(\d+)\.(\d+)", _go_version(go))
    if found is None or (int(found[1]), int(found[2])) < GO_AT_LEAST:
        raise StackError(f"{go} is {_go_version(go)}: put Go {wanted} or newer first on the PATH")
    return go


def _go_version(go: str) -> str:
    """Compiler and platform, like ``go1.24.0 linux/amd64``."""
    done = subprocess.run(
        [go, "env", "GOVERSION", "GOOS", "GOARCH"],
        env=os.environ | {"GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=True,
    )
    version, system, machine = done.stdout.split()
    return f"{version} {system}/{machine}"


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"set-up: {error}")
