"""Two replicas of the operator: one acts, and the other one as soon as the first is killed, ends or is paused."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from exam_harness.environments.processes.services import Service
from exam_harness.faults.apiserver_proxy import LEASES, Delay, FaultProxy
from exam_harness.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

LEASE = "elected"
VARIANT = """
from exam_operator.__main__ import main
from exam_operator.runtime.leadership import Leadership

Leadership.check = lambda self: None
Leadership.leading = property(lambda self: True)
Leadership._seconds_left = property(lambda self: 60.0)
main()
"""
"""A variant whose permission to act does not end with its time."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica and its proxy to the API server."""

    service: Service
    proxy: FaultProxy

    def logged(self, *events: str) -> list[dict[str, Any]]:
        """The log's entries of some events."""
        lines = self.service.process.log.read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry["event"] in events]

    @property
    def acted(self) -> list[str]:
        """When it took the Lease and when it did something, in order."""
        return [entry["event"] for entry in self.logged("lease_acquired", "action_finished")]

    @property
    def writes(self) -> list[str]:
        """The requests to the API server that changed something besides the Lease."""
        return [
            str(each.request)
            for each in self.proxy.requests
            if each.request.mutating and each.request.resource != LEASES
        ]


class Replicas:
    """The replicas of a test by name, and the Lease between them."""

    def __init__(self, world: Any, replicas: dict[str, Replica]) -> None:
        self._world = world
        self._replicas = replicas

    def start(self) -> tuple[Replica, Replica]:
        """Start both, one after the other; returns the leader and the other one."""
        for name, replica in self._replicas.items():
            replica.service.start()
            replica.service.await_ready()
            eventually(lambda: self.holder, f"there is a leader once {name} is ready")
        leader = self[self.holder]
        return leader, next(each for each in self._replicas.values() if each is not leader)

    def __getitem__(self, name: str) -> Replica:
        return self._replicas[name]

    @property
    def lease(self) -> dict[str, Any]:
        """The Lease's spec; empty when there is none."""
        found: dict[str, Any] = self._world.owned("lease", LEASE).get("spec", {})
        return found

    @property
    def holder(self) -> str:
        """The name of the replica that holds the Lease; empty when it is released."""
        return str(self.lease.get("holderIdentity", ""))

    def await_holder(self, replica: Replica, *, seconds: float) -> None:
        """Wait until a replica holds the Lease."""
        eventually(lambda: self.holder == replica.service.name, f"{replica.service.name} leads", seconds=seconds)


@pytest.fixture
def elect(world, request: pytest.FixtureRequest) -> Iterator[Callable[..., Replicas]]:
    """Return two replicas with a Lease of so many seconds, not started; the shared operator is stopped meanwhile."""
    world.operator.stop()
    with ExitStack() as stack:

        def _elect(*, seconds: int, program: Sequence[str] = ("-m", "exam_operator")) -> Replicas:
            env = {
                "EXAM_OPERATOR_RESYNC_SECONDS": "2",
                "EXAM_OPERATOR_LEASE_NAME": LEASE,
                "EXAM_OPERATOR_LEASE_SECONDS": str(seconds),
            }
            replicas = {}
            for number in range(2):
                # A log of its own for each test.
                name = f"{request.node.name.removeprefix('test_').replace('_', '-')[:40]}-{number}"
                proxy = stack.enter_context(FaultProxy(world.control_plane))
                service = world.operated.operator(name, server=proxy.url, env=env, program=program)
                stack.callback(service.stop)
                replicas[name] = Replica(service, proxy)
            return Replicas(world, replicas)

        yield _elect
    world.control_plane.kubectl("-n", world.operated.namespace, "delete", "lease", LEASE, "--ignore-not-found")
    world.operator.start()
    world.operator.await_ready()


def test_a_standby_is_ready_and_changes_nothing(world, elect) -> None:
    """With two replicas, both are ready, one acts, and the other one sends no request that changes something."""
    leader, standby = elect(seconds=10).start()
    world.apply("one", opens_in=3600)
    world.await_condition("one", "Provisioned", "True")
    assert world.probe(standby.service, "readyz").status_code == 200
    for replica, leading in ((leader, "1.0"), (standby, "0.0")):
        assert f"exam_operator_leading {leading}" in world.probe(replica.service, "metrics").text
    assert leader.writes != []
    assert standby.writes == []
    assert standby.logged("action_finished") == []


def test_a_killed_leader_is_replaced_within_seconds(world, elect) -> None:
    """If the leader's node is lost, another replica acts when the Lease has expired."""
    replicas = elect(seconds=4)
    leader, standby = replicas.start()
    world.apply("before", opens_in=1, lasts=8, grading={"publish": "Automatic"})
    world.await_phase("before", "Open")
    leader.service.kill()
    killed_at = time.monotonic()
    world.apply("after", opens_in=3600)
    replicas.await_holder(standby, seconds=12)
    taken_after = time.monotonic() - killed_at
    assert taken_after > 1, "a Lease that may be in use is not taken"
    world.await_condition("after", "Provisioned", "True", seconds=20)
    world.await_phase("before", "Published")
    assert replicas.lease["leaseTransitions"] == 1


def test_a_leader_that_ends_releases_the_lease(world, elect) -> None:
    """If the leader is ended, as by an upgrade, it releases the Lease, and another replica acts at once."""
    replicas = elect(seconds=60)
    leader, standby = replicas.start()
    assert leader.service.process.stop() == 0
    replicas.await_holder(standby, seconds=10)
    assert len(leader.logged("lease_released")) == 1
    world.apply("after", opens_in=3600)
    world.await_condition("after", "Provisioned", "True", seconds=20)


def _resume_a_leader_of_the_past(world, replicas: Replicas) -> list[str]:
    """Pause the leader until another one has led and a sitting is to be closed; returns what it did when resumed.

    The other one is killed just before, so that all that happens until its Lease expires is done by the former leader.
    Its requests for the Lease are slow then, so that it learns late that it has lost it.
    """
    leader, standby = replicas.start()
    world.apply("due", opens_in=1, lasts=35)
    world.await_phase("due", "Open")
    leader.service.pause()
    replicas.await_holder(standby, seconds=25)
    before = len(leader.acted)
    ends_at = datetime.fromisoformat(world.sitting("due")["ends_at"])

    def is_past(moment: datetime) -> bool:
        return datetime.fromisoformat(world.sitting("due")["now"]) > moment

    eventually(lambda: is_past(ends_at - timedelta(seconds=4)), "the sitting is about to end")
    standby.service.kill()
    eventually(lambda: is_past(ends_at), "the sitting is to be closed")
    assert world.sitting("due")["state"] == "scheduled"
    leader.proxy.delays = [Delay(matches=lambda request: request.resource == LEASES, seconds=1)]
    leader.service.resume()
    eventually(lambda: "action_finished" in leader.acted[before:], "the leader acts again", seconds=60)
    return leader.acted[before:]


def test_a_paused_leader_does_not_act_when_it_is_resumed(world, elect) -> None:
    """If the leader is paused until another one leads, it does nothing when resumed until it holds the Lease again."""
    assert _resume_a_leader_of_the_past(world, elect(seconds=10))[0] == "lease_acquired"


def test_a_leader_without_a_deadline_acts_when_it_is_resumed(world, elect) -> None:
    """Negative control: a leader that learns from the API server alone that it has lost the Lease acts before that."""
    assert _resume_a_leader_of_the_past(world, elect(seconds=10, program=("-c", VARIANT)))[0] == "action_finished"
