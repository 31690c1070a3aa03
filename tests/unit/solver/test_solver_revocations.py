"""Revocations: a revoked token stays revoked, whatever the platform's clock reads in between."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_core.instants import SECOND
from exam_core.problems import Problem
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocation, RevocationKind, Revocations
from exam_solver.lease.store import LeaseStoreUnavailableError
from exam_solver.testing.lease import ManualClock, MemoryLeaseStore, MemorySchedule

HOUR = 3_600 * SECOND
DAY = 24 * HOUR
"""How long `MemorySchedule` keeps a revocation."""


class Platform:
    """A schedule and the keeper of one solver process, whose revocations are checked."""

    def __init__(self) -> None:
        self.schedule = MemorySchedule(ManualClock())
        self.issued_at = self.schedule.now
        self.revocations = Revocations()
        self.keeper = LeaseKeeper(
            MemoryLeaseStore(self.schedule), ttl_ms=30_000, clock=self.schedule.clock, revocations=self.revocations
        )

    def renew(self) -> bool:
        """Renew once; False when the renewal failed."""
        with suppress(LeaseStoreUnavailableError):
            return asyncio.run(self.keeper.renew())
        return False

    def renew_until_adopted(self) -> None:
        """Renew until a renewal is adopted, as the loop does every second."""
        for _ in range(3):
            self.schedule.clock.advance(1)
            if self.renew():
                return
        pytest.fail("three renewals in a row failed")

    def accepts(self, *, session: str = "unrevoked", subject: int = 999) -> bool:
        """Whether a token issued at the start is accepted."""
        try:
            self.revocations.check(session=session, subject=subject, issued_at=self.issued_at, attempt=False)
        except Problem:
            return False
        return True


def test_a_revoked_token_stays_revoked_when_a_step_of_the_clock_is_taken_back() -> None:
    """I logged out; the platform's clock was 25 hours ahead for two renewals: my tokens are still refused."""
    platform = Platform()
    platform.renew()
    platform.schedule.revoke(RevocationKind.SESSION, "mine")
    platform.renew_until_adopted()
    assert not platform.accepts(session="mine")
    for step in (25 * HOUR, -25 * HOUR):
        platform.schedule.offset += step
        platform.renew_until_adopted()
    assert not platform.accepts(session="mine")


def test_a_solver_that_started_during_a_step_fetches_what_it_missed() -> None:
    """A process that starts while the clock is ahead receives no expired revocations, and fetches them afterwards."""
    platform = Platform()
    platform.schedule.revoke(RevocationKind.SESSION, "mine")
    platform.schedule.offset += 25 * HOUR
    platform.schedule.revoke(RevocationKind.SESSION, "other")
    platform.renew()
    assert not platform.accepts(session="other")
    platform.schedule.offset -= 25 * HOUR
    platform.renew_until_adopted()
    assert not platform.accepts(session="mine")


