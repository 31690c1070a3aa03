"""One coordinator a sitting, as a courtesy: PostgreSQL's advisory lock, held for as long as its connection lives.

Two coordinators at once do no harm; the lock only saves the second one's work. So nobody checks that it is still held.
"""

from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg

NAMESPACE = int.from_bytes(b"GRAD")
"""The first half of the lock's name, so that it is not confused with the schedule's or anyone else's."""
CONNECT_SECONDS = 5


class SittingLock:
    """The right to coordinate one sitting, on a connection of its own."""

    def __init__(self, dsn: str, sitting: UUID) -> None:
        self._dsn = dsn
        self._name = (NAMESPACE, int.from_bytes(sitting.bytes[:4], signed=True))
        self._connection: psycopg.Connection[tuple[bool]] | None = None
        self._held = False

    def take(self) -> bool:
        """Whether the lock is ours now; never waits for whoever has it.

        Raises:
            psycopg.OperationalError: PostgreSQL cannot be asked; the lock is not held then.
        """
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._dsn,
                    autocommit=True,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="exam-grader lock",
                )
            if self._held:
                self._connection.execute("SELECT true")
            else:
                taken = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", self._name).fetchone()
                self._held = taken == (True,)
        except psycopg.OperationalError:
            self.release()
            raise
        return self._held

    def release(self) -> None:
        """Give the lock back, if it is ours, with the connection that holds it."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
