"""Install folders into the cache: staged beside the target, renamed into place, under a lock.

So an installation may run at any time, concurrently, and after an interruption: a folder in its place is complete.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from exam_harness.environments.processes.paths import cache

Echo = Callable[[str], None]
"""Prints a progress message."""


@contextmanager
def staged_folder(home: Path) -> Iterator[Path]:
    """Yield a folder that is renamed to `home` on success; remnants of an interrupted run are removed first."""
    for remnant in home.parent.glob(f".{home.name}-*"):
        shutil.rmtree(remnant)
    folder = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        yield folder
        _make_readable(folder)
        folder.rename(home)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def _make_readable(folder: Path) -> None:
    """Make a folder's content readable by every user, whatever the umask was."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))


@contextmanager
def cache_lock(echo: Echo) -> Iterator[None]:
    """Hold the exclusive lock of the cache; create the cache if it does not exist."""
    folder = cache()
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            echo("another set-up is running, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def setup_progress() -> Iterator[Echo]:
    """Print each step of the set-up: with a spinner on a terminal, otherwise one line per step."""
    console = Console(highlight=False)
    if not console.is_terminal:
        yield lambda message: print(f"set-up: {message}", flush=True)
        print("set-up: ready", flush=True)
        return
    with console.status("set-up") as status:

        def echo(message: str) -> None:
            status.update(f"set-up: {message}")
            console.print(f"set-up: {message}")

        yield echo
    console.print("set-up: ready")
