"""Schedules of faults, drawn from a seed: when which fault hits which target, and for how long. Pure.

A schedule is JSON, so that a failed run can be repeated from a file, and `smaller` proposes what to try to shrink it.
Times are milliseconds after the opening of the sitting's window.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from random import Random
from typing import Any, Final

WINDOW_MS: Final = 8_000
"""The window of a sitting under a schedule."""
DURATION_MS: Final = 7_000
"""The duration of an attempt."""
_LAST_START_MS: Final = WINDOW_MS + 2_500
"""Faults begin until this time, so that some hit the drain, the sealing and the grading."""
_SHORTEST_MS: Final = 250
"""A fault is not shortened further than this."""


class Fault(StrEnum):
    """What is injected."""

    KILL = "kill"
    """SIGKILL; started again at the end."""
    PAUSE = "pause"
    """SIGSTOP; SIGCONT at the end."""
    RESTART = "restart"
    """SIGTERM, then started again; its duration is how long that takes."""
    DELAY = "delay"
    """A link delivers later, by `amount` milliseconds in each direction."""
    CUT = "cut"
    """A link delivers nothing; what was sent meanwhile arrives at the end."""
    RESET = "reset"
    """A link's connections are reset, new ones too."""
    MUTE = "mute"
    """A link delivers requests and loses the responses."""
    EXTEND = "extend"
    """The operator extends the window by `amount` milliseconds."""
    HOLD = "hold"
    """The operator pauses the sitting, and resumes it at the end."""
    ACCOMMODATE = "accommodate"
    """The operator grants the student at index `target` extra time, `amount` milliseconds."""
    STOP = "stop"
    """The operator ends the window now."""
    STEP = "step"
    """The wall clock of a process is set forward, or back, by `amount` milliseconds."""
    LOSE_TASKS = "lose-tasks"
    """All queued Celery tasks are lost."""
    REPEAT_TASKS = "repeat-tasks"
    """All Celery tasks are delivered twice."""


PROCESS_FAULTS: Final = (Fault.KILL, Fault.PAUSE, Fault.RESTART)
LINK_FAULTS: Final = (Fault.DELAY, Fault.CUT, Fault.RESET, Fault.MUTE)
OPERATIONS: Final = (Fault.EXTEND, Fault.HOLD, Fault.ACCOMMODATE, Fault.STOP)
TASK_FAULTS: Final = (Fault.LOSE_TASKS, Fault.REPEAT_TASKS)

