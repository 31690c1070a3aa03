"""Accounts of a run: students of two levels, their doctors and an administrator, all with generated passwords."""

import csv
import io
import secrets
from dataclasses import dataclass

from exam_harness.students.student import Account

EXTRA_TIME_US = 8_000_000
"""The accommodation of a few students: extra time past their deadline, and past the close."""
_ACCOMMODATED_EVERY = 40
_FIRST_LEVEL_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Credentials:
    """Username and password of a doctor or an administrator."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts of a run."""

    students: tuple[Account, ...]
    doctors: tuple[Credentials, ...]
    admin: Credentials

    @property
    def accommodated(self) -> tuple[Account, ...]:
        """The students with extra time."""
        return tuple(account for account in self.students if account.index % _ACCOMMODATED_EVERY == 2)

    def csv(self) -> str:
        """Students and doctors in the format of web's import command."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["username", "kind", "level", "password"])
        for doctor in self.doctors:
            writer.writerow([doctor.username, "doctor", "", doctor.password])
        for account in self.students:
            writer.writerow([account.username, "student", account.level, account.password])
        return text.getvalue()


def new_accounts(students: int, levels: tuple[str, str], *, suffix: str = "") -> Accounts:
    """Students in two levels, one doctor for each level and an administrator; usernames may end in a suffix."""
    first = round(students * _FIRST_LEVEL_SHARE)
    return Accounts(
        students=tuple(
            Account(index, f"student{suffix}-{index + 1:03}", secrets.token_urlsafe(12), levels[index >= first])
            for index in range(students)
        ),
        doctors=tuple(Credentials(name + suffix, secrets.token_urlsafe(12)) for name in ("noether", "euclid")),
        admin=Credentials("admin" + suffix, secrets.token_urlsafe(12)),
    )
