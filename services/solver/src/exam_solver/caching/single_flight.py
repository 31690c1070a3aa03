"""Share one running call among concurrent callers that need the same result."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class SingleFlight(Generic[KeyT, ValueT]):
    """Runs at most one call per key at a time; a caller that is cancelled does not cancel it for the others."""

    def __init__(self) -> None:
        self._tasks: dict[KeyT, asyncio.Task[ValueT]] = {}

    async def run(self, key: KeyT, work: Callable[[], Coroutine[Any, Any, ValueT]]) -> ValueT:
        """Return the result of the call that runs for `key`, starting `work` if none does."""
        return await asyncio.shield(self.start(key, work))

    def start(self, key: KeyT, work: Callable[[], Coroutine[Any, Any, ValueT]]) -> asyncio.Task[ValueT]:
        """Like `run`, but return the task without waiting for it."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda ended: self._remove(key, ended))
        return task

    async def join(self, key: KeyT) -> None:
        """Wait until the call that runs for `key`, if any, has ended; its result or error is ignored."""
        task = self._tasks.get(key)
        if task is not None:
            await asyncio.wait({task})

    async def close(self) -> None:
        """Cancel all running calls and wait until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _remove(self, key: KeyT, task: asyncio.Task[ValueT]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # mark it as retrieved, in case every caller was cancelled
