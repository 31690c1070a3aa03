"""``await_database``: wait until PostgreSQL accepts connections."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand
from django.db import connection

from exam_web.common.waiting import await_postgres
from exam_web.settings import ENVIRONMENT


class Command(BaseCommand):
    """Connect once a second until it succeeds or the timeout expires."""

    help = "Waits until PostgreSQL accepts connections."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--seconds", type=float, default=60, help="timeout in seconds (default: 60)")

    def handle(self, *_: object, seconds: float, **__: object) -> None:
        """Wait, and print why."""
        await_postgres(
            connection.ensure_connection,
            where=f"{connection.settings_dict['HOST']}:{connection.settings_dict['PORT']}",
            variable="EXAM_OWNER_DATABASE_URL" if ENVIRONMENT.owner_database_url else "EXAM_DATABASE_URL",
            seconds=seconds,
            report=self.stdout.write,
        )
