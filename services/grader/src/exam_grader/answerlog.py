"""The answer log as the grader's synchronous code uses it: one event loop and one session in each process.

Neither survives a fork, so both are made on first use and made anew in a process that inherited them.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLog
from exam_answerlog.settings import CassandraSettings

T = TypeVar("T")


class Store:
    """An answer log behind a synchronous door.

    Args:
        connect: begins to connect; called in the process (and in the loop) that will use the log.
        close: gives the log up, where it has anything to give up.
    """

    def __init__(
        self, connect: Callable[[], AnswerLog], close: Callable[[AnswerLog], Awaitable[None]] | None = None
    ) -> None:
        self._connect = connect
        self._close = close
        self._open: tuple[int, asyncio.AbstractEventLoop, AnswerLog] | None = None

    def run(self, use: Callable[[AnswerLog], Awaitable[T]]) -> T:
        """Run something on the log to its end."""
        loop, log = self.open()
        return loop.run_until_complete(_awaited(use, log))

    def open(self) -> tuple[asyncio.AbstractEventLoop, AnswerLog]:
        """Begin to connect unless this process did; a child does it early, so that its first task need not wait."""
        if self._open is None or self._open[0] != os.getpid():
            loop = asyncio.new_event_loop()
            self._open = (os.getpid(), loop, loop.run_until_complete(_called(self._connect)))
        return self._open[1:]

    def close(self) -> None:
        """Give up what this process opened."""
        if self._open is None or self._open[0] != os.getpid():
            return
        _, loop, log = self._open
        self._open = None
        if self._close is not None:
            loop.run_until_complete(_awaited(self._close, log))
        loop.close()


def cassandra_store(settings: CassandraSettings) -> Store:
    """A store whose answer log is Cassandra's."""

    async def close(log: AnswerLog) -> None:
        if isinstance(log, CassandraAnswerLog):
            await log.close()

    return Store(lambda: CassandraAnswerLog.connect(settings), close)


async def _awaited(use: Callable[[AnswerLog], Awaitable[T]], log: AnswerLog) -> T:
    return await use(log)


async def _called(make: Callable[[], AnswerLog]) -> AnswerLog:
    return make()
