"""Build programs from Go modules into the cache.

Versions are pinned in ``k8s/offline/*/go.mod``, and Go verifies every module against ``go.sum``.
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
from exam_harness.environments.processes.paths import require_installed
from exam_harness.environments.processes.process import HarnessError

PROGRESS_SECONDS = 15
LOG_TAIL_LINES = 25


def build(binaries: Iterable[Binary], echo: Echo) -> None:
    """Build the programs that the cache lacks; the caller holds the lock of the cache."""
    for binary in binaries:
        if not home(binary).exists():
            _build(binary, echo)


def go_module_folder(binary: Binary, module: str) -> Path:
    """Return the folder of a required module's sources in Go's module cache, downloaded if missing."""
    return Path(json.loads(_run_go(binary, "mod", "download", "-json", module))["Dir"])


def required_modules(binary: Binary) -> list[str]:
    """Return the modules that a go.mod requires, as ``path@version``, with its replacements."""
    parsed = json.loads(_run_go(binary, "mod", "edit", "-json"))
    replacements = {each["Old"]["Path"]: each["New"] for each in parsed["Replace"] or ()}
    used = [replacements.get(each["Path"], each) for each in parsed["Require"]]
    return [f"{each['Path']}@{each['Version']}" for each in used]


def copy_module(folder: Path, target: Path) -> None:
    """Copy a module's sources, or a part of them, and make them writable: Go's module cache is read-only."""
    shutil.copytree(folder, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _build(binary: Binary, echo: Echo) -> None:
    label = f"{binary.name} {binary.version}"
    echo(f"building {label} with Go (minutes the first time)")
    started = time.monotonic()
    with staged_folder(home(binary)) as folder, _module_flags(binary) as module_flags:
        log = folder / "build.log"
        with log.open("wb") as output:
            build = subprocess.Popen(
                [
                    *build_command(_go(), binary),
                    *(*module_flags, "-o", str(folder / binary.name), binary.package),
                ],
                cwd=binary.sources,
                env=_go_env(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            while _is_running(build):
                echo(f"{label}: {time.monotonic() - started:.0f} s, {_progress(log)}")
        finally:
            if build.poll() is None:
                build.terminate()
                build.wait()
        if build.returncode:
            tail = "\n".join(log.read_text().splitlines()[-LOG_TAIL_LINES:])
            raise HarnessError(f"{label}: go build ended with code {build.returncode}\n{tail}")
        for link in binary.links:
            (folder / link).symlink_to(binary.name)
    echo(f"{label}: built in {time.monotonic() - started:.0f} s")


@contextmanager
def _module_flags(binary: Binary) -> Iterator[list[str]]:
    """Yield module flags for ``go build``: a ``-modfile`` with copies of modules if files are replaced."""
    if not binary.replacements:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="exam-modules-") as temporary:
        folder = Path(temporary)
        copies: dict[str, Path] = {}
        for name, replacement in binary.replacements.items():
            package = Path(name).parent
            output = _run_go(
                binary, "list", "-find", "-mod=readonly", "-f={{.Module.Path}} {{.Module.Dir}}", str(package)
            )
            module, source = output.split()
            if module not in copies:
                copies[module] = folder / str(len(copies))
                copy_module(Path(source), copies[module])
            original = copies[module] / Path(name).relative_to(module)
            if not original.exists():
                raise HarnessError(
                    f"{binary.name}: {package} no longer has {replacement.name}, which {replacement} replaces"
                )
            shutil.copyfile(replacement, original)
        shutil.copyfile(binary.sources / "go.sum", folder / "go.sum")
        replaces = "".join(f"replace {module} => {copy}\n" for module, copy in copies.items())
        (folder / "go.mod").write_text(f"{(binary.sources / 'go.mod').read_text()}\n{replaces}")
        yield [f"-modfile={folder / 'go.mod'}"]


def _run_go(binary: Binary, *arguments: str) -> str:
    completed = subprocess.run(
        [_go(), *arguments],
        cwd=binary.sources,
        env=_go_env(),
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise HarnessError(f"{binary.name}: go {' '.join(arguments)}\n{completed.stdout}{completed.stderr}")
    return completed.stdout


def _is_running(build: subprocess.Popen[bytes]) -> bool:
    """Wait until the next progress message is due; return whether the build is still running."""
    try:
        build.wait(PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _progress(log: Path) -> str:
    lines = log.read_text().splitlines()
    downloaded = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(not line.startswith("go: ") for line in lines)
    return f"{downloaded} modules downloaded, {compiled} packages compiled"


def _go() -> str:
    """Return the path of the Go compiler, which is a locked Python requirement."""
    return str(require_installed(Path(str(distribution(COMPILER).locate_file("go/bin/go")))))


def _go_env() -> dict[str, str]:
    """Return the current environment (proxies, certificates, caches) without what would change the build."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in {"GOROOT", "GOFLAGS", "GOARCH", "GOOS"}
    }
    return inherited | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
