"""Wall clocks that can be stepped: libfaketime in front of a process, as if its machine's clock had been set."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from exam_harness.environments.processes.paths import package_folder

_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


class SteppedClock:
    """The wall clock of one process, ahead of this machine's by `offset` µs; its monotonic clock is this machine's.

    Args:
        folder: the folder for its file.
        name: the name of its file.
        threads: whether the process has threads. The library reads the file without a lock, so that a process with
            threads must not do so at every look at the clock: it follows a step within two seconds, the others at once.
    """

    def __init__(self, folder: Path, name: str = "clock", *, threads: bool = False) -> None:
        self.offset = 0
        self.file = folder.absolute() / name
        self._reread = {"FAKETIME_CACHE_DURATION": "1"} if threads else {"FAKETIME_NO_CACHE": "1"}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    @property
    def command(self) -> Sequence[str]:
        """The beginning of a command line under which a server reads this clock, whatever user it has changed to."""
        return ("/usr/bin/env", *(f"{name}={value}" for name, value in self.env.items()))

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables under which a server reads this clock."""
        return {
            "LD_PRELOAD": str(package_folder("libfaketime") / _LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            **self._reread,
        }

    def now(self) -> int:
        """The clock's time (µs since the epoch)."""
        return time.time_ns() // 1_000 + self.offset

    def step(self, amount: int) -> None:
        """Set the clock forward, or back by a negative amount (µs)."""
        self.offset += amount
        self._write()

    def _write(self) -> None:
        written = self.file.with_suffix(".new")
        written.write_text(f"{self.offset / 1_000_000:+.6f}\n")
        written.chmod(0o644)
        written.rename(self.file)


def read_offset(file: Path) -> float:
    """The offset (seconds) that the file of a clock has."""
    return float(file.read_text())
