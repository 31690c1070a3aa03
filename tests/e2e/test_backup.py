"""The scripts of docs/backup.md: back up, lose everything, restore."""

import os
import re
import shutil
import subprocess

import pytest

from exam_harness.environments.cluster.deploy import NAMESPACE, chart_arguments
from exam_harness.environments.cluster.diagnostics import await_recovery
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.scenarios.sitting.store_readers import PostgresReader, read_raw_buckets

BLOCK = re.compile(r"^## (\w+)$.*?```bash\n(.*?)```", re.MULTILINE | re.DOTALL)
SCRIPTS = dict(BLOCK.findall((REPOSITORY / "docs/backup.md").read_text()))

pytestmark = pytest.mark.skipif(os.environ.get("EXAM_E2E") != "all", reason="the drill is part of make test-e2e-full")


def _run(name, platform, folder) -> None:
    """Run a script of the documentation in a folder with a copy of the chart."""
    arguments = chart_arguments(
        tags=platform.tags, from_packages=platform.from_packages, port=platform.port, hosts=platform.hosts
    )
    env = platform.cluster.subprocess_env | {
        "VALUES": " ".join(argument for argument in arguments if not argument.startswith("--namespace")),
    }
    completed = subprocess.run(
        ["/bin/bash", "-c", SCRIPTS[name]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr


def _degrees_and_seals(access, result) -> tuple[list, list]:
    """Read every degree and every sealed bucket of a run's sittings."""
    with access.forwarded("postgres", 5432) as port, access.cassandra() as session:
        postgres = PostgresReader(access.dsn(port))
        degrees = [
            sorted(postgres.degrees(each.id, 1), key=lambda one: one.student) for each in result.sitting.scheduled
        ]
        seals = [
            read_raw_buckets(session, "exam", each.id, postgres.seal(each.id).buckets)
            for each in result.sitting.scheduled
        ]
    return degrees, seals


def test_backup_and_restore(platform, access, sit, tmp_path) -> None:
    """If I back up, lose the namespace with all its volumes, and restore, degrees and seals are unchanged."""
    cluster = platform.cluster
    result = sit()
    before = _degrees_and_seals(access, result)
    assert all(before[0])
    assert all(before[1])
    shutil.copytree(REPOSITORY / "charts", tmp_path / "charts")
    _run("Backup", platform, tmp_path)
    cluster.helm("uninstall", "exam", f"--namespace={NAMESPACE}", "--wait")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=180s", seconds=200)
    volumes = cluster.get("persistentvolumes")["items"]
    assert all(each["status"]["phase"] != "Bound" for each in volumes)
    _run("Restore", platform, tmp_path)
    await_recovery(cluster)
    assert _degrees_and_seals(access, result) == before
