"""Waiting until PostgreSQL accepts connections."""

import time
from collections.abc import Callable
from typing import Final

import psycopg
from django.core.management.base import CommandError
from django.db import OperationalError
from psycopg_pool import PoolTimeout

PAUSE_SECONDS: Final = 1.0


def await_postgres(
    connect: Callable[[], object], *, where: str, variable: str, seconds: float, report: Callable[[str], object]
) -> None:
    """Call `connect` once a second until it succeeds.

    Raises:
        CommandError: it did not within `seconds`; the variable is the one with the URL.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connect()
        except (OperationalError, psycopg.OperationalError, PoolTimeout) as error:
            if time.monotonic() + PAUSE_SECONDS > deadline:
                raise CommandError(
                    f"PostgreSQL at {where} not reachable within {seconds:g} s: {error}. "
                    f"Check {variable}, that the server runs, and that the network allows connections to it"
                ) from error
            report(f"waiting for PostgreSQL at {where}: {error}")
            time.sleep(PAUSE_SECONDS)
        else:
            return
