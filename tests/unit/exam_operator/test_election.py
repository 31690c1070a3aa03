"""The election of a leader, on a model of two replicas whose clocks drift and whose processes are paused."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import SECOND
from exam_operator.decide.election import (
    ACTING_SHARE,
    Lease,
    Sighting,
    acts_until,
    may_take,
    released,
    taken,
)

DURATION = 10
DRIFTS = st.sampled_from((90, 95, 100, 105, 110))
"""How fast a replica's clock runs, in per cent."""
STEPS = st.lists(
    st.tuples(st.sampled_from((0, 1)), st.integers(0, 12 * SECOND), st.integers(0, 12 * SECOND)),
    min_size=20,
    max_size=80,
)
"""Which replica asks for the Lease next, how long after the last step, and how long its write takes."""


@dataclass
class Replica:
    """A replica with its own clock."""

    name: str
    rate: int
    sighting: Sighting = field(default_factory=lambda: Sighting("", 0))
    acts_until: int = 0

    def clock(self, now: int) -> int:
        """The replica's clock at an instant."""
        return now * self.rate // 100

    def acts(self, now: int) -> bool:
        """Whether it may act at an instant."""
        return self.clock(now) < self.acts_until


def overlaps(rates: tuple[int, int], steps: list[tuple[int, int, int]], share: float) -> bool:
    """Run two replicas through some steps; returns whether both could act at one time."""
    replicas = [Replica("one", rates[0]), Replica("two", rates[1])]
    stored: Lease | None = None
    version, now = 0, 0
    for which, later, takes in steps:
        now += later
        replica, other = replicas[which], replicas[1 - which]
        asked_at = replica.clock(now)
        if stored is not None:
            replica.sighting = replica.sighting.followed_by(stored, replica.clock(now))
            if not may_take(stored, replica.sighting, identity=replica.name, asked_at=asked_at):
                continue
        version += 1
        stored = replace(taken(stored, identity=replica.name, duration=DURATION, now=0), version=str(version))
        # The write is applied at once; the response comes later. The permission counts from before the request.
        now += takes
        replica.acts_until = asked_at + int(DURATION * SECOND * share)
        if replica.acts(now) and other.acts(now):
            return True
    return False


@given(rates=st.tuples(DRIFTS, DRIFTS), steps=STEPS)
def test_never_two_act_at_once(rates: tuple[int, int], steps: list[tuple[int, int, int]]) -> None:
    """However the clocks drift and whenever a replica asks, no two act at one time."""
    assert not overlaps(rates, steps, ACTING_SHARE)


def test_acting_for_longer_than_the_lease_is_found() -> None:
    """Negative control: a replica that acts for longer than its Lease acts at once with another one."""
    steps = [(0, 0, 0), (1, 0, 0), (1, 10 * SECOND, 0)]
    assert overlaps((100, 100), steps, 1.5)
    assert not overlaps((100, 100), steps, ACTING_SHARE)
    assert overlaps((90, 110), steps, 1.0), "without a margin, the drift of two clocks is enough"
    assert not overlaps((90, 110), steps, ACTING_SHARE)


def test_a_released_lease_is_taken_at_once() -> None:
    """If the holder has released the Lease, another replica need not wait, and the transition is counted."""
    held = replace(taken(None, identity="one", duration=DURATION, now=0), version="1")
    assert not may_take(held, Sighting("1", 0), identity="two", asked_at=DURATION * SECOND - 1)
    assert may_take(held, Sighting("1", 0), identity="two", asked_at=DURATION * SECOND)
    assert may_take(held, Sighting("1", 0), identity="one", asked_at=0), "a process restarted in its pod"
    free = replace(released(held), version="2")
    assert may_take(free, Sighting("2", 0), identity="two", asked_at=0)
    assert (taken(free, identity="two", duration=DURATION, now=0).transitions, held.transitions) == (1, 0)
    assert taken(held, identity="one", duration=DURATION, now=SECOND).acquired_at == held.acquired_at


def test_the_permission_counts_from_before_the_request() -> None:
    """If a renewal is slow, the time to act is not longer by it."""
    assert acts_until(5 * SECOND, DURATION) == 12 * SECOND


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": None}, {"leaseDurationSeconds": None, "holderIdentity": ""}])
def test_a_lease_without_fields_is_a_released_one(spec: dict[str, object]) -> None:
    """If another program has emptied the Lease, it can be taken."""
    lease = Lease.from_json({"metadata": {"resourceVersion": "7"}, "spec": spec})
    assert may_take(lease, Sighting("7", 0), identity="one", asked_at=0)
    body = taken(lease, identity="one", duration=DURATION, now=0).to_json(name="x", namespace="y", now=SECOND)
    assert body["metadata"] == {"name": "x", "namespace": "y", "resourceVersion": "7"}
    assert body["spec"] == {
        "holderIdentity": "one",
        "leaseDurationSeconds": DURATION,
        "leaseTransitions": 1,
        "renewTime": "1970-01-01T00:00:01.000000Z",
        "acquireTime": "1970-01-01T00:00:00.000000Z",
    }