SITTING: Final = "sitting"
QUEUES: Final = "queues"
PLATFORM_CLOCK: Final = "postgres"
"""The process whose wall clock is the platform's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fault: its beginning, its target, its duration, and how much where the fault has a measure."""

    at: int
    fault: Fault
    target: str
    lasts: int = 0
    amount: int = 0

    @property
    def server(self) -> str:
        """The process that it hits, of a link the one that is connected to."""
        return self.target.rpartition("→")[2]

    def __str__(self) -> str:
        """Format it for a report."""
        lasts = f" for {self.lasts} ms" if self.lasts else ""
        amount = f" ({self.amount} ms)" if self.amount else ""
        return f"{self.at:+6d} ms {self.fault} {self.target}{lasts}{amount}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The faults of one sitting, in order of their beginning; the seed also determines what the students do."""

    seed: int
    events: tuple[Event, ...]

    def to_json(self) -> dict[str, Any]:
        """Return its JSON form."""
        return {"seed": self.seed, "events": [asdict(event) for event in self.events]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Schedule":
        """The inverse of `to_json`."""
        events = (Event(**{**event, "fault": Fault(event["fault"])}) for event in body["events"])
        return cls(seed=body["seed"], events=tuple(events))

    @property
    def stepped(self) -> int:
        """By how much the platform's clock is stepped in all, whatever the direction."""
        steps = (event for event in self.events if event.fault is Fault.STEP and event.target == PLATFORM_CLOCK)
        return sum(abs(event.amount) for event in steps)

    @property
    def delays_writes(self) -> bool:
        """Whether a write of an answer may arrive long after it was sent."""
        return any(
            "cassandra" in event.target or (event.fault is Fault.PAUSE and event.target.startswith("solver"))
            for event in self.events
        )

    def hits_only(self, processes: Container[str]) -> bool:
        """Whether its faults hit these processes and their connections alone."""
        return all(event.server in processes for event in self.events)

    def smaller(self) -> Iterator["Schedule"]:
        """Yield schedules that are simpler by one step: without an event first, then with one that is shorter."""
        for index in range(len(self.events)):
            yield replace(self, events=self.events[:index] + self.events[index + 1 :])
        for index, event in enumerate(self.events):
            if event.lasts > _SHORTEST_MS:
                shorter = replace(event, lasts=max(_SHORTEST_MS, event.lasts // 2))
                yield replace(self, events=(*self.events[:index], shorter, *self.events[index + 1 :]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What faults may hit.

    Attributes:
        processes: names of processes, each with its relative frequency.
        clocks: names of processes whose wall clock can be stepped, each with its relative frequency.
        links: names of links, ``client→server``, each with its relative frequency.
        students: the number of students.
        replicas: the processes of which only one at a time may fail.
    """

    processes: Mapping[str, float]
    clocks: Mapping[str, float]
    links: Mapping[str, float]
    students: int
    replicas: frozenset[str] = frozenset()

    def replica(self, event: Event) -> str | None:
        """The replica that an event hits, itself or its connections."""
        return event.server if event.server in self.replicas else None


def draw_schedule(seed: int, targets: Targets) -> Schedule:
    """Draw a schedule: two to five faults, and in half of all schedules an operation in the middle."""
    rng = Random(f"{seed}/schedule")
    events: list[Event] = []
    wanted = rng.randint(2, 5)
    while len(events) < wanted:
        event = _draw_fault(rng, targets)
        if not any(_overlap(event, other) or _hit_two_replicas(event, other, targets) for other in events):
            events.append(event)
    if rng.random() < 0.5:
        events += _draw_operations(rng, targets)
    return Schedule(seed=seed, events=_in_order(events))


def _draw_fault(rng: Random, targets: Targets) -> Event:
    at = rng.randint(-300, _LAST_START_MS)
    kind = rng.choices(["process", "link", "task", "clock"], weights=[20, 20, 4, 6])[0]
    if kind == "task":
        return Event(at=max(at, WINDOW_MS - 500), fault=rng.choice(TASK_FAULTS), target=QUEUES, lasts=3_000)
    if kind == "clock":
        amount = rng.choice([-1, 1]) * rng.randint(200, 5_000)
        return Event(at=at, fault=Fault.STEP, target=_weighted(rng, targets.clocks), amount=amount)
    if kind == "process":
        fault = rng.choices(PROCESS_FAULTS, weights=[4, 5, 2])[0]
        target = _weighted(rng, targets.processes)
        longest = 6_500 if fault is Fault.PAUSE else 2_000
        return Event(at=at, fault=fault, target=target, lasts=rng.randint(300, longest))
    fault = rng.choices(LINK_FAULTS, weights=[3, 4, 2, 3])[0]
    return Event(
        at=at,
        fault=fault,
        target=_weighted(rng, targets.links),
        lasts=rng.randint(300, 6_500),
        amount=rng.randint(20, 1_500) if fault is Fault.DELAY else 0,
    )


def _draw_operations(rng: Random, targets: Targets) -> list[Event]:
    at = rng.randint(500, WINDOW_MS - 1_000)
    fault = rng.choice(OPERATIONS)
    match fault:
        case Fault.EXTEND:
            # Also right before the end, where a solver may not know of it when the deadline passes.
            at = rng.choice([at, WINDOW_MS - rng.randint(100, 800)])
            return [Event(at=at, fault=fault, target=SITTING, amount=rng.randint(1_000, 3_000))]
        case Fault.HOLD:
            return [Event(at=at, fault=fault, target=SITTING, lasts=rng.randint(500, 2_500))]
        case Fault.ACCOMMODATE:
            students = rng.sample(range(targets.students), min(3, targets.students))
            return [Event(at=at, fault=fault, target=str(each), amount=rng.randint(1_000, 3_000)) for each in students]
        case _:
            return [Event(at=at, fault=Fault.STOP, target=SITTING)]


def _weighted(rng: Random, weights: Mapping[str, float]) -> str:
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def _overlap(one: Event, other: Event) -> bool:
    """Whether two events hit the same target at the same time, with a second to recover between them."""
    return (
        one.target == other.target
        and one.at <= other.at + other.lasts + 1_000
        and other.at <= one.at + one.lasts + 1_000
    )


def _hit_two_replicas(one: Event, other: Event, targets: Targets) -> bool:
    """Whether events hit different replicas: one that was killed takes as long as a sitting to come back."""
    return None not in (pair := {targets.replica(one), targets.replica(other)}) and len(pair) > 1


def _in_order(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda event: event.at))
