"""A synchronous adapter of the answer log: one event loop and one session per process.

Neither survives a fork, so both are created on first use, and again in a process that inherited them.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLog
from exam_answerlog.settings import CassandraSettings

T = TypeVar("T")


class SyncAnswerLog:
    """Runs operations on an answer log to completion.

    Args:
        connect: creates the answer log and starts connecting; called in the process and event loop that use it.
        close: closes the answer log; None if it needs no closing.
    """

    def __init__(
        self, connect: Callable[[], AnswerLog], close: Callable[[AnswerLog], Awaitable[None]] | None = None
    ) -> None:
        self._connect = connect
        self._close = close
        self._connection: tuple[int, asyncio.AbstractEventLoop, AnswerLog] | None = None

    def run(self, operation: Callable[[AnswerLog], Awaitable[T]]) -> T:
        """Run an operation on the answer log and return its result."""
        loop, answers = self.connect()
        return loop.run_until_complete(_run(operation, answers))

    def connect(self) -> tuple[asyncio.AbstractEventLoop, AnswerLog]:
        """Start connecting unless this process has; a forked child calls it early, before its first task."""
        if self._connection is None or self._connection[0] != os.getpid():
            loop = asyncio.new_event_loop()
            self._connection = (os.getpid(), loop, loop.run_until_complete(_call(self._connect)))
        return self._connection[1:]

    def close(self) -> None:
        """Close what this process opened."""
        if self._connection is None or self._connection[0] != os.getpid():
            return
        _, loop, answers = self._connection
        self._connection = None
        if self._close is not None:
            loop.run_until_complete(_run(self._close, answers))
        loop.close()


def cassandra_answerlog(settings: CassandraSettings) -> SyncAnswerLog:
    """The answer log in Cassandra."""

    async def close(answers: AnswerLog) -> None:
        if isinstance(answers, CassandraAnswerLog):
            await answers.close()

    return SyncAnswerLog(lambda: CassandraAnswerLog.connect(settings), close)


async def _run(operation: Callable[[AnswerLog], Awaitable[T]], answers: AnswerLog) -> T:
    return await operation(answers)


async def _call(create: Callable[[], AnswerLog]) -> AnswerLog:
    """Call `create` while the event loop runs, which the driver needs."""
    return create()
