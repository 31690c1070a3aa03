"""docs/backup.md, run as it stands: dump, lose everything, restore."""

import os
import re
import shutil
import subprocess

import pytest

from exam_harness.environments.cluster.deploy import NAMESPACE, chart_arguments
from exam_harness.environments.cluster.diagnostics import await_recovery
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.scenarios.sitting.store_readers import Postgres, raw_seal

BLOCK = re.compile(r"^## (\w+)$.*?```bash\n(.*?)```", re.MULTILINE | re.DOTALL)
SCRIPTS = dict(BLOCK.findall((REPOSITORY / "docs/backup.md").read_text()))

pytestmark = pytest.mark.skipif(os.environ.get("EXAM_E2E") != "all", reason="the drill is part of make test-e2e-full")


def _run(name, platform, folder) -> None:
    """Run a script of the documentation in a folder in which the repository's chart is."""
    words = chart_arguments(tags=platform.tags, from_packages=platform.from_packages, port=platform.port)
    env = platform.cluster.subprocess_env | {
        "VALUES": " ".join(word for word in words if not word.startswith("--namespace")),
    }
    done = subprocess.run(
        ["/bin/bash", "-c", SCRIPTS[name]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _held(access, outcome) -> tuple[list, list]:
    """Every degree and every sealed bucket of some sittings."""
    with access.forwarded("postgres", 5432) as port, access.cassandra() as session:
        postgres = Postgres(access.dsn(port))
        degrees = [sorted(postgres.degrees(each.id, 1), key=lambda one: one.student) for each in outcome.scheduled]
        seals = [raw_seal(session, "exam", each.id, postgres.seal(each.id).buckets) for each in outcome.scheduled]
    return degrees, seals


def test_everything_is_lost_and_restored(platform, access, sit, tmp_path) -> None:
    """If I follow docs/backup.md, lose the namespace with all its volumes, and restore, degrees and seals are equal."""
    cluster = platform.cluster
    outcome = sit()
    held = _held(access, outcome)
    assert all(held[0])
    assert all(held[1])
    shutil.copytree(REPOSITORY / "charts", tmp_path / "charts")
    _run("Backup", platform, tmp_path)
    cluster.helm("uninstall", "exam", f"--namespace={NAMESPACE}", "--wait")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=180s", seconds=200)
    volumes = cluster.get("persistentvolumes")["items"]
    assert all(each["status"]["phase"] != "Bound" for each in volumes)
    _run("Restore", platform, tmp_path)
    await_recovery(cluster)
    assert _held(access, outcome) == held
