"""``create_admin``: the first person who may log into the admin."""

import os
from argparse import ArgumentParser

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from exam_web.users.models import User


class Command(BaseCommand):
    """Create an administrator; one who exists is left alone unless --reset is given."""

    help = "Create an administrator whose password is read from an environment variable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The command's words."""
        parser.add_argument("--username", required=True)
        parser.add_argument("--password-env", required=True, metavar="NAME", help="the variable with the password")
        parser.add_argument("--reset", action="store_true", help="give an existing administrator this password")

    def handle(self, *_: object, username: str, password_env: str, reset: bool, **__: object) -> None:
        """Create, or say why not."""
        password = os.environ.get(password_env, "")
        existing = User.objects.filter(username=username).first()
        if existing is not None and not reset:
            self.stdout.write(f"{username} is there already; nothing changed (--reset sets the password)")
            return
        user = existing or User(username=username, kind=User.Kind.STAFF)
        if user.kind != User.Kind.STAFF:
            raise CommandError(f"{username} is a {user.kind}, not staff: choose another name")
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(f"the password in {password_env} is not accepted: {' '.join(error.messages)}") from error
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(password)
        user.save()
        self.stdout.write(f"{username} may log in at /admin/")
