"""``create_admin``: the first person who may log into the admin."""

import os
import sys
from argparse import ArgumentParser
from getpass import getpass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from exam_web.users.models import User


class Command(BaseCommand):
    """Create an administrator; one who exists is left alone unless --reset is given."""

    help = "Create an administrator; the password is asked for at the terminal, or read from an environment variable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The command's words."""
        parser.add_argument("--username", required=True)
        parser.add_argument("--password-env", metavar="NAME", help="the variable with the password, to not be asked")
        parser.add_argument("--reset", action="store_true", help="give an existing administrator this password")

    def handle(self, *_: object, username: str, password_env: str | None, reset: bool, **__: object) -> None:
        """Create, or say why not."""
        existing = User.objects.filter(username=username).first()
        if existing is not None and not reset:
            self.stdout.write(f"{username} is there already; nothing changed (--reset sets the password)")
            return
        user = existing or User(username=username, kind=User.Kind.STAFF)
        if user.kind != User.Kind.STAFF:
            raise CommandError(f"{username} is a {user.kind}, not staff: choose another name")
        password, source = (os.environ.get(password_env, ""), f" in {password_env}") if password_env else (_ask(), "")
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(f"the password{source} is not accepted: {' '.join(error.messages)}") from error
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(password)
        user.save()
        self.stdout.write(f"{username} may log in at /admin/")


def _ask() -> str:
    """The password, typed twice and shown to nobody."""
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask for the password: name its variable with --password-env")
    password = getpass("password: ")
    if getpass("once more: ") != password:
        raise CommandError("these were two different passwords: nothing is changed")
    return password
