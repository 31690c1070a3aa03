"""`kubectl get exams --watch`, shown as it comes and read for the phases that it told."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from exam_harness.environments.builds.binaries import program
from exam_harness.environments.processes.process import ChildProcess

_LOOK_EVERY = 0.1

Say = Callable[[str], None]
Clock = Callable[[], int]


@dataclass
class Phases:
    """When each phase of each Exam was first told (µs), in the order in which they were told."""

    clock: Clock
    told: dict[str, dict[str, int]] = field(default_factory=dict)

    def read(self, line: str) -> None:
        """Take a line of kubectl's table: the name first, then the phase, where there is one yet."""
        words = line.split()
        if len(words) > 1 and words[1].isalpha() and words[0] != "NAME":
            self.told.setdefault(words[0], {}).setdefault(words[1], self.clock())

    def reached(self, name: str, phase: str) -> bool:
        """Whether an Exam has been in a phase."""
        return phase in self.told.get(name, {})


@contextmanager
def watch(env: Mapping[str, str], namespace: str, log: Path, *, phases: Phases, say: Say) -> Iterator[None]:
    """Watch a namespace's Exams for as long as this lasts; `say` hears every line; `env` is kubectl's."""
    words = [str(program("kubectl")), "--namespace", namespace, "get", "exams", "--watch"]
    child = ChildProcess("kubectl-get-exams", words, log=log, env=env)
    log.touch()
    over = Event()

    def follow() -> None:
        with log.open() as lines:
            rest = ""
            while True:
                ends = over.is_set()
                *whole, rest = (rest + lines.read()).split("\n")
                for line in whole:
                    phases.read(line)
                    say(line)
                if ends:
                    return
                over.wait(_LOOK_EVERY)

    reader = Thread(target=follow, name="kubectl-get-exams", daemon=True)
    child.start()
    reader.start()
    try:
        yield
    finally:
        child.stop()
        over.set()
        reader.join()
