"""The lease of a solver process: its validity and the platform's time."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_core.lease import MAX_CLOCK_STEP, Admission, Lease, admit, clocks_agree, held_since

HOLDER, OTHER = UUID(int=1), UUID(int=2)
LEASE = Lease(holder=HOLDER, sent_at=1_000, entered_at=500_000, ttl=30, epoch=4)
DELAYS = st.integers(0, 100)


def test_a_lease_is_valid_from_sending_until_its_ttl() -> None:
    """Validity ends exactly after the TTL, however long the response took."""
    assert LEASE.valid(1_000)
    assert LEASE.valid(1_029)
    assert not LEASE.valid(1_030)
    assert LEASE.age(1_007) == 7


def test_an_admission_has_the_platforms_time() -> None:
    """My answer has the time of PostgreSQL's clock, not of the machine's."""
    assert admit(LEASE, 1_007) == Admission(holder=HOLDER, epoch=4, received_at=500_007)
    assert admit(LEASE, 1_030) is None


@given(boot=st.integers(-(10**6), 10**6), outbound=DELAYS, lock=DELAYS, inbound=DELAYS, later=DELAYS)
def test_a_solvers_time_is_never_behind_the_platforms(
    boot: int, outbound: int, lock: int, inbound: int, later: int
) -> None:
    """Despite delays of network and locks no late answer is in time, and I lose at most the request's delay."""
    sent = 10_000
    entered = sent + outbound
    answered = entered + lock + inbound
    lease = Lease(holder=HOLDER, sent_at=sent + boot, entered_at=entered, ttl=1_000, epoch=1)
    now = answered + later
    assert now <= lease.time(now + boot) == now + outbound


@given(outbound=DELAYS, lock=DELAYS, inbound=DELAYS, ttl=st.integers(1, 100), later=st.integers(0, 300))
def test_a_lease_ends_at_its_holder_before_it_ends_in_postgresql(
    outbound: int, lock: int, inbound: int, ttl: int, later: int
) -> None:
    """After PostgreSQL counts a lease as expired, its holder acknowledges nothing."""
    renewed_at = outbound + lock
    lease = Lease(holder=HOLDER, sent_at=0, entered_at=outbound, ttl=ttl, epoch=1)
    now = renewed_at + inbound + later
    if renewed_at + ttl <= now:
        assert not lease.valid(now)


@given(renewals=st.lists(st.integers(0, 29), max_size=5), lapsed=st.booleans(), waited=st.integers(0, 60))
def test_an_acknowledgement_needs_a_lease_held_since_admission(
    *, renewals: list[int], lapsed: bool, waited: int
) -> None:
    """My answer is acknowledged across any number of renewals, but not across a gap."""
    admission = admit(LEASE, LEASE.sent_at)
    assert admission is not None
    now = LEASE.sent_at + sum(renewals)
    lease = replace(LEASE, holder=OTHER if lapsed else HOLDER, sent_at=now)
    assert held_since(admission, lease, now + waited) is (not lapsed and waited < 30)
    assert not held_since(admission, None, now)


@given(elapsed=st.integers(0, 10**12), step=st.integers(-(10**10), 10**10), outbound=DELAYS, later=DELAYS)
def test_clocks_agree_unless_the_platforms_was_set(elapsed: int, step: int, outbound: int, later: int) -> None:
    """However long ago the last renewal was, only a step of the platform's clock makes the two disagree."""
    first = Lease(holder=HOLDER, sent_at=0, entered_at=10**15 + outbound, ttl=1, epoch=1)
    second = replace(first, sent_at=elapsed, entered_at=10**15 + elapsed + later + step)
    assert clocks_agree(first, second) == (abs(step + later - outbound) <= MAX_CLOCK_STEP)
