"""Negative controls: for each variant a schedule that is aimed at the rule it lacks."""

from dataclasses import dataclass, replace
from typing import Final

from exam_harness.faults.schedule import QUEUES, SITTING, WINDOW_MS, Event, Fault, Schedule
from exam_harness.scenarios.nemesis.platform import SETTINGS, Pace
from exam_harness.scenarios.nemesis.variants import MODULES, NAME_VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A variant, and faults under which the rule that it lacks matters.

    Attributes:
        events: the faults.
        pace: the time limits of platform and students.
        kinds: the kinds of mismatch that show it.
    """

    events: tuple[Event, ...]
    pace: Pace
    kinds: frozenset[str]

    def schedule(self, seed: int) -> Schedule:
        """The schedule for a seed of the students."""
        return Schedule(seed=seed, events=self.events)

    def variant(self, name: str) -> Pace:
        """The pace with the variant switched on."""
        return replace(self.pace, env={**self.pace.env, NAME_VARIABLE: name}, modules=MODULES)


_PATIENT: Final = Pace(env={**SETTINGS, "EXAM_CASSANDRA_TIMEOUT_MS": "12000"}, client_seconds=12, tail_seconds=8)
"""Clients and solvers that wait longer than a lease for a response."""

CONTROLS: Final = {
    "no-drain": Control(
        events=(
            Event(at=800, fault=Fault.CUT, target="solver-1→postgres", lasts=4_000),
            Event(at=1_500, fault=Fault.STOP, target=SITTING),
        ),
        pace=Pace(tail_seconds=4),
        kinds=frozenset({"lost"}),
    ),
    "lease-check-after-write": Control(
        events=(
            Event(at=800, fault=Fault.CUT, target="solver-1→postgres", lasts=8_000),
            Event(at=1_500, fault=Fault.STOP, target=SITTING),
            Event(at=4_000, fault=Fault.DELAY, target="solver-1→cassandra", lasts=7_000, amount=1_000),
        ),
        pace=replace(_PATIENT, tail_seconds=8),
        kinds=frozenset({"lost"}),
    ),
    "no-gap-rule": Control(
        events=(
            Event(at=800, fault=Fault.CUT, target="solver-1→postgres", lasts=8_000),
            Event(at=1_000, fault=Fault.CUT, target="solver-1→cassandra", lasts=8_000),
            Event(at=1_500, fault=Fault.STOP, target=SITTING),
        ),
        pace=_PATIENT,
        kinds=frozenset({"lost"}),
    ),
    "stale-refusals": Control(
        events=(),
        pace=Pace(),
        kinds=frozenset({"untrue"}),
    ),
    "no-ledger": Control(
        events=(Event(at=WINDOW_MS, fault=Fault.LOSE_TASKS, target=QUEUES, lasts=6_000),),
        pace=Pace(),
        kinds=frozenset({"degree"}),
    ),
}
