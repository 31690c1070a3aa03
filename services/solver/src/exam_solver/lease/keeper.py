"""The lease of this process: kept alive, asked for every admission, given back at the end.

What may be acknowledged hangs on three things that happen here without an await between them: the lease is looked at,
the time is stamped, and the work is registered as in flight (`LeaseKeeper.admit`, then `carry`). A renewal tells
PostgreSQL the epoch up to which everything in flight is finished; a sitting is sealed only after that.
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
from exam_solver.lease.clock import BootClock
from exam_solver.lease.revocations import Revocations
from exam_solver.lease.snapshot import Admitted, LeaseSnapshot, find_sitting, no_lease
from exam_solver.lease.store import LeaseStore, LeaseStoreUnavailableError, Renewal

logger = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")
Place = tuple[UUID, int]
"""Whose admission something in flight is, and under which epoch."""

EXPECTED: Final = (Problem, AnswerLogUnavailableError)
"""How work in flight may end besides well; anything else is a fault of ours, logged even when nobody waits for it."""
INTERVAL: Final = SECOND
SHORTEST_PAUSE: Final = SECOND // 10
"""Between two renewals, however slow the first was."""
LEFT_BEHIND: Final = 64
"""Names to be given back that are kept in mind; beyond it, which takes a store that fails oddly, some just expire."""
STUCK_AFTER: Final = 30 * SECOND
"""A loop that has not come round for so long is not alive: one round, failures included, has shorter limits."""


class LeaseKeeper:
    """Keeps one process's lease.

    Args:
        store: where leases are.
        ttl_ms: for how long a renewal is good.
        clock: the boot clock.
        revocations: told what renewals tell of revoked tokens.
        new_holder: makes the names of holders.
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
        self._known: LeaseSnapshot | None = None
        self._epoch = 0
        self._stamped = 0
        self._in_flight: Counter[Place] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._stopping = asyncio.Event()
        self._left_behind: set[UUID] = set()
        self._loop: asyncio.Task[None] | None = None
        self._came_round = 0

    # what is known

    @property
    def lease(self) -> Lease | None:
        """The lease as of its last renewal, valid or not."""
        return None if self._known is None else self._known.lease

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
        """The highest epoch this process ever knew."""
        return self._epoch

    @property
    def in_flight(self) -> int:
        """How many admissions are not finished."""
        return self._in_flight.total()

    @property
    def drained_epoch(self) -> int:
        """The epoch below which nothing that this holder admitted is in flight any more."""
        if self.lease is None:
            return 0
        holder = self.lease.holder
        return min((epoch for name, epoch in self._in_flight if name == holder), default=self.lease.epoch)

    @property
    def alive(self) -> bool:
        """Whether the loop that renews is running and comes round, with success or not."""
        running = self._loop is not None and not self._loop.done()
        return running and self._clock() - self._came_round < STUCK_AFTER

    def time(self) -> int:
        """The platform's time, counted on from the last renewal however long ago it was.

        Raises:
            Problem: UNAVAILABLE before the first renewal.
        """
        if self.lease is None:
            raise no_lease()
        return self._stamp(self.lease.time(self._clock()))

    def sitting(self, sitting: UUID) -> ScheduledSitting:
        """A sitting as last known, which may be long ago: judge answers by `Admitted.sitting`.

        Raises:
            Problem: UNAVAILABLE before the first renewal, NOT_FOUND when no such sitting is near.
        """
        if self._known is None:
            raise no_lease()
        return find_sitting(self._known, sitting)

    # admissions

    def admit(self) -> Admitted:
        """An admission at this moment, stamped with a time that never goes back in this process.

        Raises:
            Problem: UNAVAILABLE without a valid lease.
        """
        boot_now = self._clock()
        known = self._known
        admission = None if known is None or self._closing else rules.admit(known.lease, boot_now)
        if known is None or admission is None:
            raise no_lease()
        stamped = replace(admission, received_at=self._stamp(admission.received_at))
        return Admitted(stamped, known, known.lease.age(boot_now))

    async def carry(self, admitted: Admitted, work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Register work as in flight, and do it to its end whatever becomes of the caller.

        A client that hangs up must not stop a write that a drain counts on. Nothing may be awaited between `admit` and
        this, and nothing is awaited here before the work is registered.
        """
        if self._known is not admitted.snapshot:
            raise RuntimeError("something was awaited between admission and work: another renewal came in")
        task = asyncio.get_running_loop().create_task(work())
        place = (admitted.admission.holder, admitted.admission.epoch)
        self._in_flight[place] += 1
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._land(place, ended))
        return await asyncio.shield(task)

    def unbroken(self, admitted: Admitted) -> bool:
        """Whether what was admitted may be acknowledged now: the lease was valid all the time."""
        return rules.unbroken(admitted.admission, self.lease, self._clock())

    # the loop

    def start(self) -> None:
        """Begin to renew."""
        self._came_round = self._clock()
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="lease")
        self._loop.add_done_callback(_log_death)

    async def stop(self, *, grace: float) -> None:
        """Admit nothing more, finish what is in flight (renewing meanwhile), give the lease back.

        What takes longer than `grace` seconds may still be written: then the lease is kept, to expire by itself.
        """
        self._closing = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace)
        self._stopping.set()
        if self._loop is not None:
            await asyncio.wait({self._loop})
        await self._give_back()
        await self._store.close()

    async def renew(self) -> bool:
        """One renewal; False when this process has to start over as a new holder, which it may do at once.

        Raises:
            LeaseStoreUnavailableError: the lease stands as it stood.
        """
        await self._store.connect()
        sent_at = self._clock()
        known = self._known if self._known is not None and self._known.lease.valid(sent_at) else None
        holder = self._new_holder() if known is None else known.lease.holder
        if known is None:
            # Until its answer is here: the row may be written and the answer lost. All rows expire in the end.
            if len(self._left_behind) >= LEFT_BEHIND:
                self._left_behind.pop()
            self._left_behind.add(holder)
        renewal = await self._store.renew(
            holder,
            ttl_ms=self._ttl_ms,
            known_epoch=0 if known is None else known.lease.epoch,
            drained_epoch=0 if known is None else self.drained_epoch,
            known_revocation=self._revocations.latest,
        )
        if known is not None and (renewal is None or not known.lease.valid(self._clock())):
            # PostgreSQL counts it as expired, or its answer came after we had to: either way the name is dead.
            self._lapse()
            logger.warning("lease_lapsed", holder=str(holder))
            return False
        if renewal is None:
            raise LeaseStoreUnavailableError("a new holder was refused as lapsed")
        if renewal.epoch < self._epoch:
            raise LeaseStoreUnavailableError(
                f"the schedule's epoch went back from {self._epoch} to {renewal.epoch}: is this the right primary?"
            )
        self._adopt(
            Lease(
                holder=holder,
                sent_at=sent_at,
                entered_at=renewal.entered_at,
                ttl=self._ttl_ms * 1_000,
                epoch=renewal.epoch,
            ),
            renewal,
            None if known is None else known.sittings,
        )
        return True

    async def tidy(self) -> None:
        """Give back the names that this process left behind, once nothing is in flight under them.

        A dead name can neither admit nor acknowledge, so nothing is lost; a close need not wait for it to expire.

        Raises:
            LeaseStoreUnavailableError: the rest is for the next time.
        """
        busy = {holder for holder, _ in self._in_flight}
        for holder in self._left_behind - busy:
            await self._store.release(holder)
            self._left_behind.discard(holder)

    def _adopt(self, lease: Lease, renewal: Renewal, unchanged: Mapping[UUID, ScheduledSitting] | None) -> None:
        if renewal.sittings is not None:
            sittings: Mapping[UUID, ScheduledSitting] = {sitting.id: sitting for sitting in renewal.sittings}
        elif unchanged is not None:
            sittings = unchanged
        else:
            raise LeaseStoreUnavailableError("a new holder was told no sittings")
        if self.lease is None or self.lease.holder != lease.holder:
            if self.lease is not None:
                self._left_behind.add(self.lease.holder)
            logger.info("lease_held", holder=str(lease.holder), epoch=lease.epoch)
        self._left_behind.discard(lease.holder)
        self._epoch = lease.epoch
        self._known = LeaseSnapshot(lease, sittings)
        self._revocations.learn(renewal.revocations, now=renewal.entered_at)

    async def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            began = self._came_round = self._clock()
            try:
                again = not await self.renew()
                await self.tidy()
                if failing:
                    logger.info("lease_renewal_recovered")
                failing = False
            except LeaseStoreUnavailableError as error:
                again, failing = False, True
                logger.warning("lease_renewal_failed", error=str(error), valid=self.valid)
            pause = SHORTEST_PAUSE if again else max(SHORTEST_PAUSE, INTERVAL - (self._clock() - began))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause / SECOND)

    async def _give_back(self) -> None:
        if self.lease is not None:
            self._left_behind.add(self.lease.holder)
        self._lapse()
        try:
            await self.tidy()
        except LeaseStoreUnavailableError as error:
            logger.warning("lease_not_released", error=str(error))
        else:
            if self._left_behind:
                logger.warning("lease_kept", reason="work in flight did not finish", in_flight=self.in_flight)
            else:
                logger.info("lease_released")

    def _lapse(self) -> None:
        """Make the lease invalid from now on; what it told is still good for what needs no lease."""
        if self._known is not None:
            self._known = replace(self._known, lease=replace(self._known.lease, ttl=0))

    def _land(self, place: Place, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._in_flight[place] -= 1
        if not self._in_flight[place]:
            del self._in_flight[place]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EXPECTED):
            logger.error("work_in_flight_failed", exc_info=error)

    def _stamp(self, now: int) -> int:
        self._stamped = max(self._stamped, now)
        return self._stamped


def _log_death(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and loop.exception() is not None:
        logger.critical("lease_loop_died", exc_info=loop.exception())
