"""Where things are kept: the cache outside the repository, the folders of one run, the repository itself."""

import os
import pwd
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[5]
CASSANDRA_SOURCES = REPOSITORY / "tests/support/cassandra"
KIND_SOURCES = REPOSITORY / "k8s/kind"


def cache() -> Path:
    """The cache: ``EXAM_CACHE_DIR``, or a system folder as root (a home of mode 700 keeps PostgreSQL's user out)."""
    named = os.environ.get("EXAM_CACHE_DIR")
    if named:
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/cache/exam-platform")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "exam-platform"


def new_folder(name: str) -> Path:
    """A new folder for one run, which other users may pass through but not list."""
    folder = Path(tempfile.mkdtemp(prefix=f"exam-{name}-"))
    folder.chmod(0o711)
    return folder


def unprivileged() -> pwd.struct_passwd | None:
    """The user that PostgreSQL runs as when we are root (it refuses to be); None when we are not."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
