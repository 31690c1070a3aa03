"""The platform's clock, which is PostgreSQL's, and this machine's monotonic clock."""

import time

from django.db import connection

MICROS_NOW = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"


def database_now() -> int:
    """The current time (µs) on PostgreSQL's clock."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {MICROS_NOW}")
        row = cursor.fetchone()
    return int(row[0])


def monotonic_now() -> int:
    """This machine's monotonic clock (µs): it cannot be set and stands still while the machine is suspended."""
    return time.monotonic_ns() // 1_000
