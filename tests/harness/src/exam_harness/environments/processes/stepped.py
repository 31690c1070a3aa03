"""``python -m exam_harness.environments.processes.stepped FILE MODULE ARGUMENT…``: a module under a clock of its own.

The process and those that it forks follow the offset in a file (`SteppedClock`), as if their machine's clock had been
set. Their monotonic clocks and the boot clock stay the machine's.
"""

import os
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Final

import time_machine

from exam_harness.environments.processes.servers.clock import read_offset

_READ_SECONDS: Final = 0.1


class _Follower:
    """Sets the wall clock of this process by the offset in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0.0
        self._travel: time_machine.travel | None = None

    def start(self) -> None:
        """Follow the file from now on; a forked process has to call it again."""
        self._follow()
        threading.Thread(target=self._run, name="stepped-clock", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(_READ_SECONDS)
            self._follow()

    def _follow(self) -> None:
        offset = read_offset(self._file)
        if offset == self._offset:
            return
        if self._travel is not None:
            self._travel.stop()
        self._travel = time_machine.travel(time.time() + offset, tick=True)
        self._travel.start()
        self._offset = offset


def main(file: str, module: str) -> None:
    """Run a module under the clock of a file."""
    follower = _Follower(Path(file))
    follower.start()
    os.register_at_fork(after_in_child=follower.start)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _, _file, _module, *_arguments = sys.argv
    sys.argv = [_module, *_arguments]
    main(_file, _module)
