"""The platform's clock: PostgreSQL's."""

from django.db import connection

MICROS_NOW = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"


def database_now() -> int:
    """The current time (µs) on PostgreSQL's clock."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {MICROS_NOW}")
        row = cursor.fetchone()
    return int(row[0])
