"""``service_token``: issue a token for the internal API."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from exam_core.instants import MINUTE
from exam_core.service_tokens import Caller, sign_service_token
from exam_web.common.clock import database_now
from exam_web.users.authentication import signing_keys

MAX_MINUTES = 12 * 60


class Command(BaseCommand):
    """Issue a token of tools, which may call what the operator may call, and set extra time."""

    help = "Prints a token with which a tool can call the internal API, for an hour by default."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--minutes", type=int, default=60, help=f"until it expires: 1 to {MAX_MINUTES}")

    def handle(self, *_: object, minutes: int, **__: object) -> None:
        """Print the token."""
        if not 1 <= minutes <= MAX_MINUTES:
            raise CommandError(f"--minutes must be 1 to {MAX_MINUTES}, not {minutes}")
        now = database_now()
        self.stdout.write(sign_service_token(Caller.TOOLS, signing_keys(), now=now, lifetime=minutes * MINUTE))
