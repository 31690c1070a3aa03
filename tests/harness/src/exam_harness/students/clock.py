"""The platform's clock as a student's device knows it: asked for, never assumed equal to the device's own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
DOUBT = SECOND // 5
"""How far the platform's time by one solver may be from that by another, or by a device (µs)."""

Ask = Callable[[], Awaitable[int]]
"""Asks the platform for its time (µs)."""


class ServerClock:
    """An estimate of the platform's time (µs) from its own answers and the time that passed here since."""

    def __init__(self, here: Callable[[], float] = time.monotonic) -> None:
        self._here = here
        self._offset = 0.0
        self._delay: float | None = None

    async def ask(self, ask: Ask) -> int:
        """What the platform says; the clock is set by its quickest answer, half of whose way counts as delay."""
        before = self._here()
        said = await ask()
        after = self._here()
        if self._delay is None or after - before < self._delay:
            self._delay = after - before
            self._offset = said - (before + after) / 2 * SECOND
        return said

    def now(self) -> int:
        """The platform's time by its quickest answer."""
        if self._delay is None:
            raise RuntimeError("nobody has asked the platform for its time yet")
        return int(self._here() * SECOND + self._offset)

    async def until(self, instant: int) -> None:
        """Wait for an instant of the platform, by this clock."""
        await asyncio.sleep(max(0, instant - self.now()) / SECOND)

    async def until_said(self, instant: int, ask: Ask) -> None:
        """Wait until the platform itself says that an instant has come."""
        await self.until(instant)
        said = await self.ask(ask)
        while said < instant:
            await asyncio.sleep((instant - said) / SECOND)
            said = await self.ask(ask)


def instant_of(text: str) -> int:
    """The microseconds since the epoch of an RFC 3339 text."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def rfc3339(instant: int) -> str:
    """An instant (µs) as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat(timespec="microseconds").replace("+00:00", "Z")
