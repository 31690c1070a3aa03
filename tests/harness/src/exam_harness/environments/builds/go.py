"""Build Kubernetes, etcd and the tools around a cluster from their Go modules into a cache outside the repository.

``python -m exam_harness.environments.builds [NAME...]`` may run at any time, twice at once, and after an
interruption; without names it builds what the tests without a cluster need. Versions are pinned in
``k8s/offline/*/go.mod``, every module is held against its checksum in ``go.sum``, and a change of either is another
folder of the cache.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

from exam_harness.environments.builds.binaries import COMPILER, Binary, build_command, home
from exam_harness.environments.processes.cache import Echo, staged_folder
from exam_harness.environments.processes.paths import installed
from exam_harness.environments.processes.process import HarnessError

PROGRESS_SECONDS = 15
LOG_TAIL_LINES = 25


def build(binaries: Iterable[Binary], echo: Echo) -> None:
    """Build what the cache lacks, saying what is done; the caller holds the cache's lock."""
    for binary in binaries:
        if not home(binary).exists():
            _build(binary, echo)


def go_module_folder(binary: Binary, module: str) -> Path:
    """Where Go keeps the sources of a module that a program is built with, fetched where they are not there."""
    return Path(json.loads(_ask_go(binary, "mod", "download", "-json", module))["Dir"])


def copy_module(folder: Path, target: Path) -> None:
    """Copy (a part of) a module's sources to where they may be changed: Go keeps them read-only, folders too."""
    shutil.copytree(folder, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _build(binary: Binary, echo: Echo) -> None:
    named = f"{binary.name} {binary.version}"
    echo(f"{named}, built with Go from its sources (minutes the first time)")
    began = time.monotonic()
    with staged_folder(home(binary)) as folder, _modules(binary) as modules:
        log = folder / "build.log"
        with log.open("wb") as output:
            build = subprocess.Popen(
                [*build_command(_go(), binary), *modules, "-o", str(folder / binary.name), binary.package],
                cwd=binary.sources,
                env=_go_env(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            while _still_builds(build):
                echo(f"{named}: {time.monotonic() - began:.0f} s, {_progress(log)}")
        finally:
            if build.poll() is None:
                build.terminate()
                build.wait()
        if build.returncode:
            end = "\n".join(log.read_text().splitlines()[-LOG_TAIL_LINES:])
            raise HarnessError(f"{named}: go build ended with code {build.returncode}\n{end}")
        for link in binary.links:
            (folder / link).symlink_to(binary.name)
    echo(f"{named}: built in {time.monotonic() - began:.0f} s")


@contextmanager
def _modules(binary: Binary) -> Iterator[list[str]]:
    """What Go is told of its modules: nothing, or to take copies in which files of ours stand in for theirs."""
    if not binary.replacements:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="exam-modules-") as made:
        folder = Path(made)
        copies: dict[str, Path] = {}
        for name, ours in binary.replacements.items():
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
                raise HarnessError(f"{binary.name}: {package} has no {ours.name} any more; see {ours}")
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
        raise HarnessError(f"{binary.name}: go {' '.join(words)}\n{done.stdout}{done.stderr}")
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
