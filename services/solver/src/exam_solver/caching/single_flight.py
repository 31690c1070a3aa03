"""One fetch for everybody who waits for the same thing."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class SingleFlight(Generic[KeyT, ValueT]):
    """Runs work once a key at a time; a waiter that gives up does not take the work from the others."""

    def __init__(self) -> None:
        self._tasks: dict[KeyT, asyncio.Task[ValueT]] = {}

    async def run(self, key: KeyT, work: Callable[[], Coroutine[Any, Any, ValueT]]) -> ValueT:
        """The outcome of the work under way for `key`, or of `work`, which is then begun."""
        return await asyncio.shield(self.begin(key, work))

    def begin(self, key: KeyT, work: Callable[[], Coroutine[Any, Any, ValueT]]) -> asyncio.Task[ValueT]:
        """The same without waiting for it."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return task

    async def join(self, key: KeyT) -> None:
        """Return when the work under way for `key`, if any, has ended; its outcome is the others' matter."""
        task = self._tasks.get(key)
        if task is not None:
            await asyncio.wait({task})

    async def close(self) -> None:
        """Cancel what is under way and return when it has ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: KeyT, task: asyncio.Task[ValueT]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # looked at, for the case that every waiter has gone
