"""The lease: renewed, lapsed, drained, given back."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from exam_core.instants import SECOND
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_solver.lease.keeper import LeaseKeeper
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.store import LeaseStoreUnavailableError
from exam_solver.testing.lease import ManualClock, MemoryLeaseStore, MemorySchedule
from exam_solver.testing.world import World


class Held:
    """A keeper, its store and its clock."""

    def __init__(self, schedule: MemorySchedule) -> None:
        self.clock = schedule.clock
        self.schedule = schedule
        self.store = MemoryLeaseStore(schedule)
        self.keeper = LeaseKeeper(self.store, ttl_ms=30_000, clock=self.clock, revocations=Revocations())

    @property
    def holder(self) -> UUID:
        """The name that the keeper holds a lease under."""
        assert self.keeper.lease is not None
        return self.keeper.lease.holder

    async def becomes_valid(self) -> None:
        """Return when the loop has renewed, at its own pace."""
        async with asyncio.timeout(5):
            while not self.keeper.valid:  # noqa: ASYNC110 - the loop has nobody to tell
                await asyncio.sleep(0.02)


@pytest.fixture
def schedule() -> MemorySchedule:
    """An empty schedule."""
    return MemorySchedule(ManualClock())


@pytest.fixture
async def held(schedule: MemorySchedule) -> Held:
    """A keeper with a fresh lease."""
    held = Held(schedule)
    await held.keeper.renew()
    return held


async def test_before_the_first_renewal_nothing_is_admitted(schedule: MemorySchedule) -> None:
    """A process that has just come up cannot save answers yet."""
    keeper = Held(schedule).keeper
    for ask in (keeper.admit, keeper.time, lambda: keeper.sitting(uuid4())):
        with pytest.raises(Problem) as refused:
            ask()
        assert (refused.value.kind, refused.value.retry_after) == (ProblemKind.UNAVAILABLE, 1)
    assert (keeper.valid, keeper.age, keeper.epoch, keeper.drained_epoch) == (False, float("inf"), 0, 0)


async def test_a_renewal_keeps_the_holder_and_its_age(held: Held) -> None:
    """As long as it renews in time, a process keeps its name."""
    holder = held.holder
    for _ in range(100):
        held.clock.advance(29)
        assert await held.keeper.renew()
    assert held.holder == holder
    assert list(held.schedule.leases) == [holder]


async def test_a_lapsed_lease_is_dead_and_its_process_a_new_holder(held: Held) -> None:
    """After thirty seconds without PostgreSQL the old name may never acknowledge anything again."""
    holder = held.holder
    held.clock.advance(30)
    assert not held.keeper.valid
    with pytest.raises(Problem):
        held.keeper.admit()
    assert await held.keeper.renew()
    assert held.holder != holder
    assert held.keeper.valid


async def test_validity_counts_from_before_the_renewal_was_sent(held: Held) -> None:
    """A renewal whose answer came after twenty seconds is good for ten more."""
    held.store.gate.clear()
    renewing = asyncio.create_task(held.keeper.renew())
    await asyncio.sleep(0)
    held.clock.advance(20)
    held.store.gate.set()
    assert await renewing
    held.clock.advance(9.9)
    assert held.keeper.valid
    held.clock.advance(0.1)
    assert not held.keeper.valid


async def test_an_answer_that_comes_after_the_lease_lapsed_does_not_revive_it(held: Held) -> None:
    """The renewal was in time for PostgreSQL but not for us: the name is dead all the same."""
    holder = held.holder
    held.clock.advance(25)
    held.store.gate.clear()
    renewing = asyncio.create_task(held.keeper.renew())
    await asyncio.sleep(0)
    held.clock.advance(6)
    held.store.gate.set()
    assert not await renewing
    assert not held.keeper.valid
    assert await held.keeper.renew()
    assert held.holder != holder


async def test_when_postgresql_says_lapsed_the_lease_ends_at_once(held: Held) -> None:
    """PostgreSQL's clock decides too: what it no longer counts as live, we no longer use."""
    admitted = held.keeper.admit()
    held.schedule.leases.clear()
    assert not await held.keeper.renew()
    assert not held.keeper.valid
    assert not held.keeper.held_since(admitted)


