"""``load_people``: create students and Doctors from a CSV file."""

import csv
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from exam_core.problems import Problem
from exam_web.users.people import NewPerson, people_load

COLUMNS = ("username", "kind", "level", "password")


class Command(BaseCommand):
    """Create users in one transaction; existing ones are not changed."""

    help = "Creates users from a CSV file with the columns username, kind (student or doctor), level, password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path)

    def handle(self, *_: object, file: Path, **__: object) -> None:
        """Create the users, or list the lines that are wrong."""
        try:
            loaded = people_load(people=_read(file))
        except Problem as problem:
            raise CommandError(f"{file}: {problem.detail}") from problem
        self.stdout.write(f"{loaded.created} users created, {loaded.existing} already exist")


def _read(file: Path) -> list[NewPerson]:
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, restval="")
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise CommandError(f"{file}: the first line must be {','.join(COLUMNS)}")
            return [
                NewPerson(place=f"line {reader.line_num}", **{column: row[column] for column in COLUMNS})
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"cannot read {file}: {error}") from error
