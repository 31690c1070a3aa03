"""The lease store in PostgreSQL: two functions, which are all that the solver's role may execute there."""

import asyncio
from typing import Any
from uuid import UUID

import psycopg

from exam_core.problems import Problem
from exam_solver.lease.store import LeaseStoreUnavailableError, Renewal


class PostgresLeaseStore:
    """Calls the lease functions over one connection, which is reopened after an error.

    Every operation has a timeout, because a server that does not respond must not block the renewal loop.
    """

    def __init__(self, conninfo: str, *, timeout: float = 3.0) -> None:
        self._conninfo = conninfo
        self._timeout = timeout
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def connect(self) -> None:
        """Open the connection if it is not open."""
        await self._open()

    async def renew(
        self, holder: UUID, *, ttl_ms: int, known_epoch: int, drained_epoch: int, known_revocation: int
    ) -> Renewal | None:
        """Call ``solver_renew``."""
        body = await self._call(
            "SELECT solver_renew(%s::uuid, %s::int, %s::bigint, %s::bigint, %s::bigint)",
            (holder, ttl_ms, known_epoch, drained_epoch, known_revocation),
        )
        try:
            return Renewal.from_json(body)
        except (KeyError, TypeError, ValueError, Problem) as error:
            raise LeaseStoreUnavailableError(f"the lease function's result cannot be parsed: {error!r}") from error

    async def release(self, holder: UUID) -> None:
        """Call ``solver_release``."""
        await self._call("SELECT solver_release(%s::uuid)", (holder,))

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _call(self, query: str, arguments: tuple[object, ...]) -> Any:  # noqa: ANN401 - any JSON
        connection = await self._open()
        try:
            async with asyncio.timeout(self._timeout):
                cursor = await connection.execute(query, arguments)
                row = await cursor.fetchone()
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self.close()
            raise LeaseStoreUnavailableError(_describe(error)) from error
        except asyncio.CancelledError:
            await self.close()
            raise
        return row[0] if row else None

    async def _open(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            try:
                async with asyncio.timeout(self._timeout):
                    self._connection = await psycopg.AsyncConnection.connect(
                        self._conninfo,
                        autocommit=True,
                        application_name="exam-solver",
                        keepalives_idle=5,
                        keepalives_interval=2,
                        keepalives_count=3,
                        tcp_user_timeout=int(self._timeout * 1000),
                    )
            except (psycopg.Error, OSError, TimeoutError) as error:
                raise LeaseStoreUnavailableError(_describe(error)) from error
        return self._connection


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
