"""``load_people``: create students and Doctors from a CSV file."""

import csv
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from exam_core.problems import Problem
from exam_web.users.people import NewPerson, people_load

COLUMNS = ("username", "kind", "level", "password")


class Command(BaseCommand):
    """Create users and move students to their levels in one transaction; passwords of existing users stay."""

    help = (
        "Creates users from a CSV file with the columns username, kind (student or doctor), level, password. "
        "An existing student gets the level of the file; an existing user's password may be empty and is not changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--create-levels", action="store_true", help="create levels that do not exist")

    def handle(self, *_: object, file: Path, create_levels: bool, **__: object) -> None:
        """Create the users, or list the lines that are wrong."""
        people, faults = _read(file)
        try:
            loaded = people_load(people=people, create_levels=create_levels, unread=faults)
        except Problem as problem:
            raise CommandError(f"{file}: {problem.detail}") from problem
        self.stdout.write(f"{loaded.created} users created, {loaded.existing} already exist")
        if loaded.existing:
            self.stdout.write("passwords of existing users are not changed")
        for move in loaded.moved:
            self.stdout.write(f"{move.username}: {move.before} -> {move.after}")


def _read(file: Path) -> tuple[list[NewPerson], list[str]]:
    """The people of a file, and the lines that have too many or too few cells."""
    people, faults = [], []
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            if tuple(next(reader, ())) != COLUMNS:
                raise CommandError(f"{file}: the first line must be {','.join(COLUMNS)}")
            for row in filter(None, reader):
                place = f"line {reader.line_num}"
                if len(row) == len(COLUMNS):
                    people.append(NewPerson(place=place, **dict(zip(COLUMNS, row, strict=True))))
                else:
                    hint = ": put a cell that contains a comma in double quotes" if len(row) > len(COLUMNS) else ""
                    faults.append(f"{place}: {len(row)} cells instead of {len(COLUMNS)}{hint}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"cannot read {file}: {error}") from error
    return people, faults
