"""Bulk creation of users."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import transaction

from exam_core.problems import Problem, ProblemKind
from exam_web.users.models import Level, User

KINDS = (User.Kind.STUDENT, User.Kind.DOCTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """An entry of a list of users; `place` is its position for error messages, `level` is empty for a Doctor."""

    place: str
    username: str
    kind: str
    level: str
    password: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many users of a list were created, and how many existed."""

    created: int
    existing: int


def people_load(*, people: Sequence[NewPerson]) -> Loaded:
    """Create the users who do not exist, and their levels, in one transaction; existing users are not changed.

    Raises:
        Problem: INVALID with every fault of the list and its place.
    """
    faults = list(_faults(people))
    if faults:
        raise Problem(ProblemKind.INVALID, "; ".join(faults), faults=faults)
    with transaction.atomic():
        existing = set(User.objects.values_list("username", flat=True))
        new = [person for person in people if person.username not in existing]
        levels = {slug: _level(slug) for slug in sorted({person.level for person in new if person.level})}
        # Argon2 releases the GIL, so threads use all cores.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            passwords = list(pool.map(make_password, (person.password for person in new)))
        users = [_user(person, levels, password) for person, password in zip(new, passwords, strict=True)]
        User.objects.bulk_create(users)
    return Loaded(created=len(new), existing=len(people) - len(new))


def _user(person: NewPerson, levels: dict[str, Level], password: str) -> User:
    return User(
        username=person.username,
        kind=person.kind,
        level=levels.get(person.level),
        password=password,
        is_staff=person.kind == User.Kind.DOCTOR,
    )


def _level(slug: str) -> Level:
    level, _ = Level.objects.get_or_create(slug=slug, defaults={"name": slug})
    return level


def _faults(people: Sequence[NewPerson]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for person in people:
        yield from (f"{person.place}: {reason}" for reason in _faults_of(person))
        if person.username in seen:
            yield f"{person.place}: {person.username} is already on {seen[person.username]}"
        seen.setdefault(person.username, person.place)


def _faults_of(person: NewPerson) -> Iterable[str]:
    if person.kind not in KINDS:
        yield f"kind must be {' or '.join(KINDS)}, not {person.kind!r}"
    elif (person.kind == User.Kind.STUDENT) != bool(person.level):
        yield "a student must have a level, a doctor must not"
    if not person.password:
        yield "the password must not be empty"
    yield from _field_faults(User(username=person.username), "username")
    if person.level:
        yield from _field_faults(Level(slug=person.level, name=person.level), "slug")


def _field_faults(row: User | Level, field: str) -> Iterable[str]:
    """Validation errors of one field."""
    try:
        row.clean_fields(exclude={each.name for each in row._meta.fields} - {field})  # noqa: SLF001 - documented
    except ValidationError as error:
        name = "level" if isinstance(row, Level) else field
        yield from (f"{name}: {message}" for message in error.messages)
