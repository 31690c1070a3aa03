"""``load_people``: students and Doctors from a CSV file."""

import csv
import os
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import QuerySet

from exam_web.users.models import Level, User

COLUMNS = ("username", "kind", "level", "password")


class Command(BaseCommand):
    """Load people, all or nobody; who exists keeps the password."""

    help = "Load people from a CSV file with the columns username, kind (student or doctor), level, password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The command's words."""
        parser.add_argument("file", type=Path)

    def handle(self, *_: object, file: Path, **__: object) -> None:
        """Load, or say which line is wrong."""
        with file.open(newline="") as lines:
            reader = csv.DictReader(lines)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise CommandError(f"{file}: the first line must be {','.join(COLUMNS)}")
            rows = list(reader)
        known = set(User.objects.values_list("username", flat=True))
        new = [row for row in rows if row["username"] not in known]
        with transaction.atomic():
            levels = {slug: _level(slug) for slug in sorted({row["level"] for row in rows if row["level"]})}
            for number, row in enumerate(rows, start=2):
                _check(file, number, row)
            # Argon2 lets go of the interpreter while it works, so threads use every core.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                passwords = list(pool.map(make_password, (row["password"] for row in new)))
            User.objects.bulk_create(
                User(
                    username=row["username"],
                    kind=row["kind"],
                    level=levels.get(row["level"]),
                    password=password,
                    is_staff=row["kind"] == User.Kind.DOCTOR,
                )
                for row, password in zip(new, passwords, strict=True)
            )
            grant_doctors(User.objects.filter(username__in=[row["username"] for row in new]))
        self.stdout.write(f"{len(new)} people created, {len(rows) - len(new)} there already")


def grant_doctors(users: QuerySet[User]) -> None:
    """Give Doctors what the admin asks for: their own exams (the admin narrows it to these)."""
    wanted = [
        f"{verb}_{model}" for model in ("exam", "question", "choice") for verb in ("add", "change", "delete", "view")
    ]
    permissions = Permission.objects.filter(
        content_type__app_label__in=("exams", "sittings", "degrees"),
        codename__in=[*wanted, "view_sitting", "view_degree", "view_revision"],
    )
    for doctor in users.filter(kind=User.Kind.DOCTOR):
        doctor.user_permissions.add(*permissions)


def _level(slug: str) -> Level:
    level, _ = Level.objects.get_or_create(slug=slug, defaults={"name": slug})
    return level


def _check(file: Path, number: int, row: dict[str, str]) -> None:
    kind, level = row["kind"], row["level"]
    if kind not in (User.Kind.STUDENT, User.Kind.DOCTOR):
        raise CommandError(f"{file} line {number}: kind must be student or doctor, not {kind!r}")
    if (kind == User.Kind.STUDENT) != bool(level):
        raise CommandError(f"{file} line {number}: a student has a level, a doctor has none")
    if not row["username"] or not row["password"]:
        raise CommandError(f"{file} line {number}: username and password must not be empty")
