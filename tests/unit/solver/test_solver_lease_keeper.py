"""The lease: renewal, lapse, drain, release."""

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


class Fixture:
    """A keeper with its store and clock."""

    def __init__(self, schedule: MemorySchedule) -> None:
        self.clock = schedule.clock
        self.schedule = schedule
        self.store = MemoryLeaseStore(schedule)
        self.keeper = LeaseKeeper(self.store, ttl_ms=30_000, clock=self.clock, revocations=Revocations())

    @property
    def holder(self) -> UUID:
        """The holder of the current lease."""
        assert self.keeper.lease is not None
        return self.keeper.lease.holder

    async def wait_until_valid(self) -> None:
        """Wait until the loop has renewed the lease."""
        async with asyncio.timeout(5):
            while not self.keeper.valid:  # noqa: ASYNC110 - the loop sets no event
                await asyncio.sleep(0.02)


@pytest.fixture
def schedule() -> MemorySchedule:
    """An empty schedule."""
    return MemorySchedule(ManualClock())


@pytest.fixture
async def held(schedule: MemorySchedule) -> Fixture:
    """A keeper with a fresh lease."""
    held = Fixture(schedule)
    await held.keeper.renew()
    return held


async def test_nothing_is_admitted_before_the_first_renewal(schedule: MemorySchedule) -> None:
    """A process that has just started cannot save answers yet."""
    keeper = Fixture(schedule).keeper
    for call in (keeper.admit, keeper.time, lambda: keeper.sitting(uuid4())):
        with pytest.raises(Problem) as raised:
            call()
        assert (raised.value.kind, raised.value.retry_after) == (ProblemKind.UNAVAILABLE, 1)
    assert (keeper.valid, keeper.age, keeper.epoch, keeper.drained_epoch) == (False, float("inf"), 0, 0)


async def test_a_renewal_in_time_keeps_the_holder(held: Fixture) -> None:
    """As long as it renews in time, a process keeps its holder name."""
    holder = held.holder
    for _ in range(100):
        held.clock.advance(29)
        assert await held.keeper.renew()
    assert held.holder == holder
    assert list(held.schedule.leases) == [holder]


async def test_a_process_whose_lease_lapsed_becomes_a_new_holder(held: Fixture) -> None:
    """After thirty seconds without PostgreSQL the old holder may never acknowledge anything again."""
    holder = held.holder
    held.clock.advance(30)
    assert not held.keeper.valid
    with pytest.raises(Problem):
        held.keeper.admit()
    assert await held.keeper.renew()
    assert held.holder != holder
    assert held.keeper.valid


async def test_validity_counts_from_before_the_renewal_was_sent(held: Fixture) -> None:
    """A renewal whose response took twenty seconds is valid for ten more."""
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


async def test_a_renewal_response_after_the_expiry_does_not_revive_the_lease(held: Fixture) -> None:
    """The renewal was in time for PostgreSQL but not for this process: the lease has lapsed."""
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


async def test_a_lease_that_postgresql_reports_as_lapsed_ends_at_once(held: Fixture) -> None:
    """A closer has deleted the row, which it may once the lease has expired: the holder is not used again."""
    admitted = held.keeper.admit()
    held.schedule.leases.clear()
    assert not await held.keeper.renew()
    assert not held.keeper.valid
    assert not held.keeper.held_since(admitted)


async def test_a_failed_renewal_leaves_the_lease_unchanged(held: Fixture) -> None:
    """PostgreSQL is down for a while: the lease stays valid until it expires, and is renewed once it is back."""
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


async def test_a_lower_epoch_is_rejected(held: Fixture) -> None:
    """A primary with a lower epoch is stale: its renewals are rejected, even for a new holder."""
    held.schedule.epoch = 9
    await held.keeper.renew()
    held.schedule.epoch = 8
    with pytest.raises(LeaseStoreUnavailableError, match="decreased from 9 to 8"):
        await held.keeper.renew()
    held.clock.advance(31)
    with pytest.raises(LeaseStoreUnavailableError, match="decreased"):
        await held.keeper.renew()
    assert (held.keeper.valid, held.keeper.epoch) == (False, 9)