async def test_a_failed_renewal_leaves_the_lease_as_it_was(held: Held) -> None:
    """PostgreSQL is away for a while: the lease goes on to its end, and is renewed when it is back."""
    holder = held.holder
    held.store.down = True
    held.clock.advance(20)
    with pytest.raises(LeaseStoreUnavailableError):
        await held.keeper.renew()
    assert held.keeper.valid
    held.store.down, held.store.lose_responses = False, True
    with pytest.raises(LeaseStoreUnavailableError):
        await held.keeper.renew()
    held.store.lose_responses = False
    assert await held.keeper.renew()
    assert held.holder == holder


async def test_the_epoch_never_goes_back(held: Held) -> None:
    """A primary that knows less than we do is not believed, not even as a new holder."""
    held.schedule.epoch = 9
    await held.keeper.renew()
    held.schedule.epoch = 8
    with pytest.raises(LeaseStoreUnavailableError, match="decreased from 9 to 8"):
        await held.keeper.renew()
    held.clock.advance(31)
    with pytest.raises(LeaseStoreUnavailableError, match="decreased"):
        await held.keeper.renew()
    assert (held.keeper.valid, held.keeper.epoch) == (False, 9)


async def test_an_epoch_is_drained_only_when_what_was_admitted_before_is_finished(held: Held) -> None:
    """A sitting may be sealed only when no older answer is on its way."""
    finish = asyncio.Event()
    working = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), finish.wait))
    await asyncio.sleep(0)
    held.schedule.epoch = closing = 7
    await held.keeper.renew()
    await held.keeper.renew()
    assert (held.keeper.epoch, held.keeper.drained_epoch, held.keeper.in_flight) == (7, 1, 1)
    assert not held.schedule.drained(closing)
    newer = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), asyncio.Event().wait))
    finish.set()
    await working
    await asyncio.sleep(0)
    assert held.keeper.drained_epoch == 7
    await held.keeper.renew()
    assert held.schedule.drained(closing)
    newer.cancel()


async def test_a_renewal_acknowledges_only_the_epoch_it_knew(held: Held) -> None:
    """The renewal that brings a new epoch cannot have drained it: the next one says so."""
    held.schedule.epoch = 5
    await held.keeper.renew()
    assert not held.schedule.drained(5)
    await held.keeper.renew()
    assert held.schedule.drained(5)


async def test_what_a_dead_holder_left_behind_does_not_hold_up_the_new_one(held: Held) -> None:
    """A hung write of the old name can never be acknowledged: the new name need not wait for it."""
    hung = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), asyncio.Event().wait))
    await asyncio.sleep(0)
    held.clock.advance(31)
    held.schedule.epoch = 5
    await held.keeper.renew()
    assert (held.keeper.in_flight, held.keeper.drained_epoch) == (1, 5)
    hung.cancel()


async def test_work_goes_on_when_its_caller_is_gone_and_stays_registered(held: Held) -> None:
    """A client hangs up: its write is finished, and the drain waits for it."""
    finish = asyncio.Event()
    caller = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), finish.wait))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert held.keeper.in_flight == 1
    finish.set()
    await held.keeper.stop(grace=5)
    assert held.keeper.in_flight == 0
    assert held.store.released == [held.holder]


async def test_nothing_may_be_awaited_between_admission_and_work(held: Held) -> None:
    """An admission that another renewal overtook is a fault of ours, and is caught."""
    admitted = held.keeper.admit()
    await held.keeper.renew()
    with pytest.raises(RuntimeError, match="nothing may be awaited"):
        await held.keeper.run_tracked(admitted, asyncio.Event().wait)


async def test_stopping_waits_for_what_is_in_flight_and_then_gives_the_lease_back(held: Held) -> None:
    """The process is told to end: it finishes its writes first, and admits nothing new."""
    finish = asyncio.Event()
    working = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), finish.wait))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(held.keeper.stop(grace=60))
    await asyncio.sleep(0)
    with pytest.raises(Problem):
        held.keeper.admit()
    assert held.store.released == []
    finish.set()
    await stopping
    await working
    assert held.store.released == [held.holder]
    assert held.store.closed
    assert not held.keeper.valid


