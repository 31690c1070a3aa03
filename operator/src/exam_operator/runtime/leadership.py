"""Holds the operator's Lease: of several replicas, one acts, and the others are ready to.

A process can be paused between any two instructions and resumed when another replica acts. So the permission is a time
on the clock that keeps running meanwhile, and it is checked with every request that changes something (`check`), not
only when the loss of the Lease is noticed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from exam_core.instants import SECOND
from exam_operator.clients.errors import ConflictError, NotLeadingError, UnavailableError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.election import (
    ACTING_SHARE,
    RENEWAL_SHARE,
    Lease,
    Sighting,
    acts_until,
    may_take,
    released,
    taken,
)
from exam_runtime.boot_clock import BootClock, boot_clock

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
"""How often a replica without the Lease reads it, at least: another one may have released it."""
RETRY_SECONDS = 0.5
"""Between two tries to renew the Lease."""


class Leadership:
    """Takes the Lease when it may, and lets this process act while it holds it.

    Args:
        kube: the API server.
        name: the Lease's name.
        identity: this replica's name, which no other replica has.
        duration: the Lease's duration in whole seconds.
        utc: UTC time in µs, for the Lease's fields that people read.
        clock: time that never steps, in µs.
    """

    def __init__(
        self,
        kube: KubernetesClient,
        *,
        name: str,
        identity: str,
        duration: int,
        utc: Callable[[], int],
        clock: BootClock = boot_clock,
    ) -> None:
        self._kube = kube
        self._name = name
        self._identity = identity
        self._duration = duration
        self._utc = utc
        self._clock = clock
        self._acts_until = clock()
        self._sighting = Sighting("", 0)
        self._held: Lease | None = None

    @property
    def leading(self) -> bool:
        """Whether this process may act now."""
        return self._clock() < self._acts_until

    def check(self) -> None:
        """Check that this process may act now; called with every request that changes something.

        Raises:
            NotLeadingError: another replica may act.
        """
        if not self.leading:
            raise NotLeadingError(f"{self._identity} does not hold the Lease {self._name}")

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `lead` whenever this process holds the Lease, until cancelled; then release the Lease."""
        while True:
            await self._acquire()
            log.info("lease_acquired", identity=self._identity)
            try:
                await self._lead(lead)
            finally:
                await self._release()

    async def _acquire(self) -> None:
        """Return when this process holds the Lease."""
        acquired = False
        while not acquired:
            acquired = await self._try_acquire()
            if not acquired:
                await asyncio.sleep(min(self._interval, POLL_SECONDS))

    async def _try_acquire(self) -> bool:
        asked_at = self._clock()
        try:
            async with asyncio.timeout(self._duration * ACTING_SHARE):
                lease = await self._kube.get_lease(self._name)
                if lease is not None:
                    self._sighting = self._sighting.followed_by(lease, self._clock())
                    if not may_take(lease, self._sighting, identity=self._identity, asked_at=asked_at):
                        return False
                await self._write(lease)
        except (ConflictError, UnavailableError, TimeoutError) as error:
            # Another replica was faster, or the API server does not answer.
            log.info("lease_not_acquired", error=str(error) or type(error).__name__)
            return False
        return True

    async def _lead(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `lead` until the Lease is lost; returns when all of it has ended."""
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(lead())
            try:
                await self._renew_until_lost()
            finally:
                work.cancel()

    async def _renew_until_lost(self) -> None:
        wait = self._interval
        while True:
            await asyncio.sleep(max(0.0, min(wait, self._seconds_left)))
            if not self.leading:
                break
            try:
                async with asyncio.timeout(self._seconds_left):
                    await self._renew()
                wait = self._interval
            except (UnavailableError, TimeoutError) as error:
                log.warning("lease_renewal_failed", error=str(error) or type(error).__name__)
                wait = RETRY_SECONDS
            except ConflictError as error:
                log.warning("lease_conflicted", error=str(error))
                break
        log.warning("lease_lost", identity=self._identity)

    async def _renew(self) -> None:
        lease = self._held
        if lease is None:
            # The outcome of the last write is not known; if it was applied, the version has changed.
            lease = await self._kube.get_lease(self._name)
            if lease is None or lease.holder != self._identity:
                raise ConflictError("the Lease has another holder")
        await self._write(lease)

    async def _write(self, lease: Lease | None) -> None:
        """Write the Lease as its holder; the permission to act counts from before the request."""
        asked_at = self._clock()
        self._held = None
        wanted = taken(lease, identity=self._identity, duration=self._duration, now=self._utc())
        self._held = await self._kube.write_lease(self._name, wanted, now=self._utc())
        self._acts_until = acts_until(asked_at, self._duration)

    async def _release(self) -> None:
        """Release the Lease if it is held; what could still act has ended."""
        self._acts_until = self._clock()
        lease, self._held = self._held, None
        try:
            async with asyncio.timeout(self._interval * 2):
                if lease is None:
                    # The outcome of the last write is not known.
                    lease = await self._kube.get_lease(self._name)
                if lease is None or lease.holder != self._identity:
                    return
                await self._kube.write_lease(self._name, released(lease), now=self._utc())
        except (ConflictError, UnavailableError, TimeoutError) as error:
            # It was lost before, or it expires.
            log.info("lease_not_released", error=str(error) or type(error).__name__)
        else:
            log.info("lease_released", identity=self._identity)

    @property
    def _interval(self) -> float:
        return self._duration * RENEWAL_SHARE

    @property
    def _seconds_left(self) -> float:
        return (self._acts_until - self._clock()) / SECOND