async def test_an_epoch_is_drained_once_older_admissions_have_finished(held: Fixture) -> None:
    """A sitting may be sealed only when no older answer is in flight."""
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


async def test_a_renewal_reports_only_the_epoch_known_before_it(held: Fixture) -> None:
    """The renewal that returns a new epoch cannot have drained it: the next one reports it."""
    held.schedule.epoch = 5
    await held.keeper.renew()
    assert not held.schedule.drained(5)
    await held.keeper.renew()
    assert held.schedule.drained(5)


async def test_work_of_a_lapsed_holder_does_not_delay_the_new_ones_drain(held: Fixture) -> None:
    """A hung write of the old holder can never be acknowledged, so the new holder does not wait for it."""
    hung = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), asyncio.Event().wait))
    await asyncio.sleep(0)
    held.clock.advance(31)
    held.schedule.epoch = 5
    await held.keeper.renew()
    assert (held.keeper.in_flight, held.keeper.drained_epoch) == (1, 5)
    hung.cancel()


async def test_work_of_a_cancelled_caller_continues_and_stays_tracked(held: Fixture) -> None:
    """A client disconnects: its write finishes, and the drain waits for it."""
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


async def test_run_tracked_rejects_an_admission_from_before_a_renewal(held: Fixture) -> None:
    """An await between admission and work is a bug, which is detected when a renewal came in between."""
    admitted = held.keeper.admit()
    await held.keeper.renew()
    with pytest.raises(RuntimeError, match="nothing may be awaited"):
        await held.keeper.run_tracked(admitted, asyncio.Event().wait)


async def test_stop_waits_for_work_in_flight_and_then_releases_the_lease(held: Fixture) -> None:
    """A process that is stopped finishes its writes first, and admits nothing new."""
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


async def test_stale_holders_without_work_in_flight_are_released(held: Fixture) -> None:
    """A close waits for no lapsed holder and for none whose first response was lost, except for their writes."""
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


async def test_stop_keeps_the_lease_if_work_does_not_finish(held: Fixture) -> None:
    """A write hangs while the process stops: its lease is kept, and a close waits until it expires."""
    hung = asyncio.create_task(held.keeper.run_tracked(held.keeper.admit(), asyncio.Event().wait))
    await asyncio.sleep(0)
    await held.keeper.stop(grace=0.01)
    assert held.store.released == []
    assert held.holder in held.schedule.leases
    hung.cancel()


async def test_stop_succeeds_while_postgresql_is_down(held: Fixture) -> None:
    """The lease cannot be released: it expires."""
    held.store.down = True
    await held.keeper.stop(grace=1)
    assert not held.keeper.valid


async def test_the_loop_renews_and_reports_liveness(schedule: MemorySchedule) -> None:
    """The loop renews without being called, and survives failed renewals."""
    held = Fixture(schedule)
    held.store.down = True
    held.keeper.start()
    held.store.down = False
    await held.wait_until_valid()
    seen = [held.keeper.alive]
    held.clock.advance(60)
    seen.append(held.keeper.alive)
    await held.wait_until_valid()
    seen.append(held.keeper.alive)
    await held.keeper.stop(grace=1)
    assert [*seen, held.keeper.alive] == [True, False, True, False]
    assert held.schedule.leases == {}


async def test_a_crashed_loop_is_not_alive(schedule: MemorySchedule) -> None:
    """A bug in the loop makes the process unhealthy, so that it is restarted."""
    held = Fixture(schedule)
    schedule.sittings[uuid4()] = None  # type: ignore[assignment]
    held.keeper.start()
    async with asyncio.timeout(5):
        while held.keeper.alive:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await held.keeper.stop(grace=1)


async def test_lease_and_sittings_are_replaced_together(world: World) -> None:
    """A changed sitting appears together with the epoch that changed it."""
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


