"""The platform's clock as a student's device knows it: asked for, never assumed equal to the device's own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000

Ask = Callable[[], Awaitable[int]]
"""Asks the platform for its time (µs)."""


class ServerClock:
    """An estimate of the platform's time (µs) from its own answers and the time that passed here since."""

    def __init__(self, here: Callable[[], float] = time.monotonic) -> None:
        self._here = here
        self._offset: float | None = None

    async def ask(self, ask: Ask) -> int:
        """Set the clock by the platform's answer, taking half of the way there and back as the delay."""
        before = self._here()
        now = await ask()
        self._offset = now - (before + self._here()) / 2 * SECOND
        return self.now()

    def now(self) -> int:
        """The platform's time by the last answer."""
        if self._offset is None:
            raise RuntimeError("nobody has asked the platform for its time yet")
        return int(self._here() * SECOND + self._offset)

    async def until(self, instant: int, ask: Ask | None = None) -> None:
        """Wait for an instant of the platform; with `ask`, until the platform itself says so."""
        while (left := instant - self.now()) > 0:
            await asyncio.sleep(left / SECOND)
            if ask is not None:
                await self.ask(ask)


def instant_of(text: str) -> int:
    """The microseconds since the epoch of an RFC 3339 text."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def rfc3339(instant: int) -> str:
    """An instant (µs) as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat(timespec="microseconds").replace("+00:00", "Z")
