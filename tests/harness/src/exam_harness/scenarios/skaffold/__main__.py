"""``python -m exam_harness.scenarios.skaffold``: edit a source under a real `skaffold dev`.

Exit codes: 0 the new answer came without a build, and the release is gone at the end; 1 anything else.
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
BEFORE, AFTER = '"status": "ok"', '"status": "edited"'
"""What a solver says of its health, in its source and in its answer."""
WATCHES = "Watching for changes"
IGNORED = (".git", ".venv", "build", ".*_cache", ".hypothesis", "__pycache__")
START_SECONDS = 900
SYNC_SECONDS = 120
END_SECONDS = 180
LOG = REPOSITORY / "build/skaffold/skaffold.log"


def main() -> int:
    """Run it; the exit code."""
    given = arguments("Run skaffold dev on the local cluster and edit a source.")
    with Steps("make test-skaffold") as steps:
        with cache_lock(steps.echo):
            engines.start_or_connect(steps.echo)
            steps.run("skaffold", lambda: build([SKAFFOLD], steps.echo))
        platform = bring_up_cluster(steps, port=given.port)
        with tempfile.TemporaryDirectory(prefix="exam-skaffold-") as folder:
            copy = Path(folder) / "repository"
            shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*IGNORED), symlinks=True)
            with _skaffold(platform, copy, _environment(platform, Path(folder))) as log:
                steps.echo("skaffold dev: images are built and the chart is deployed")
                steps.run("until it serves", lambda: _await(platform, BEFORE, START_SECONDS))
                # What is edited before that belongs to the first build.
                eventually(lambda: WATCHES in log.read_text(), "skaffold watches the sources", seconds=START_SECONDS)
                steps.echo(f"{EDITED} is edited")
                built = log.read_text().count("Building [")
                source = copy / EDITED
                source.write_text(source.read_text().replace(BEFORE, AFTER))
                steps.run("until the edit serves", lambda: _await(platform, AFTER, SYNC_SECONDS))
                text = log.read_text()
                if "Syncing 1 files" not in text or text.count("Building [") != built:
                    raise HarnessError(f"the edit was not synced, but built anew: see {LOG}")
                steps.echo("the new answer is there; skaffold is told to end")
            if RELEASE in platform.cluster.helm("list", f"--namespace={NAMESPACE}", "--short").split():
                raise HarnessError("skaffold has ended and its release is still there")
        steps.table()
    return 0


@contextmanager
def _skaffold(platform: Platform, folder: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """`skaffold dev` in a folder for as long as this lasts; the log of what it says."""
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
    """The environment of a developer's shell, with the tools on its path."""
    quiet = {"SKAFFOLD_INTERACTIVE": "false", "SKAFFOLD_UPDATE_CHECK": "false"}
    return {**platform.cluster.subprocess_env, **quiet, "HOME": str(folder)}


def _await(platform: Platform, said: str, seconds: float) -> None:
    """Wait until a solver says this of its health, through the Ingress."""
    wanted = said.replace(" ", "")

    def answers() -> bool:
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{platform.port}/healthz",
                headers={"Host": "solver.localhost"},
                timeout=5,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        return wanted in answer.text.replace(" ", "")

    eventually(answers, f"a solver says {said}", seconds=seconds)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (HarnessError, TimeoutError) as error:
        sys.exit(f"make test-skaffold: {error}")
