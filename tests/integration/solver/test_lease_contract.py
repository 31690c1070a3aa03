"""The rules of leases and drains, in PostgreSQL and in the double that the solver's tests use: both behave alike."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import uuid4

import pytest
from django.db import connections

from exam_core.instants import SECOND
from exam_core.lease_watch import LeaseWatch
from exam_solver.lease.postgres import PostgresLeaseStore
from exam_solver.lease.store import LeaseStore, Renewal
from exam_solver.testing.lease import ManualClock, MemoryLeaseStore, MemorySchedule
from exam_web.sittings.models import Schedule, Sitting
from exam_web.sittings.services import LeaseMonitor, sitting_drain, sitting_stop

pytestmark = pytest.mark.integration

ResultT = TypeVar("ResultT")
TTL, MARGIN = 5, 2


class Platform(Protocol):
    """A sitting whose solvers renew their leases at `store`, and a process that closes it."""

    @property
    def store(self) -> LeaseStore:
        """Where solvers renew."""

    async def epoch(self) -> int:
        """The schedule's epoch."""

    async def close(self) -> int:
        """Close the sitting; returns its epoch."""

    async def drained(self, *, after: float = 0) -> bool:
        """Look whether the sitting has drained, after so many seconds on the closing process's clock."""


class InMemory:
    """`MemorySchedule`."""

    def __init__(self) -> None:
        self.schedule = MemorySchedule(ManualClock())
        self.store = MemoryLeaseStore(self.schedule)

    async def epoch(self) -> int:
        """As in `Platform`."""
        return self.schedule.epoch

    async def close(self) -> int:
        """As in `Platform`."""
        self.schedule.epoch += 1
        return self.schedule.epoch

    async def drained(self, *, after: float = 0) -> bool:
        """As in `Platform`."""
        self.schedule.clock.advance(after)
        return self.schedule.drained(self.schedule.epoch)


class InPostgreSQL:
    """The functions that web's migrations create, and web's services."""

    def __init__(self, store: PostgresLeaseStore, sitting: Sitting) -> None:
        self.store = store
        self._sitting = sitting.id
        self._now = 0
        self._leases = LeaseMonitor(LeaseWatch(margin=MARGIN * SECOND), lambda: self._now)

    async def epoch(self) -> int:
        """As in `Platform`."""
        return await _in_web(lambda: Schedule.objects.get().epoch)

    async def close(self) -> int:
        """As in `Platform`."""
        return (await _in_web(lambda: sitting_stop(sitting=self._sitting))).epoch

    async def drained(self, *, after: float = 0) -> bool:
        """As in `Platform`."""
        self._now += int(after * SECOND)
        return (await _in_web(lambda: sitting_drain(sitting=self._sitting, leases=self._leases))).drained


async def _in_web(call: Callable[[], ResultT]) -> ResultT:
    """Call web's code in a thread, where Django's database works, and close its connections."""

    def closing() -> ResultT:
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)


@pytest.fixture(params=["memory", "postgresql"])
def platform(request: pytest.FixtureRequest, store: PostgresLeaseStore, sitting: Sitting) -> Platform:
    """Each of the two."""
    return InMemory() if request.param == "memory" else InPostgreSQL(store, sitting)


class Holder:
    """A solver process's lease; it acknowledges what a test tells it to."""

    def __init__(self, platform: Platform) -> None:
        self.holder = uuid4()
        self._store = platform.store

    async def renew(self, *, known: int = 0, drained: int = 0) -> Renewal | None:
        """Renew the lease, or take it with `known` = 0."""
        return await self._store.renew(
            self.holder, ttl_ms=TTL * 1000, known_epoch=known, drained_epoch=drained, known_revocation=0
        )


async def test_a_close_waits_for_the_acknowledgement_of_its_epoch(platform: Platform) -> None:
    """A holder from before the close delays it until everything that it admitted under an older epoch is finished."""
    solver, before = Holder(platform), await platform.epoch()
    await solver.renew()
    closing = await platform.close()
    assert not await platform.drained()
    await solver.renew(known=closing, drained=before)
    assert not await platform.drained()
    await solver.renew(known=closing, drained=closing)
    assert await platform.drained()


async def test_a_future_epoch_cannot_be_acknowledged(platform: Platform) -> None:
    """A holder acknowledges only epochs that exist."""
    solver, before = Holder(platform), await platform.epoch()
    await solver.renew()
    await solver.renew(known=before, drained=before + 100)
    await platform.close()
    assert not await platform.drained()


async def test_a_new_holder_does_not_delay_a_close(platform: Platform) -> None:
    """A process that starts after the close has admitted nothing before it."""
    await platform.close()
    await Holder(platform).renew()
    assert await platform.drained()


async def test_a_released_lease_does_not_delay_a_close(platform: Platform) -> None:
    """A process that exits in order releases its lease."""
    solver = Holder(platform)
    await solver.renew()
    await platform.close()
    await platform.store.release(solver.holder)
    assert await platform.drained()


async def test_a_lease_expires_once_it_is_seen_unchanged_for_its_ttl_and_the_margin(platform: Platform) -> None:
    """A killed process delays a close by its lease and the margin; its lease can no longer be renewed then."""
    solver, before = Holder(platform), await platform.epoch()
    await solver.renew()
    await platform.close()
    assert not await platform.drained()
    await solver.renew(known=before, drained=before)
    assert not await platform.drained(after=TTL + MARGIN), "it was renewed meanwhile"
    assert not await platform.drained(after=TTL + MARGIN - 0.1)
    assert await platform.drained(after=0.1)
    assert await solver.renew(known=before, drained=before) is None


async def test_a_lease_that_does_not_exist_cannot_be_renewed(platform: Platform) -> None:
    """A holder whose row is gone has lapsed."""
    assert await Holder(platform).renew(known=await platform.epoch()) is None
