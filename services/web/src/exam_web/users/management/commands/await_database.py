"""``await_database``: wait until PostgreSQL accepts connections."""

import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from psycopg_pool import PoolTimeout

PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    """Connect once a second until it succeeds or the timeout expires."""

    help = "Waits until PostgreSQL accepts connections."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--seconds", type=float, default=60, help="timeout in seconds (default: 60)")

    def handle(self, *_: object, seconds: float, **__: object) -> None:
        """Wait, and print why."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                connection.ensure_connection()
            except (OperationalError, PoolTimeout) as error:
                where = f"{connection.settings_dict['HOST']}:{connection.settings_dict['PORT']}"
                if time.monotonic() + PAUSE_SECONDS > deadline:
                    raise CommandError(
                        f"PostgreSQL at {where} not reachable within {seconds:g} s: {error}. "
                        "Check EXAM_DATABASE_URL, that the server runs, and that the network allows connections to it"
                    ) from error
                self.stdout.write(f"waiting for PostgreSQL at {where}: {error}")
                time.sleep(PAUSE_SECONDS)
            else:
                return
