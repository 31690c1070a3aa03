"""``load_people``: create students and Doctors from a CSV file."""

import csv
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from exam_core.problems import Problem
from exam_web.sittings.services import check_percent_change
from exam_web.users.people import NewPerson, people_load

COLUMNS = ("username", "kind", "level", "password")
EXTRA = "extra_percent"
"""The column that a file may have beside them."""


class Command(BaseCommand):
    """Create users, move students to their levels and set extra time in one transaction; passwords of existing stay.

    It is a command of sittings, whose rules say when extra time may change.
    """

    help = (
        "Creates users from a CSV file with the columns username, kind (student or doctor), level, password, and "
        "extra_percent if students have extra time in all exams: in percent of the duration of an attempt, 0 removes "
        "it, an empty cell changes nothing. An existing student gets the level of the file; an existing user's "
        "password may be empty and is not changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--create-levels", action="store_true", help="create levels that do not exist")

    def handle(self, *_: object, file: Path, create_levels: bool, **__: object) -> None:
        """Create the users, or list the lines that are wrong."""
        people, faults = _read(file)
        try:
            loaded = people_load(
                people=people, create_levels=create_levels, unread=faults, check_percent=check_percent_change
            )
        except Problem as problem:
            raise CommandError(f"{file}: {problem.detail}") from problem
        self.stdout.write(f"{loaded.created} users created, {loaded.existing} already exist")
        if loaded.existing:
            self.stdout.write("passwords of existing users are not changed")
        for move in loaded.moved:
            self.stdout.write(f"{move.username}: {move.before} -> {move.after}")
        for grant in loaded.grants:
            self.stdout.write(f"{grant.username}: extra time {grant.before} % -> {grant.after} %")


def _read(file: Path) -> tuple[list[NewPerson], list[str]]:
    """The people of a file, and the lines that have too many or too few cells."""
    people, faults = [], []
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            columns = tuple(next(reader, ()))
            if columns not in (COLUMNS, (*COLUMNS, EXTRA)):
                line = ",".join(COLUMNS)
                raise CommandError(f"{file}: the first line must be {line} or {line},{EXTRA}")
            for row in filter(None, reader):
                place = f"line {reader.line_num}"
                if len(row) == len(columns):
                    people.append(NewPerson(place=place, **dict(zip(columns, row, strict=True))))
                else:
                    hint = ": put a cell that contains a comma in double quotes" if len(row) > len(columns) else ""
                    faults.append(f"{place}: {len(row)} cells instead of {len(columns)}{hint}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"cannot read {file}: {error}") from error
    return people, faults
