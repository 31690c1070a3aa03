"""``await_database``: return when PostgreSQL answers, for whatever has to come after it."""

import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from psycopg_pool import PoolTimeout

PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    """Ask once a second until there is an answer, or the time is up."""

    help = "Wait until PostgreSQL answers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The command's words."""
        parser.add_argument("--seconds", type=float, default=60, help="give up after so long (60)")

    def handle(self, *_: object, seconds: float, **__: object) -> None:
        """Wait, saying why."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                connection.ensure_connection()
            except (OperationalError, PoolTimeout) as error:
                where = f"{connection.settings_dict['HOST']}:{connection.settings_dict['PORT']}"
                if time.monotonic() + PAUSE_SECONDS > deadline:
                    raise CommandError(
                        f"PostgreSQL at {where} did not answer within {seconds:g} s: {error}. "
                        "Check EXAM_DATABASE_URL, that the server runs, and that its network lets this pod in"
                    ) from error
                self.stdout.write(f"not yet: PostgreSQL at {where}: {error}")
                time.sleep(PAUSE_SECONDS)
            else:
                return
