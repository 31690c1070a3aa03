"""Proof that a lease has expired, by the clock of the process that waits for it."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exam_core.lease_watch import LeaseRow, LeaseWatch

TTL, MARGIN = 30, 2
ROW = LeaseRow(holder=UUID(int=1), renewals=4, ttl=TTL, drained_epoch=7)
OTHER = replace(ROW, holder=UUID(int=2), ttl=10)


def test_a_row_is_proved_expired_once_it_is_unchanged_for_its_ttl_and_the_margin() -> None:
    """A killed solver delays a close by its lease and the margin, from when the closer first sees its row."""
    watch = LeaseWatch(margin=MARGIN)
    assert watch.observe([ROW], 1_000) == []
    assert watch.remaining(ROW, 1_000) == 32
    assert watch.observe([ROW], 1_031) == []
    assert watch.remaining(ROW, 1_031) == 1
    assert watch.observe([ROW], 1_032) == [ROW]
    assert watch.remaining(ROW, 1_040) == 0


def test_a_renewal_begins_the_wait_anew() -> None:
    """A solver that renews its lease is waited for, however long it has been seen."""
    watch = LeaseWatch(margin=MARGIN)
    watch.observe([ROW], 0)
    renewed = replace(ROW, renewals=ROW.renewals + 1)
    assert watch.observe([renewed], 31) == []
    assert watch.observe([renewed], 62) == []
    assert watch.observe([renewed], 63) == [renewed]


def test_each_row_is_waited_for_by_its_own_ttl() -> None:
    """Solvers with leases of different length, as during an upgrade, are each waited for as long as they need."""
    watch = LeaseWatch(margin=MARGIN)
    watch.observe([OTHER, ROW], 0)
    assert watch.observe([OTHER, ROW], 12) == [OTHER]
    assert watch.observe([OTHER, ROW], 32) == [ROW, OTHER]


def test_a_process_that_restarts_waits_again() -> None:
    """What a process has not seen itself proves nothing."""
    LeaseWatch(margin=MARGIN).observe([ROW], 0)
    assert LeaseWatch(margin=MARGIN).observe([ROW], 1_000) == []


def test_rows_that_are_gone_are_forgotten() -> None:
    """A process that runs for months remembers only the present rows."""
    watch = LeaseWatch(margin=MARGIN)
    watch.observe([ROW, OTHER], 0)
    watch.observe([OTHER], 1)
    assert list(watch._sightings) == [OTHER.holder]
    assert watch.observe([ROW, OTHER], 40) == [OTHER], "the first row is seen for the first time again"


@given(
    steps=st.lists(st.tuples(st.integers(0, TTL), st.sampled_from(["renew", "observe", "observe", "gone", "restart"]))),
    rate=st.integers(90, 100),
    origin=st.integers(-(10**9), 10**9),
)
def test_no_lease_is_proved_expired_while_its_holder_may_use_it(
    steps: list[tuple[int, str]], rate: int, origin: int
) -> None:
    """However renewals and observations interleave, my solver's lease has ended before it is given up.

    The closer's clock starts anywhere and may be slower than real time, as it is across a suspend.
    """
    now, renewed_at, row, watch = 0, 0, ROW, LeaseWatch(margin=MARGIN)
    for span, move in steps:
        now += span
        if move == "renew":
            renewed_at, row = now, replace(row, renewals=row.renewals + 1)
        elif move == "gone":
            watch.observe([], origin + now * rate // 100)
        elif move == "restart":
            watch = LeaseWatch(margin=MARGIN)
        elif watch.observe([row], origin + now * rate // 100):
            assert now >= renewed_at + TTL + MARGIN