async def test_the_platforms_time_continues_without_postgresql(held: Fixture) -> None:
    """Tokens expire by the platform's clock even while PostgreSQL is down."""
    now = held.keeper.time()
    held.store.down = True
    held.clock.advance(100)
    assert held.keeper.time() == now + 100 * SECOND
    held.store.down = False
    await held.keeper.renew()
    assert held.keeper.time() == now + 100 * SECOND


async def test_a_renewal_of_a_new_holder_must_return_the_sittings(schedule: MemorySchedule) -> None:
    """A lease without sittings cannot admit anything, so the renewal counts as failed."""
    held = Fixture(schedule)
    original = held.store.renew

    async def renew(holder: UUID, **known: int) -> object:
        renewal = await original(holder, **known)
        assert renewal is not None
        return replace(renewal, sittings=None)

    held.store.renew = renew  # type: ignore[method-assign, assignment]
    with pytest.raises(LeaseStoreUnavailableError, match="no sittings"):
        await held.keeper.renew()
    assert not held.keeper.valid


async def test_one_wrong_reading_of_the_platforms_clock_is_ignored(held: Fixture) -> None:
    """PostgreSQL's clock is twenty seconds ahead for a single renewal: no answer becomes late by it."""
    held.clock.advance(1)
    before = held.keeper.time()
    held.schedule.offset += 20 * SECOND
    with pytest.raises(LeaseStoreUnavailableError, match="clock stepped"):
        await held.keeper.renew()
    assert (held.keeper.valid, held.keeper.admit().now) == (True, before)
    held.schedule.offset -= 20 * SECOND
    held.clock.advance(1)
    assert await held.keeper.renew()
    assert held.keeper.time() == before + SECOND


async def test_a_clock_that_was_an_hour_ahead_for_a_moment_leaves_no_trace(held: Fixture) -> None:
    """PostgreSQL's clock was an hour ahead for one renewal: the lease goes on, and answers are in time again."""
    holder = held.holder
    held.schedule.offset += 3_600 * SECOND
    with pytest.raises(LeaseStoreUnavailableError, match="clock stepped"):
        await held.keeper.renew()
    held.schedule.offset -= 3_600 * SECOND
    assert await held.keeper.renew()
    assert (held.holder, held.keeper.admit().now) == (holder, held.schedule.now)


@pytest.mark.parametrize("step", [3_600 * SECOND, 20 * SECOND, -3_600 * SECOND])
async def test_a_lasting_step_of_the_platforms_clock_is_adopted_once_confirmed(held: Fixture, step: int) -> None:
    """After a failover to a primary whose clock differs, solvers follow its time with the second renewal."""
    before = held.schedule.now
    held.schedule.offset += step
    held.clock.advance(1)
    with pytest.raises(LeaseStoreUnavailableError, match="clock stepped"):
        await held.keeper.renew()
    assert held.keeper.admit().now == before + SECOND
    held.clock.advance(1)
    assert await held.keeper.renew()
    assert held.keeper.admit().now == held.schedule.now == before + step + 2 * SECOND


async def test_two_separate_wrong_readings_do_not_confirm_each_other(held: Fixture) -> None:
    """PostgreSQL's clock is wrong for a moment, twice, with right readings in between: no answer becomes late by it."""
    before = held.schedule.now
    for second in range(1, 7):
        wrong = second in (2, 4)
        held.clock.advance(1)
        held.schedule.offset += wrong * 20 * SECOND
        if wrong:
            with pytest.raises(LeaseStoreUnavailableError, match="clock stepped"):
                await held.keeper.renew()
        else:
            assert await held.keeper.renew()
        held.schedule.offset -= wrong * 20 * SECOND
        assert held.keeper.admit().now == before + second * SECOND


async def test_the_platforms_time_follows_the_last_renewal(held: Fixture) -> None:
    """A renewal that was half a second slow is corrected by the next: the time may go back by so much."""
    held.schedule.offset += SECOND // 2
    await held.keeper.renew()
    late = held.keeper.time()
    held.schedule.offset -= SECOND // 2
    await held.keeper.renew()
    assert held.keeper.time() == late - SECOND // 2
