"""``create_admin``: create the first administrator."""

import os
import sys
from argparse import ArgumentParser
from getpass import getpass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from exam_web.users.logins import second_factor
from exam_web.users.models import User
from exam_web.users.names import validate_username


class Command(BaseCommand):
    """Create an administrator; an existing one is changed only with --reset."""

    help = "Creates an administrator. Prompts for the password, or reads it from an environment variable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--username", required=True)
        parser.add_argument("--password-env", metavar="NAME", help="environment variable that holds the password")
        reset = "set the password of an existing administrator, and remove the second factor"
        parser.add_argument("--reset", action="store_true", help=reset)

    def handle(self, *_: object, username: str, password_env: str | None, reset: bool, **__: object) -> None:
        """Create the administrator."""
        existing = User.objects.named(username)
        if existing is not None and not reset:
            self.stdout.write(f"{existing.username} already exists, unchanged (--reset sets the password)")
            return
        user = existing or User(username=username, kind=User.Kind.STAFF)
        if user.kind != User.Kind.STAFF:
            raise CommandError(f"{username} is a {user.kind}, not staff: choose another name")
        try:
            validate_username(username)
        except ValidationError as error:
            raise CommandError(f"--username: {error.message}") from error
        password = os.environ.get(password_env, "") if password_env else _prompt()
        try:
            validate_password(password, user)
        except ValidationError as error:
            source = f" in {password_env}" if password_env else ""
            raise CommandError(f"invalid password{source}: {' '.join(error.messages)}") from error
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(password)
        user.save()
        second_factor.remove(user)
        self.stdout.write(f"{username} can log in at /admin/")


def _prompt() -> str:
    """Prompt for the password twice, without echo."""
    if not sys.stdin.isatty():
        raise CommandError("stdin is not a terminal: name the variable with the password in --password-env")
    password = getpass("password: ")
    if getpass("password (again): ") != password:
        raise CommandError("the passwords do not match: nothing changed")
    return password