def test_a_renewal_that_reads_an_earlier_time_is_adopted_with_every_revocation_only() -> None:
    """A clock that goes back by less than a step costs one renewal and no revocation."""
    platform = Platform()
    platform.schedule.revoke(RevocationKind.SESSION, "mine")
    platform.schedule.clock.advance(DAY // SECOND)
    platform.schedule.revoke(RevocationKind.SESSION, "later")
    platform.renew()
    platform.schedule.offset -= SECOND // 2
    assert not platform.renew()
    assert platform.renew()
    assert not platform.accepts(session="mine")


def test_expired_revocations_are_dropped() -> None:
    """A process that runs for months keeps only the revocations that have not expired."""
    platform = Platform()
    platform.schedule.revoke(RevocationKind.SESSION, "mine")
    platform.schedule.revoke(RevocationKind.CHAIN, "mine")
    platform.schedule.revoke(RevocationKind.SUBJECT, 17)
    platform.renew()
    assert len(platform.revocations) == 3
    platform.schedule.clock.advance(DAY // SECOND)
    platform.renew()
    platform.renew()
    assert len(platform.revocations) == 0


REVOKE = st.tuples(st.just("revoke"), st.sampled_from(RevocationKind))
STEP = st.tuples(st.just("step"), st.sampled_from((25 * HOUR, -25 * HOUR, SECOND // 2, -SECOND // 2)))
STEP_BY_ANY = st.tuples(st.just("step"), st.integers(-3 * DAY, 3 * DAY))
WAIT = st.tuples(st.just("wait"), st.sampled_from((1, 40, 23 * 3_600, 24 * 3_600)))
MOVES = st.tuples(REVOKE | STEP | STEP_BY_ANY | WAIT, st.integers(1, 3))
"""A change and the number of renewals after it: a step needs two to be adopted."""


@settings(max_examples=200, deadline=None)
@given(st.lists(MOVES, max_size=20))
def test_no_sequence_of_clock_readings_revives_a_revoked_token(moves: list[tuple[tuple[str, Any], int]]) -> None:
    """Whenever a renewal is adopted, a token is refused whose revocation has not expired by its clock."""
    platform = Platform()
    for number, ((move, value), renewals) in enumerate(moves):
        match move:
            case "revoke":
                platform.schedule.revoke(value, number)
                # The tokens were issued before any revocation, whatever the clock reads at that time.
                platform.issued_at = min(platform.issued_at, platform.schedule.now - 1)
            case "step":
                platform.schedule.offset += value
            case "wait":
                platform.schedule.clock.advance(value)
        for _ in range(renewals):
            platform.schedule.clock.advance(1)
            if not platform.renew():
                continue
            for revocation in platform.schedule.revocations:
                if revocation.expires_at > platform.schedule.now:
                    mine = revocation.value
                    is_subject = revocation.kind == RevocationKind.SUBJECT
                    assert not platform.accepts(**({"subject": int(mine)} if is_subject else {"session": mine}))
            assert platform.accepts()


class Instant(int):
    """An instant that counts how often instants are compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Instant.compared += 1
        return int(self) < int(other)

    def __le__(self, other: int) -> bool:
        Instant.compared += 1
        return int(self) <= int(other)

    def __gt__(self, other: int) -> bool:
        Instant.compared += 1
        return int(self) > int(other)

    def __ge__(self, other: int) -> bool:
        Instant.compared += 1
        return int(self) >= int(other)


def revocation(number: int, expires_at: int, *, kind: str = RevocationKind.SESSION, value: str = "") -> Revocation:
    """A revocation of a login of its own, or of `value`."""
    return Revocation(id=number, kind=kind, value=value or f"v{number}", before=0, expires_at=Instant(expires_at))


def test_fifty_thousand_revocations_do_not_slow_a_renewal() -> None:
    """A whole university has logged out: a renewal that brings one more visits that one, and what has expired."""
    revocations = Revocations()
    revocations.update((revocation(n, HOUR + n) for n in range(1, 50_001)), now=0)
    assert len(revocations) == 50_000
    Instant.compared = 0
    revocations.update([revocation(50_001, 2 * HOUR)], now=SECOND)
    assert Instant.compared < 50
    revocations.update([], now=HOUR + 10)
    assert Instant.compared < 500
    assert len(revocations) == 49_991


@given(
    st.lists(
        st.tuples(st.sampled_from(RevocationKind), st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 3)),
        max_size=12,
    )
)
def test_a_revocation_is_dropped_when_the_last_of_its_kind_and_value_expires(
    steps: list[tuple[RevocationKind, str, int, int]],
) -> None:
    """In whichever order revocations of the same login arrive, it is revoked until the last one expires."""
    revocations, now = Revocations(), 0
    expires: dict[tuple[str, str], int] = {}
    for number, (kind, value, lasts, passed) in enumerate(steps, start=1):
        now += passed
        key = (kind, value)
        expires[key] = max(now + lasts, expires.get(key, 0))
        revocations.update([revocation(number, now + lasts, kind=kind, value=value)], now=now)
        assert len(revocations) == sum(each > now for each in expires.values())
