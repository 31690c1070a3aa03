"""A PostgreSQL advisory lock per sitting, held for as long as its connection lives.

It only saves redundant work, because concurrent coordinators are safe. So no caller checks that it is still held.
"""

from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg

NAMESPACE = int.from_bytes(b"GRAD")
"""The first half of the lock's key, which distinguishes it from other advisory locks of the database."""
CONNECT_TIMEOUT_SECONDS = 5


class SittingLock:
    """The lock of one sitting, on its own connection."""

    def __init__(self, dsn: str, sitting: UUID) -> None:
        self._dsn = dsn
        self._key = (NAMESPACE, int.from_bytes(sitting.bytes[:4], signed=True))
        self._connection: psycopg.Connection[tuple[bool]] | None = None
        self._held = False

    def acquire(self) -> bool:
        """Acquire the lock without blocking; returns whether it is held.

        Raises:
            psycopg.OperationalError: PostgreSQL is unavailable; the lock is not held.
        """
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._dsn,
                    autocommit=True,
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    application_name="exam-grader lock",
                )
            if self._held:
                self._connection.execute("SELECT true")
            else:
                acquired = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", self._key).fetchone()
                self._held = acquired == (True,)
        except psycopg.OperationalError:
            self.release()
            raise
        return self._held

    def release(self) -> None:
        """Close the connection, which releases the lock if it is held."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
