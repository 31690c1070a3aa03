"""The platform's clock as estimated by a student's device, independently of the device's own clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable

SECOND = 1_000_000
CLOCK_TOLERANCE = SECOND // 5
"""The largest difference between the clocks of two solvers, or of a solver and a device (µs)."""

FetchTime = Callable[[], Awaitable[int]]
"""Requests the platform's time (µs)."""


class ServerClock:
    """An estimate of the platform's time (µs) from its responses and the local time elapsed since."""

    def __init__(self, local_time: Callable[[], float] = time.monotonic) -> None:
        self._local_time = local_time
        self._offset = 0.0
        self._round_trip: float | None = None

    async def sync(self, fetch_time: FetchTime) -> int:
        """Fetch the platform's time; the fastest response sets the clock, corrected by half its round trip."""
        before = self._local_time()
        server_time = await fetch_time()
        after = self._local_time()
        if self._round_trip is None or after - before < self._round_trip:
            self._round_trip = after - before
            self._offset = server_time - (before + after) / 2 * SECOND
        return server_time

    def now(self) -> int:
        """The platform's time as estimated from its fastest response."""
        if self._round_trip is None:
            raise RuntimeError("the clock was never synchronised with the platform")
        return int(self._local_time() * SECOND + self._offset)

    async def sleep_until(self, instant: int) -> None:
        """Sleep until an instant of the platform, by this clock."""
        await asyncio.sleep(max(0, instant - self.now()) / SECOND)

    async def wait_until(self, instant: int, fetch_time: FetchTime) -> None:
        """Wait until the platform itself reports that an instant has passed."""
        await self.sleep_until(instant)
        server_time = await self.sync(fetch_time)
        while server_time < instant:
            await asyncio.sleep((instant - server_time) / SECOND)
            server_time = await self.sync(fetch_time)
