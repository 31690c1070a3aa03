"""Who takes part: students of two levels, their educators, and one of the staff. Every password is made for the run."""

import csv
import io
import secrets
from dataclasses import dataclass

from exam_harness.students.student import Account

EXTRA_US = 8_000_000
"""The accommodation that a few students have: time past their deadline, and past the close."""
_EXTRA_EVERY = 40
_FIRST_LEVEL_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is no student."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class People:
    """Everyone on the platform."""

    students: tuple[Account, ...]
    doctors: tuple[Person, ...]
    staff: Person

    @property
    def accommodated(self) -> tuple[Account, ...]:
        """The students who are granted extra time."""
        return tuple(account for account in self.students if account.index % _EXTRA_EVERY == 2)

    def csv(self) -> str:
        """Students and doctors as web's importer reads them."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["username", "kind", "level", "password"])
        for person in self.doctors:
            writer.writerow([person.username, "doctor", "", person.password])
        for account in self.students:
            writer.writerow([account.username, "student", account.level, account.password])
        return text.getvalue()


def people_of(students: int, levels: tuple[str, str], *, suffix: str = "") -> People:
    """So many students in two levels, a doctor for each level, one of the staff; everyone's name may have a suffix."""
    first = round(students * _FIRST_LEVEL_SHARE)
    return People(
        students=tuple(
            Account(index, f"student{suffix}-{index + 1:03}", secrets.token_urlsafe(12), levels[index >= first])
            for index in range(students)
        ),
        doctors=tuple(Person(name + suffix, secrets.token_urlsafe(12)) for name in ("noether", "euclid")),
        staff=Person("admin" + suffix, secrets.token_urlsafe(12)),
    )
