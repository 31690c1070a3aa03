"""Schedules of faults: the same for a seed, within their bounds, and shrinkable."""

import json
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from exam_harness.faults.schedule import PROCESS_FAULTS, Event, Fault, Schedule, Targets, draw_schedule
from exam_harness.faults.shrink import shrink

TARGETS = Targets(
    processes={"solver-1": 2, "cassandra": 1},
    clocks={"postgres": 1, "solver-1": 1},
    links={"solver-1→postgres": 2, "gateway→solver-1": 1},
    students=10,
)
RING = Targets(
    processes={"solver-1": 1, "cassandra-1": 4, "cassandra-2": 4},
    clocks={"cassandra-1": 1},
    links={"solver-1→cassandra-1": 2, "solver-2→cassandra-2": 2, "peers→cassandra-2": 2},
    students=10,
    replicas=frozenset({"cassandra-1", "cassandra-2"}),
)
seeds = st.integers(min_value=0)


@given(seeds)
def test_a_seed_always_gives_the_same_schedule(seed: int) -> None:
    """I can repeat a failed run by its seed alone."""
    assert draw_schedule(seed, TARGETS) == draw_schedule(seed, TARGETS)


@given(seeds)
def test_a_schedule_survives_its_json_form(seed: int) -> None:
    """I can repeat a shrunk run from its file."""
    schedule = draw_schedule(seed, TARGETS)
    assert Schedule.from_json(json.loads(json.dumps(schedule.to_json()))) == schedule


@given(seeds)
def test_faults_hit_known_targets_one_at_a_time(seed: int) -> None:
    """No fault hits a process or a link that another fault still holds."""
    schedule = draw_schedule(seed, TARGETS)
    assert list(schedule.events) == sorted(schedule.events, key=lambda event: event.at)
    for event in schedule.events:
        if event.fault in PROCESS_FAULTS:
            assert event.target in TARGETS.processes
    for one, other in combinations(schedule.events, 2):
        if one.target == other.target and one.lasts and other.lasts:
            assert other.at > one.at + one.lasts


@given(seeds)
def test_faults_hit_one_replica_only(seed: int) -> None:
    """A quorum of the nodes that store my answers stays, whatever else fails."""
    events = draw_schedule(seed, RING).events
    assert len({event.target.rpartition("→")[2] for event in events if "cassandra" in event.target}) <= 1


def test_a_schedule_that_hits_one_replica_alone_is_known_as_such() -> None:
    """While only a node of three fails, my answers get their outcome; what else fails may delay them."""
    node = Event(at=0, fault=Fault.KILL, target="cassandra-1")
    link = Event(at=0, fault=Fault.CUT, target="solver-1→cassandra-1")
    other = Event(at=0, fault=Fault.KILL, target="solver-1")
    assert Schedule(seed=1, events=(node, link)).hits_only(RING.replicas)
    assert not Schedule(seed=1, events=(node, other)).hits_only(RING.replicas)
    assert not Schedule(seed=1, events=(node,)).hits_only(TARGETS.replicas)


def test_every_fault_is_drawn() -> None:
    """A few hundred seeds inject every kind of fault."""
    drawn = {event.fault for seed in range(300) for event in draw_schedule(seed, TARGETS).events}
    assert drawn == set(Fault)


@given(seeds)
def test_each_step_of_shrinking_makes_a_schedule_simpler(seed: int) -> None:
    """Shrinking ends: each step drops an event or shortens one."""

    def size(schedule: Schedule) -> tuple[int, int]:
        return len(schedule.events), sum(event.lasts for event in schedule.events)

    schedule = draw_schedule(seed, TARGETS)
    assert all(size(smaller) < size(schedule) for smaller in schedule.smaller())


async def test_a_failing_schedule_is_shrunk_to_what_makes_it_fail() -> None:
    """If only the pause of a solver breaks the platform, the report shows that pause alone, no longer than it takes."""
    events = (
        Event(at=0, fault=Fault.KILL, target="cassandra", lasts=500),
        Event(at=100, fault=Fault.PAUSE, target="solver-1", lasts=6_000),
        Event(at=200, fault=Fault.CUT, target="gateway→solver-1", lasts=900),
    )

    async def still_fails(schedule: Schedule) -> bool:
        return any(event.fault is Fault.PAUSE and event.lasts >= 3_000 for event in schedule.events)

    shrunk = await shrink(Schedule(seed=1, events=events), still_fails, runs=100)
    assert shrunk.events == (Event(at=100, fault=Fault.PAUSE, target="solver-1", lasts=3_000),)


async def test_shrinking_ends_after_its_runs() -> None:
    """A failure that every schedule shows costs no more runs than allowed."""
    runs: list[Schedule] = []

    async def still_fails(schedule: Schedule) -> bool:
        runs.append(schedule)
        return True

    await shrink(draw_schedule(1, TARGETS), still_fails, runs=2)
    assert len(runs) == 2
