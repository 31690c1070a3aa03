"""The phases of Exams over time, parsed from the output of `kubectl get exams --watch`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

from exam_harness.environments.builds.tools import tool
from exam_harness.environments.processes.process import ChildProcess

ORDER = ("Pending", "Scheduled", "Warming", "Open", "Closing", "Grading", "Graded", "Published")
"""The phases of a sitting, in order. A short one may be over before kubectl prints it."""
_POLL_SECONDS = 0.1

Echo = Callable[[str], None]
Clock = Callable[[], int]


@dataclass
class PhaseLog:
    """When each phase of each Exam was first printed (µs), in the order of printing."""

    clock: Clock
    first_seen: dict[str, dict[str, int]] = field(default_factory=dict)

    def parse_line(self, line: str) -> None:
        """Record a line of kubectl's table: the name, then the phase unless it is still empty."""
        words = line.split()
        if len(words) > 1 and words[1].isalpha() and words[0] != "NAME":
            self.first_seen.setdefault(words[0], {}).setdefault(words[1], self.clock())

    def reached(self, name: str, phase: str) -> bool:
        """Whether an Exam has been in a phase."""
        return phase in self.first_seen.get(name, {})


def in_order(phases: Sequence[str], *, required: Sequence[str]) -> bool:
    """Whether phases were seen in their order, all required ones among them."""
    complete = all(phase in ORDER for phase in phases) and all(phase in phases for phase in required)
    return complete and all(ORDER.index(one) < ORDER.index(other) for one, other in pairwise(phases))


@contextmanager
def watch_exams(env: Mapping[str, str], namespace: str, log: Path, *, phases: PhaseLog, echo: Echo) -> Iterator[None]:
    """Watch a namespace's Exams with kubectl, which gets `env`; record the phases and echo every line."""
    command = [str(tool("kubectl")), "--namespace", namespace, "get", "exams", "--watch"]
    child = ChildProcess("kubectl-get-exams", command, log=log, env=env)
    log.touch()
    stopped = Event()

    def follow() -> None:
        with log.open() as stream:
            rest = ""
            while True:
                last_pass = stopped.is_set()
                *lines, rest = (rest + stream.read()).split("\n")
                for line in lines:
                    phases.parse_line(line)
                    echo(line)
                if last_pass:
                    return
                stopped.wait(_POLL_SECONDS)

    reader = Thread(target=follow, name="kubectl-get-exams", daemon=True)
    child.start()
    reader.start()
    try:
        yield
    finally:
        child.stop()
        stopped.set()
        reader.join()
