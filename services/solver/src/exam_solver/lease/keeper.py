"""Keep this process's lease: renew it, check it for every admission, release it at the end.

Whether an answer may be acknowledged depends on three steps that happen here without an await between them: the lease
is checked, the time is stamped, and the work is registered as in flight (`LeaseKeeper.admit`, then `run_tracked`). Each
renewal reports to PostgreSQL the epoch up to which all work in flight has finished; only then is a sitting sealed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

import structlog

from exam_answerlog.log import AnswerLogUnavailableError
from exam_core import lease as rules
from exam_core.instants import SECOND
from exam_core.lease import Lease
from exam_core.problems import Problem
from exam_core.schedule import ScheduledSitting
from exam_runtime.boot_clock import BootClock
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.snapshot import Admitted, LeaseSnapshot, find_sitting, no_lease
from exam_solver.lease.store import LeaseStore, LeaseStoreUnavailableError, Renewal

logger = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")
AdmissionKey = tuple[UUID, int]
"""The holder and the epoch of an admission whose work is in flight."""

EXPECTED_ERRORS: Final = (Problem, AnswerLogUnavailableError)
"""Errors that work in flight may end with; any other is a bug, and is logged even when its caller has gone."""
RENEW_INTERVAL: Final = SECOND
MIN_PAUSE: Final = SECOND // 10
"""Between two renewals, however slow the first was."""
MAX_STALE_HOLDERS: Final = 64
"""Stale holders that are kept for release; beyond it, reached only if releases keep failing, some expire instead."""
STUCK_AFTER: Final = 30 * SECOND
"""An iteration of the loop has shorter timeouts, so a loop without one for this long is stuck."""


class LeaseKeeper:
    """Keeps one process's lease.

    Args:
        store: stores the leases.
        ttl_ms: how long a renewal is valid.
        clock: the boot clock.
        revocations: updated with the revocations of each renewal.
        new_holder: generates the names of holders.
    """

    def __init__(
        self,
        store: LeaseStore,
        *,
        ttl_ms: int,
        clock: BootClock,
        revocations: Revocations,
        new_holder: Callable[[], UUID] = uuid4,
    ) -> None:
        self._store = store
        self._ttl_ms = ttl_ms
        self._clock = clock
        self._revocations = revocations
        self._new_holder = new_holder
        self._snapshot: LeaseSnapshot | None = None
        self._epoch = 0
        self._unconfirmed: Lease | None = None
        self._in_flight: Counter[AdmissionKey] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._stopping = asyncio.Event()
        self._stale_holders: set[UUID] = set()
        self._loop: asyncio.Task[None] | None = None
        self._iterated_at = 0

    # state

    @property
    def lease(self) -> Lease | None:
        """The lease as of its last renewal, valid or not."""
        return None if self._snapshot is None else self._snapshot.lease

    @property
    def valid(self) -> bool:
        """Whether this process may admit and acknowledge now."""
        return self.lease is not None and self.lease.valid(self._clock())

    @property
    def age(self) -> float:
        """Seconds since the last renewal was sent; infinite before the first."""
        return float("inf") if self.lease is None else self.lease.age(self._clock()) / SECOND

    @property
    def epoch(self) -> int:
        """The highest epoch that this process has received."""
        return self._epoch

    @property
    def unreadable(self) -> int:
        """How many scheduled sittings this release cannot read and does not serve."""
        return 0 if self._snapshot is None else len(self._snapshot.unreadable)

    @property
    def in_flight(self) -> int:
        """How many admissions have not finished."""
        return self._in_flight.total()

    @property
    def drained_epoch(self) -> int:
        """The epoch below which no admission of this holder is in flight any more."""
        if self.lease is None:
            return 0
        holder = self.lease.holder
        return min((epoch for name, epoch in self._in_flight if name == holder), default=self.lease.epoch)

    @property
    def alive(self) -> bool:
        """Whether the renewal loop is running and not stuck; a renewal that fails is no reason to restart."""
        running = self._loop is not None and not self._loop.done()
        return running and self._clock() - self._iterated_at < STUCK_AFTER

    def time(self) -> int:
        """The platform's time, extrapolated from the last renewal, whatever its age.

        Raises:
            Problem: UNAVAILABLE before the first renewal.
        """
        if self.lease is None:
            raise no_lease()
        return self.lease.time(self._clock())

    def sitting(self, sitting: UUID) -> ScheduledSitting:
        """A sitting as of the last renewal, whatever its age; decide about answers by `Admitted.sitting`.

        Raises:
            Problem: UNAVAILABLE before the first renewal, NOT_FOUND when no such sitting is scheduled.
        """
        if self._snapshot is None:
            raise no_lease()
        return find_sitting(self._snapshot, sitting)

    # admissions

    def admit(self) -> Admitted:
        """Admit work at this moment, stamped with the platform's time.

        Raises:
            Problem: UNAVAILABLE without a valid lease.
        """
        boot_now = self._clock()
        snapshot = self._snapshot
        admission = None if snapshot is None or self._closing else rules.admit(snapshot.lease, boot_now)
        if snapshot is None or admission is None:
            raise no_lease()
        return Admitted(admission, snapshot)

    async def run_tracked(self, admitted: Admitted, work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Register work as in flight and run it to completion, even when the caller is cancelled.

        A client that disconnects must not stop a write that a drain waits for. Nothing may be awaited between `admit`
        and this call, and nothing is awaited here before the work is registered.
        """
        if self._snapshot is not admitted.snapshot:
            raise RuntimeError("the lease was renewed between admit and run_tracked: nothing may be awaited there")
        task = asyncio.get_running_loop().create_task(work())
        key = (admitted.admission.holder, admitted.admission.epoch)
        self._in_flight[key] += 1
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._untrack(key, ended))
        return await asyncio.shield(task)

    def held_since(self, admitted: Admitted) -> bool:
        """Whether the lease has been held without a gap since the admission, so that the work may be acknowledged."""
        return rules.held_since(admitted.admission, self.lease, self._clock())

    # the renewal loop

    def start(self) -> None:
        """Start the renewal loop."""
        self._iterated_at = self._clock()
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="lease")
        self._loop.add_done_callback(_log_crash)

    async def stop(self, *, grace: float) -> None:
        """Stop admitting, wait for the work in flight while still renewing, then release the lease.

        Work that takes longer than `grace` seconds may still be written: then the lease is kept until it expires.
        """
        self._closing = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace)
        self._stopping.set()
        if self._loop is not None:
            await asyncio.wait({self._loop})
        await self._release()
        await self._store.close()

    async def renew(self) -> bool:
        """Renew once; False when the lease lapsed, and the next call may acquire one under a new name at once.

        Raises:
            LeaseStoreUnavailableError: the lease is unchanged.
        """
        await self._store.connect()
        sent_at = self._clock()
        current = self._snapshot if self._snapshot is not None and self._snapshot.lease.valid(sent_at) else None
        holder = self._new_holder() if current is None else current.lease.holder
        if current is None:
            # Stale until the response arrives: the row may be written and the response lost. All rows expire anyway.
            if len(self._stale_holders) >= MAX_STALE_HOLDERS:
                self._stale_holders.pop()
            self._stale_holders.add(holder)
        known_revocation = self._revocations.latest
        renewal = await self._store.renew(
            holder,
            ttl_ms=self._ttl_ms,
            known_epoch=0 if current is None else current.lease.epoch,
            drained_epoch=0 if current is None else self.drained_epoch,
            known_revocation=known_revocation,
        )
        if current is not None and (renewal is None or not current.lease.valid(self._clock())):
            # PostgreSQL counts it as expired, or the response came after its expiry: the holder cannot be used again.
            self._lapse()
            logger.warning("lease_lapsed", holder=str(holder))
            return False
        if renewal is None:
            raise LeaseStoreUnavailableError("a new holder was rejected as lapsed")
        if renewal.epoch < self._epoch:
            raise LeaseStoreUnavailableError(
                f"the schedule's epoch decreased from {self._epoch} to {renewal.epoch}: is this the right primary?"
            )
        lease = Lease(
            holder=holder,
            sent_at=sent_at,
            entered_at=renewal.entered_at,
            ttl=self._ttl_ms * 1_000,
            epoch=renewal.epoch,
        )
        incomplete = self._revocations.missing(now=renewal.entered_at, since=known_revocation)
        if incomplete:
            self._revocations.fetch_all()
        self._check_clock(lease)
        if incomplete:
            raise LeaseStoreUnavailableError("the platform's clock went back; the next renewal fetches all revocations")
        self._adopt(lease, renewal, current)
        return True

    async def release_stale(self) -> None:
        """Release the stale holders of this process that have no work in flight.

        A stale holder can neither admit nor acknowledge, so releasing it is safe, and closing a sitting need not wait
        until it expires.

        Raises:
            LeaseStoreUnavailableError: the remaining ones are kept for the next call.
        """
        busy = {holder for holder, _ in self._in_flight}
        for holder in self._stale_holders - busy:
            await self._store.release(holder)
            self._stale_holders.discard(holder)

    def _check_clock(self, lease: Lease) -> None:
        """Adopt a step of the platform's clock only after a second renewal confirms it.

        A single wrong reading would make answers late, or admit late ones, until the next renewal.
        """
        references = (self.lease, self._unconfirmed)
        known = [reference for reference in references if reference is not None]
        if known and not any(rules.clocks_agree(reference, lease) for reference in known):
            self._unconfirmed = lease
            raise LeaseStoreUnavailableError("the platform's clock stepped; the next renewal must confirm it")
        self._unconfirmed = None

    def _adopt(self, lease: Lease, renewal: Renewal, unchanged: LeaseSnapshot | None) -> None:
        if renewal.sittings is not None:
            sittings: Mapping[UUID, ScheduledSitting] = {sitting.id: sitting for sitting in renewal.sittings}
            unreadable = renewal.unreadable
        elif unchanged is not None:
            sittings, unreadable = unchanged.sittings, unchanged.unreadable
        else:
            raise LeaseStoreUnavailableError("a new holder received no sittings")
        if self.lease is None or self.lease.holder != lease.holder:
            if self.lease is not None:
                self._stale_holders.add(self.lease.holder)
            logger.info("lease_acquired", holder=str(lease.holder), epoch=lease.epoch)
        self._stale_holders.discard(lease.holder)
        self._epoch = lease.epoch
        self._snapshot = LeaseSnapshot(lease, sittings, unreadable)
        self._revocations.update(renewal.revocations, now=renewal.entered_at)

    async def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            began = self._iterated_at = self._clock()
            try:
                retry_at_once = not await self.renew()
                await self.release_stale()
                if failing:
                    logger.info("lease_renewal_recovered")
                failing = False
            except LeaseStoreUnavailableError as error:
                retry_at_once, failing = False, True
                logger.warning("lease_renewal_failed", error=str(error), valid=self.valid)
            pause = MIN_PAUSE if retry_at_once else max(MIN_PAUSE, RENEW_INTERVAL - (self._clock() - began))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause / SECOND)

    async def _release(self) -> None:
        if self.lease is not None:
            self._stale_holders.add(self.lease.holder)
        self._lapse()
        try:
            await self.release_stale()
        except LeaseStoreUnavailableError as error:
            logger.warning("lease_release_failed", error=str(error))
        else:
            if self._stale_holders:
                logger.warning("lease_kept", reason="work in flight did not finish", in_flight=self.in_flight)
            else:
                logger.info("lease_released")

    def _lapse(self) -> None:
        """Invalidate the lease from now on; its sittings and time stay usable where no lease is needed."""
        if self._snapshot is not None:
            self._snapshot = replace(self._snapshot, lease=replace(self._snapshot.lease, ttl=0))

    def _untrack(self, key: AdmissionKey, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._in_flight[key] -= 1
        if not self._in_flight[key]:
            del self._in_flight[key]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EXPECTED_ERRORS):
            logger.error("work_in_flight_failed", exc_info=error)


def _log_crash(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and loop.exception() is not None:
        logger.critical("lease_loop_crashed", exc_info=loop.exception())
