"""``python -m exam_harness.scenarios.skaffold``: edit a source file while `skaffold dev` is running.

Exit codes: 0 the edit was served without a build, and the release was deleted at the end; 1 any failure.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from exam_harness.environments.builds.binaries import SKAFFOLD, program
from exam_harness.environments.builds.go import build
from exam_harness.environments.cluster.deploy import NAMESPACE, RELEASE
from exam_harness.environments.cluster.up import Platform, arguments, bring_up_cluster
from exam_harness.environments.docker import engine as engines
from exam_harness.environments.processes.cache import cache_lock
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.steps import Steps
from exam_harness.waiting import eventually

EDITED = Path("services/solver/src/exam_solver/health.py")
BEFORE, AFTER = '"running"', '"edited"'
"""The detail of a check in the solver's `/healthz`, as written in its source and in its JSON."""
WATCHING = "Watching for changes"
IGNORED = (".git", ".venv", "build", ".*_cache", ".hypothesis", "__pycache__")
START_SECONDS = 900
SYNC_SECONDS = 120
END_SECONDS = 180
LOG = REPOSITORY / "build/skaffold/skaffold.log"


def main() -> int:
    """Run the scenario and return the exit code."""
    parsed = arguments("Run skaffold dev on the local cluster and edit a source file.")
    with Steps("make test-skaffold") as steps:
        with cache_lock(steps.echo):
            engines.start_or_connect(steps.echo)
            steps.run("skaffold", lambda: build([SKAFFOLD], steps.echo))
        platform = bring_up_cluster(steps, port=parsed.port)
        with tempfile.TemporaryDirectory(prefix="exam-skaffold-") as folder:
            copy = Path(folder) / "repository"
            shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*IGNORED), symlinks=True)
            source = copy / EDITED
            if BEFORE not in source.read_text():
                raise HarnessError(f"{EDITED} does not contain {BEFORE}")
            with _skaffold(platform, copy, _environment(platform, Path(folder))) as log:
                steps.echo("skaffold dev: building images and deploying the chart")
                steps.run("first deployment", lambda: _await_health(platform, BEFORE, START_SECONDS))
                # An earlier edit would be part of the first build.
                eventually(
                    lambda: WATCHING in log.read_text(), "skaffold is watching the sources", seconds=START_SECONDS
                )
                steps.echo(f"editing {EDITED}")
                builds = log.read_text().count("Building [")
                source.write_text(source.read_text().replace(BEFORE, AFTER))
                steps.run("sync of the edit", lambda: _await_health(platform, AFTER, SYNC_SECONDS))
                text = log.read_text()
                if "Syncing 1 files" not in text or text.count("Building [") != builds:
                    raise HarnessError(f"the edit was not synced but triggered a build: see {LOG}")
                steps.echo("the edit is served; stopping skaffold")
            if RELEASE in platform.cluster.helm("list", f"--namespace={NAMESPACE}", "--short").split():
                raise HarnessError("skaffold has exited and its release still exists")
        steps.table()
    return 0


@contextmanager
def _skaffold(platform: Platform, folder: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Run `skaffold dev` in a folder until the context ends; yields the path of its log."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    profile = ["--profile=packages"] if platform.from_packages else []
    words = [str(program("skaffold")), "dev", *profile, "--kube-context=kind-exam-platform", "--tail=false"]
    with LOG.open("wb") as output:
        child = subprocess.Popen(words, cwd=folder, env=dict(env), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield LOG
    except BaseException:
        print("\n".join(LOG.read_text().splitlines()[-40:]))
        raise
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(END_SECONDS)


def _environment(platform: Platform, folder: Path) -> dict[str, str]:
    """The environment of a developer's shell, with the cluster's tools on its PATH."""
    options = {"SKAFFOLD_INTERACTIVE": "false", "SKAFFOLD_UPDATE_CHECK": "false"}
    return {**platform.cluster.subprocess_env, **options, "HOME": str(folder)}


def _await_health(platform: Platform, expected: str, seconds: float) -> None:
    """Wait until the solver's health response through the Ingress contains a text."""
    compact = expected.replace(" ", "")

    def contains() -> bool:
        try:
            response = httpx.get(
                f"http://127.0.0.1:{platform.port}/healthz",
                headers={"Host": "solver.localhost"},
                timeout=5,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        return compact in response.text.replace(" ", "")

    eventually(contains, f"the solver's health has {expected}", seconds=seconds)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make test-skaffold: {error}")
