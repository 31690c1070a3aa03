"""The nemesis without a platform: its targets exist, its settings, its stepped clock, and how variants are made."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from exam_harness.environments.processes.servers.cassandra import Ring, configuration
from exam_harness.environments.processes.servers.clock import SteppedClock
from exam_harness.faults.schedule import LINK_FAULTS, Event, Fault, Schedule, draw_schedule
from exam_harness.oracle.facts import CLOCK_TOLERANCE
from exam_harness.scenarios.nemesis.controls import CONTROLS
from exam_harness.scenarios.nemesis.platform import targets
from exam_harness.scenarios.nemesis.settings import read_settings
from exam_harness.scenarios.nemesis.sitting import tolerance
from exam_harness.scenarios.nemesis.slow_renewal import slow
from exam_harness.scenarios.nemesis.variants import replace
from exam_harness.waiting import eventually

STEP = 100_000_000
READ_CLOCKS = "import json, time; print(json.dumps([time.time(), time.monotonic()]))"


def read_clocks(clock: SteppedClock) -> tuple[float, float]:
    """The wall clock and the monotonic clock as a child process reads them."""
    child = subprocess.run(
        [sys.executable, "-c", READ_CLOCKS], env={**os.environ, **clock.env}, capture_output=True, text=True, check=True
    )
    wall, monotonic = json.loads(child.stdout)
    return wall, monotonic


def test_a_step_moves_the_wall_clock_alone(tmp_path: Path) -> None:
    """A server whose clock is stepped sees another time of day, and measures spans as before."""
    clock = SteppedClock(tmp_path)
    before = read_clocks(clock)
    clock.step(STEP)
    forward = read_clocks(clock)
    clock.step(-2 * STEP)
    back = read_clocks(clock)
    assert before[0] < forward[0] - 90
    assert back[0] < before[0] - 90
    assert before[1] < forward[1] < back[1] < before[1] + 90
    assert clock.offset == -STEP


SERVICE = """
import json, os, sys, time
from datetime import UTC, datetime
for line in sys.stdin:
    if line == "fork\\n" and os.fork():
        os.wait()
        continue
    wall = [time.time(), datetime.now(UTC).timestamp()]
    print(json.dumps([*wall, time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)]), flush=True)
    if line == "fork\\n":
        os._exit(0)