async def test_names_left_behind_are_given_back_when_nothing_is_in_flight_under_them(held: Held) -> None:
    """A close need not wait for a name that lapsed, nor for one whose first answer was lost; but for its writes."""
    finish = asyncio.Event()
    writing = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), finish.wait))
    await asyncio.sleep(0)
    lapsed = held.holder
    held.clock.advance(31)
    held.store.lose_responses = True
    with pytest.raises(LeaseStoreUnavailableError):
        await held.keeper.renew()
    held.store.lose_responses = False
    assert len(held.schedule.leases) == 2
    await held.keeper.renew()
    await held.keeper.release_stale()
    assert set(held.schedule.leases) == {lapsed, held.holder}
    finish.set()
    await writing
    await asyncio.sleep(0)
    await held.keeper.release_stale()
    assert set(held.schedule.leases) == {held.holder}
    assert held.keeper.valid


async def test_what_does_not_finish_keeps_the_lease_until_it_expires(held: Held) -> None:
    """A write hangs while the process ends: its row stays, and the close waits for its expiry."""
    hung = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), asyncio.Event().wait))
    await asyncio.sleep(0)
    await held.keeper.stop(grace=0.01)
    assert held.store.released == []
    assert held.holder in held.schedule.leases
    hung.cancel()


async def test_stopping_while_postgresql_is_down_ends_all_the_same(held: Held) -> None:
    """The lease cannot be given back: it expires by itself."""
    held.store.down = True
    await held.keeper.stop(grace=1)
    assert not held.keeper.valid


async def test_the_loop_renews_by_itself_and_says_that_it_lives(schedule: MemorySchedule) -> None:
    """Nobody has to ask for a renewal; failures do not end it."""
    held = Held(schedule)
    held.store.down = True
    held.keeper.start()
    held.store.down = False
    await held.becomes_valid()
    seen = [held.keeper.alive]
    held.clock.advance(60)
    seen.append(held.keeper.alive)
    await held.becomes_valid()
    seen.append(held.keeper.alive)
    await held.keeper.stop(grace=1)
    assert [*seen, held.keeper.alive] == [True, False, True, False]
    assert held.schedule.leases == {}


async def test_a_loop_that_died_of_a_fault_is_seen(schedule: MemorySchedule) -> None:
    """A fault in the loop makes the process unhealthy, so that it is replaced."""
    held = Held(schedule)
    schedule.sittings[uuid4()] = None  # type: ignore[assignment]
    held.keeper.start()
    async with asyncio.timeout(5):
        while held.keeper.alive:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await held.keeper.stop(grace=1)


async def test_one_renewal_s_lease_and_sittings_come_together(world: World) -> None:
    """A changed sitting is known with the epoch that changed it, and unchanged ones are kept."""
    solver = await world.start_process()
    keeper = solver.solver.keeper
    await solver.renew()
    before = keeper.admit()
    world.schedule.change(world.sitting, state=State.CLOSING)
    assert keeper.admit().sitting(world.sitting).state is State.SCHEDULED
    await solver.renew()
    after = keeper.admit()
    assert after.sitting(world.sitting).state is State.CLOSING
    assert after.admission.epoch > before.admission.epoch
    assert before.sitting(world.sitting).state is State.SCHEDULED


async def test_the_platforms_time_goes_on_without_postgresql(held: Held) -> None:
    """Tokens expire by the platform's clock even while it cannot be asked."""
    now = held.keeper.time()
    held.store.down = True
    held.clock.advance(100)
    assert held.keeper.time() == now + 100 * SECOND
    held.store.down = False
    held.schedule.offset -= 50 * SECOND
    await held.keeper.renew()
    assert held.keeper.time() == now + 100 * SECOND


async def test_a_store_that_tells_a_new_holder_no_sittings_is_not_believed(schedule: MemorySchedule) -> None:
    """Without the sittings a lease is worth nothing."""
    held = Held(schedule)
    original = held.store.renew

    async def renew(holder: UUID, **known: int) -> object:
        renewal = await original(holder, **known)
        assert renewal is not None
        return replace(renewal, sittings=None)

    held.store.renew = renew  # type: ignore[method-assign, assignment]
    with pytest.raises(LeaseStoreUnavailableError, match="no sittings"):
        await held.keeper.renew()
    assert not held.keeper.valid
