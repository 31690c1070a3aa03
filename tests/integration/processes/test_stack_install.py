"""The set-up may run at any time, twice at once and after an interruption, and says what is missing."""

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
def said() -> list[str]:
    """What the set-up said."""
    return []


@pytest.fixture
def cassandra_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which one jar is all of Cassandra, and a Maven that brings it."""
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


def test_what_maven_brings_is_checked_and_put_in_its_place(cassandra_home: Path, said: list[str]) -> None:
    """The jars are in the cache once they were found to be those of the list; the second time nothing is done."""
    install._install_cassandra(said.append)
    assert (cassandra_home / "lib/a.jar").read_text() == "good"
    assert len(said) == 1
    install._install_cassandra(said.append)
    assert len(said) == 1


def test_a_jar_with_other_content_is_refused(
    cassandra_home: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A jar that is not the committed one leaves nothing behind that a later start could run."""
    monkeypatch.setenv("JAR_CONTENT", "evil")
    with pytest.raises(HarnessError, match=r"not those of jars\.sha256: a\.jar"):
        install._install_cassandra(said.append)
    assert list(cassandra_home.parent.iterdir()) == []


def test_a_jar_that_nobody_listed_is_refused(cassandra_home: Path) -> None:
    """No more than the list is taken, and no less."""
    folder = cassandra_home.parent / "lib"
    folder.mkdir()
    assert install._wrong_jars(folder) == ["a.jar"]
    (folder / "a.jar").write_text("good")
    assert install._wrong_jars(folder) == []
    (folder / "b.jar").write_text("more")
    assert install._wrong_jars(folder) == ["b.jar"]


def test_a_damaged_cache_is_mended(cassandra_home: Path, said: list[str]) -> None:
    """A file that lost its content with the power is fetched again."""
    install._install_cassandra(said.append)
    (cassandra_home / "lib/a.jar").write_text("")
    install._install_cassandra(said.append)
    assert (cassandra_home / "lib/a.jar").read_text() == "good"


def test_what_an_interrupted_run_left_is_cleared_away(cassandra_home: Path, said: list[str]) -> None:
    """Half of an installation is never taken for a whole one, and does not stay."""
    left = cassandra_home.parent / f".{cassandra_home.name}-left"
    left.mkdir()
    (left / "half.jar").write_text("ha")
    install._install_cassandra(said.append)
    assert [each.name for each in cassandra_home.parent.iterdir()] == [cassandra_home.name]


def test_two_at_once_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second set-up says that it waits, and goes on when the first is done."""
    monkeypatch.setenv("EXAM_CACHE_DIR", str(tmp_path))
    said: list[str] = []
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def echo(what: str) -> None:
            said.append(what)
            fcntl.flock(lock, fcntl.LOCK_UN)

        with cache.cache_lock(echo):
            assert said == ["another set-up is running, waiting for it"]


def test_a_user_who_may_not_install_hears_what_is_missing(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    """Without root the packages are named, and nothing is tried."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(install, "_has_java", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(HarnessError, match="openjdk-17-jre-headless and maven"):
        install._install_java(said.append)
    assert said == []


def test_the_right_java_is_found_behind_a_newer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose first java is another version may still have the one that Cassandra runs on."""
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


def test_a_folder_that_keeps_postgresql_out_is_named(tmp_path: Path) -> None:
    """The message names the folder and the variable to set."""
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(HarnessError, match=r"cannot pass .*: set TMPDIR"):
        paths.check_traversable(closed / "inner", "TMPDIR")


def test_a_second_set_up_is_quick_and_says_that_all_is_there() -> None:
    """On a machine that is set up already nothing is fetched."""
    done = subprocess.run(
        [sys.executable, "-m", "exam_harness.environments.processes.servers.install"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "set-up: ready"
