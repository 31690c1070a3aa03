"""How a folder gets into the cache: made beside its place, renamed into it, by one process at a time.

So an installation may run at any time, twice at once, and after an interruption: what is in its place is whole.
"""

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from exam_support.stack.places import cache


@contextlib.contextmanager
def folder_for(home: Path) -> Iterator[Path]:
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
def one_at_a_time(lock: str = "lock") -> Iterator[None]:
    """Hold a lock of the cache, waiting for whoever has it."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def short_digest(data: bytes) -> str:
    """What tells one version of a folder from another in its name."""
    return hashlib.sha256(data).hexdigest()[:16]


def say(what: str) -> None:
    """Tell the person who waits."""
    print(f"set-up: {what}", flush=True)
