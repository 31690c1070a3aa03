"""The set-up is safe to run at any time, concurrently and after an interruption, and names what is missing."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exam_harness.environments.processes import cache, paths
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.servers import install, java

pytestmark = pytest.mark.integration

MAVEN = """#!/bin/sh
for word in "$@"; do case "$word" in -DoutputDirectory=*) folder=${word#*=};; esac; done
mkdir -p "$folder"; printf %s "$JAR_CONTENT" > "$folder/a.jar"
"""


@pytest.fixture
def messages() -> list[str]:
    """The messages of the set-up."""
    return []


@pytest.fixture
def cassandra_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which Cassandra is a single jar, and a Maven that provides it."""
    jars = tmp_path / "jars.sha256"
    jars.write_text(f"{hashlib.sha256(b'good').hexdigest()}  a.jar\n")
    for module in (install, paths):
        monkeypatch.setattr(module, "JARS", jars)
    monkeypatch.setenv("EXAM_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    maven = tmp_path / "bin/mvn"
    maven.parent.mkdir()
    maven.write_text(MAVEN)
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("JAR_CONTENT", "good")
    return paths.cassandra_home()


def test_downloaded_jars_are_verified_and_installed(cassandra_home: Path, messages: list[str]) -> None:
    """If the jars match the list, they are in the cache; a second run downloads nothing."""
    install._install_jars(messages.append)
    assert (cassandra_home / "lib/a.jar").read_text() == "good"
    assert len(messages) == 1
    install._install_jars(messages.append)
    assert len(messages) == 1


def test_a_jar_with_another_checksum_is_rejected(
    cassandra_home: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a jar has another checksum, the installation fails and leaves nothing in the cache."""
    monkeypatch.setenv("JAR_CONTENT", "evil")
    with pytest.raises(HarnessError, match=r"do not match jars\.sha256: a\.jar"):
        install._install_jars(messages.append)
    assert list(cassandra_home.parent.iterdir()) == []


def test_missing_and_unlisted_jars_are_reported(cassandra_home: Path) -> None:
    """If a listed jar is missing or an unlisted one present, it is reported."""
    folder = cassandra_home.parent / "lib"
    folder.mkdir()
    assert install._wrong_jars(folder) == ["a.jar"]
    (folder / "a.jar").write_text("good")
    assert install._wrong_jars(folder) == []
    (folder / "b.jar").write_text("more")
    assert install._wrong_jars(folder) == ["b.jar"]


def test_a_damaged_cache_is_reinstalled(cassandra_home: Path, messages: list[str]) -> None:
    """If a power failure left an empty file, it is downloaded again."""
    install._install_jars(messages.append)
    (cassandra_home / "lib/a.jar").write_text("")
    install._install_jars(messages.append)
    assert (cassandra_home / "lib/a.jar").read_text() == "good"


def test_remnants_of_an_interrupted_run_are_removed(cassandra_home: Path, messages: list[str]) -> None:
    """If a run was interrupted, its partial folder is never used, and the next run removes it."""
    remnant = cassandra_home.parent / f".{cassandra_home.name}-left"
    remnant.mkdir()
    (remnant / "half.jar").write_text("ha")
    install._install_jars(messages.append)
    assert [each.name for each in cassandra_home.parent.iterdir()] == [cassandra_home.name]


def test_concurrent_runs_wait_for_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another set-up is running, the second one says that it waits, and continues when the first is done."""
    monkeypatch.setenv("EXAM_CACHE_DIR", str(tmp_path))
    messages: list[str] = []
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def echo(message: str) -> None:
            messages.append(message)
            fcntl.flock(lock, fcntl.LOCK_UN)

        with cache.cache_lock(echo):
            assert messages == ["another set-up is running, waiting for it"]


def test_without_root_the_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    """If I am not root, the error names the packages to install, and nothing is installed."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(install, "_has_java", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HarnessError, match="openjdk-17-jre-headless and maven"):
        install._install_java(messages.append)
    assert messages == []


def test_java_17_is_found_among_other_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the first java on the machine is another version, the required one is still found."""
    versions = {"new": "21.0.2", "old": "1.8.0_392", "right": "17.0.15"}
    for name, version in versions.items():
        script = tmp_path / name / "bin/java"
        script.parent.mkdir(parents=True)
        script.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
        script.chmod(0o755)
    monkeypatch.setattr(java, "_candidates", lambda: (tmp_path / name / "bin/java" for name in versions))
    assert java.find_java() == tmp_path / "right/bin/java"
    monkeypatch.setattr(java, "_candidates", lambda: iter([tmp_path / "new/bin/java"]))
    with pytest.raises(HarnessError, match="Java 17 is missing"):
        java.find_java()


def test_a_folder_that_postgresql_cannot_traverse_is_named(tmp_path: Path) -> None:
    """If PostgreSQL's user cannot traverse a folder, the error names it and the variable to set."""
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(HarnessError, match=r"cannot traverse .*: set TMPDIR"):
        paths.check_traversable(closed / "inner", "TMPDIR")


def test_a_second_set_up_downloads_nothing() -> None:
    """If everything is installed, the set-up prints that it is ready and downloads nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "exam_harness.environments.processes.servers.install"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "set-up: ready"
