"""A wall clock that can be stepped: libfaketime in front of a server, as if its machine's clock had been set."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from exam_harness.environments.processes.paths import package_folder

_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


class SteppedClock:
    """The wall clock of one server, ahead of this machine's by `offset` µs; its monotonic clock is this machine's."""

    def __init__(self, folder: Path) -> None:
        self.offset = 0
        self._file = folder.absolute() / "clock"
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
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def now(self) -> int:
        """The clock's time (µs since the epoch)."""
        return time.time_ns() // 1_000 + self.offset

    def step(self, amount: int) -> None:
        """Set the clock forward, or back by a negative amount (µs)."""
        self.offset += amount
        self._write()

    def _write(self) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(f"{self.offset / 1_000_000:+.6f}\n")
        written.chmod(0o644)
        written.rename(self._file)
