"""How a folder gets into the cache: made beside its place, renamed into it, by one process at a time.

So an installation may run at any time, twice at once, and after an interruption: what is in its place is whole.
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
"""Tells the person who waits."""


@contextmanager
def staged_folder(home: Path) -> Iterator[Path]:
    """A folder that becomes `home` when the block ends well; what an interrupted run left is removed first."""
    for left in home.parent.glob(f".{home.name}-*"):
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        yield folder
        _open_to_all(folder)
        folder.rename(home)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def _open_to_all(folder: Path) -> None:
    """Let every user read what is in a folder, whatever mask it was made under."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))


@contextmanager
def cache_lock(echo: Echo) -> Iterator[None]:
    """Hold the cache's lock, which makes the cache where it is not; whoever has it is waited for."""
    folder = cache()
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            echo("another set-up is running, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def progress() -> Iterator[Echo]:
    """Says each step: a spinner with the present one at a terminal, a line each anywhere else."""
    console = Console(highlight=False)
    if not console.is_terminal:
        yield lambda what: print(f"set-up: {what}", flush=True)
        print("set-up: ready", flush=True)
        return
    with console.status("set-up") as status:

        def echo(what: str) -> None:
            status.update(f"set-up: {what}")
            console.print(f"set-up: {what}")

        yield echo
    console.print("set-up: ready")