"""


def test_a_service_follows_its_stepped_clock(tmp_path: Path) -> None:
    """A service that runs, and a process that it forks, see a step of their machine's wall clock, and no other."""
    clock = SteppedClock(tmp_path)
    (tmp_path / "service.py").write_text(SERVICE)
    command = [sys.executable, "-m", "exam_harness.environments.processes.stepped", str(clock.file), "service"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        stdin, stdout = service.stdin, service.stdout

        def read(word: str = "read") -> list[float]:
            stdin.write(f"{word}\n")
            stdin.flush()
            return [float(each) for each in json.loads(stdout.readline())]

        before = read()
        clock.step(STEP)
        forward = eventually(lambda: now if (now := read())[0] > before[0] + 90 else None, "the clock is forward")
        forked = read("fork")
        clock.step(-2 * STEP)
        back = eventually(lambda: now if (now := read("fork"))[0] < before[0] - 90 else None, "the clock is back")
        stdin.close()
    assert forward[1] > before[1] + 90
    assert forked[0] > before[0] + 90
    for one, other in pairwise((before, forward, forked, back)):
        assert one[2:] <= other[2:] <= [each + 60 for each in one[2:]]


def test_schedules_step_the_clock_of_every_store() -> None:
    """The machines do not agree on the time: the clock of any store or service may be set."""
    clocks = {"postgres", "redis", "broker", "cassandra", "solver-1", "solver-2", "grader", "web"}
    assert set(targets(1).clocks) == clocks


@pytest.mark.parametrize(
    ("target", "exact"), [("postgres", False), ("redis", True), ("cassandra", True), ("cassandra-1", True)]
)
def test_only_the_platforms_own_clock_makes_times_uncertain(target: str, *, exact: bool) -> None:
    """Whatever the clocks of Cassandra and Redis show, deadlines are judged exactly."""
    schedule = Schedule(seed=1, events=(Event(at=0, fault=Fault.STEP, target=target, amount=5_000),))
    assert (tolerance(schedule) == CLOCK_TOLERANCE) is exact


def test_the_controls_hit_what_schedules_hit() -> None:
    """A control that is aimed at a link which does not exist would test nothing."""
    links = targets(1).links
    events = [event for control in CONTROLS.values() for schedule in control.schedules for event in schedule]
    assert all(event.target in links for event in events if event.fault in LINK_FAULTS)


def test_schedules_cut_any_two_processes_that_are_connected() -> None:
    """A fault may lie between any two processes of the platform that talk to each other."""
    stores = ("postgres", "cassandra")
    assert set(targets(1).links) == {
        *(f"{client}→{server}" for client in ("solver-1", "solver-2") for server in (*stores, "redis", "web")),
        *(f"web→{server}" for server in (*stores, "redis", "broker")),
        *(f"grader→{server}" for server in (*stores, "broker")),
        *(f"gateway→{server}" for server in ("solver-1", "solver-2", "web")),
    }


def test_each_node_of_three_is_cut_off_from_each_client_and_from_its_peers() -> None:
    """With three nodes of Cassandra, faults hit one of them: itself, its clock, any of its connections."""
    hit, nodes = targets(1, nodes=3), {"cassandra-1", "cassandra-2", "cassandra-3"}
    assert nodes == hit.replicas == nodes & set(hit.processes) == nodes & set(hit.clocks)
    clients = ("solver-1", "solver-2", "web", "grader", "peers")
    assert {link for link in hit.links if "cassandra" in link} == {f"{c}→{node}" for c in clients for node in nodes}
    assert targets(1).replicas == set()


def test_the_nodes_of_a_ring_own_parts_of_the_same_size() -> None:
    """Each node has an address and a token of its own, is a seed, and listens for its peers behind a proxy."""
    ring = Ring(size=3, port=1, storage_port=2, apart=True)
    assert ring.hosts == ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert len({ring.token(number + 1) - ring.token(number) for number in (1, 2)}) == 1
    second = yaml.safe_load(configuration(Path("/data"), ring, 2))
    assert second["initial_token"] == str(ring.token(2))
    assert (second["listen_address"], second["broadcast_address"]) == ("127.0.1.2", "127.0.0.2")
    assert second["rpc_address"] == "127.0.0.2"
    assert second["seed_provider"][0]["parameters"] == [{"seeds": "127.0.0.1:2,127.0.0.2:2,127.0.0.3:2"}]
    alone = yaml.safe_load(configuration(Path("/data"), Ring(port=1, storage_port=2), 1))
    assert alone["listen_address"] == alone["broadcast_address"] == alone["rpc_address"] == "127.0.0.1"


def test_a_variant_of_code_that_is_gone_is_an_error() -> None:
    """A variant must replace what exists: otherwise the rule stays switched on and the control tests nothing."""

    class Keeper:
        def held_since(self) -> bool:
            return False

    replace(Keeper, "held_since", lambda _keeper: True)
    assert Keeper().held_since()
    with pytest.raises(AttributeError, match="has no renamed"):
        replace(Keeper, "renamed", lambda _keeper: True)


def test_a_slow_renewal_of_a_function_that_is_gone_is_an_error() -> None:
    """The lease function without its lock must be the present one."""
    with pytest.raises(ValueError, match="must follow the code"):
        slow("BEGIN RETURN 1; END", locked=False)


def test_seeds_are_a_list_of_numbers_and_ranges() -> None:
    """I can run any seeds."""
    settings = read_settings(["--seeds", "3,5-7", "--repeat", "2"])
    assert [schedule.seed for schedule in settings.schedules()] == [3, 3, 5, 5, 6, 6, 7, 7]


def test_a_schedule_is_run_from_its_file(tmp_path: Path) -> None:
    """I can run a schedule that was shrunk, or one that I wrote."""
    schedule = Schedule(seed=7, events=(Event(at=5, fault=Fault.KILL, target="solver-1", lasts=100),))
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps(schedule.to_json()))
    assert list(read_settings(["--schedule", str(path)]).schedules()) == [schedule]


def test_the_schedules_of_a_run_are_those_of_its_seeds() -> None:
    """A failed seed is repeated by its number."""
    assert list(read_settings(["--seeds", "9"]).schedules()) == [draw_schedule(9, targets(24))]
