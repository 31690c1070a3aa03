"""Bulk creation of users."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from exam_core.bounds import MAX_EXTRA_PERCENT
from exam_core.problems import Problem, ProblemKind
from exam_web.common import locks
from exam_web.common.clock import database_now
from exam_web.users import services
from exam_web.users.models import Level, User
from exam_web.users.names import name_key

ROWS = 1000
"""Rows that one statement writes."""
DIGITS = 3
"""Digits of a percentage."""
KINDS = (User.Kind.STUDENT, User.Kind.DOCTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """An entry of a list of users; `place` is its position for error messages, `level` is empty for a Doctor."""

    place: str
    username: str
    kind: str
    level: str
    password: str
    extra_percent: str = ""
    """A student's extra time in all exams; empty for the present one, which is none for a new student."""


@dataclass(frozen=True, slots=True)
class Move:
    """An existing student whose level a list changed."""

    username: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A student whose extra time in all exams a list changed, in percent."""

    username: str
    before: int
    after: int


CheckPercent = Callable[[User, int], None]
"""Raises a `Problem` if a student's extra time in all exams may not become this now; needs the schedule's lock."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many users of a list were created, how many existed, which of these got another level, and extra time."""

    created: int
    existing: int
    moved: tuple[Move, ...] = ()
    grants: tuple[Grant, ...] = ()


class Existing:
    """The users who exist, by any spelling of their names."""

    def __init__(self, users: Iterable[User]) -> None:
        self._exact = {user.username: user for user in users}
        self._by_key = {name_key(username): user for username, user in reversed(self._exact.items())}

    def find(self, username: str) -> User | None:
        """The user with a name, as `NamedManager.named` finds it."""
        return self._exact.get(username) or self._by_key.get(name_key(username))


def people_load(
    *,
    people: Sequence[NewPerson],
    check_percent: CheckPercent,
    create_levels: bool = False,
    unread: Sequence[str] = (),
) -> Loaded:
    """Create the users who do not exist; move students who do to their levels, and set extra time; in one transaction.

    Passwords of existing users stay.

    Args:
        people: the list.
        check_percent: the rules of sittings for a change of extra time.
        create_levels: whether to create levels that do not exist; otherwise they are faults.
        unread: faults of lines that are not in the list because they could not be read.

    Raises:
        Problem: INVALID with every fault of the list and its place.
    """
    with transaction.atomic():
        existing = Existing(User.objects.select_related("level").order_by("pk"))
        known = {level.slug: level for level in Level.objects.all()}
        faults = [*unread, *_faults(people, existing, None if create_levels else known)]
        if faults:
            raise Problem(ProblemKind.INVALID, "; ".join(faults), faults=faults)
        levels = known | {slug: _level(slug) for slug in {person.level for person in people} - {"", *known}}
        new = [person for person in people if existing.find(person.username) is None]
        # Argon2 releases the GIL, so threads use all cores.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            passwords = list(pool.map(make_password, (person.password for person in new)))
        users = [_user(person, levels, password) for person, password in zip(new, passwords, strict=True)]
        User.objects.bulk_create(users)
        known_users = (existing.find(person.username) for person in people)
        if any(person.extra_percent for person in people) or any(user and user.extra_percent for user in known_users):
            # After the hashes, as renewals wait for it; before moves, as renewals take it before that of revocations.
            locks.lock_exclusively(locks.SCHEDULE)
        moved = tuple(_move(people, existing, levels))
        grants = _grant([person for person in people if person.extra_percent], check_percent)
    return Loaded(created=len(new), existing=len(people) - len(new), moved=moved, grants=grants)


def _user(person: NewPerson, levels: Mapping[str, Level], password: str) -> User:
    username = User.normalize_username(person.username)
    return User(
        username=username,
        name_key=name_key(username),
        kind=person.kind,
        level=levels.get(person.level),
        password=password,
        is_staff=person.kind == User.Kind.DOCTOR,
    )


def _move(people: Sequence[NewPerson], existing: Existing, levels: Mapping[str, Level]) -> Sequence[Move]:
    users, moves = [], []
    for person in people:
        user = existing.find(person.username)
        if user is not None and user.level is not None and user.level.slug != person.level:
            moves.append(Move(user.username, user.level.slug, person.level))
            user.level = levels[person.level]
            users.append(user)
    User.objects.bulk_update(users, ["level"], batch_size=ROWS)
    for user in users:
        services.logins_revoke(user=user, now=database_now())
    return moves


def _grant(people: Sequence[NewPerson], check_percent: CheckPercent) -> tuple[Grant, ...]:
    """Set the extra time of people who exist by now; the caller holds the schedule's lock."""
    if not people:
        return ()
    # Read again: until the lock was taken, others may have set extra time.
    present = Existing(User.objects.filter(kind=User.Kind.STUDENT).order_by("pk"))
    grants, users, faults = [], [], []
    for person in people:
        user, percent = present.find(person.username), int(person.extra_percent)
        if user is None or user.extra_percent == percent:
            continue
        try:
            check_percent(user, percent)
        except Problem as problem:
            faults.append(f"{person.place}: extra_percent: {problem.detail}")
        grants.append(Grant(user.username, user.extra_percent, percent))
        user.extra_percent = percent
        users.append(user)
    if faults:
        raise Problem(ProblemKind.INVALID, "; ".join(faults), faults=faults)
    User.objects.bulk_update(users, ["extra_percent"], batch_size=ROWS)
    return tuple(grants)


def _level(slug: str) -> Level:
    level, _ = Level.objects.get_or_create(slug=slug, defaults={"name": slug})
    return level


def _faults(people: Sequence[NewPerson], existing: Existing, known: Mapping[str, Level] | None) -> Iterable[str]:
    """The faults of a list; `known` are the levels that it may use, None if others are created."""
    seen: dict[str, NewPerson] = {}
    for person in people:
        yield from (f"{person.place}: {reason}" for reason in _faults_of(person, existing.find(person.username), known))
        first = seen.setdefault(name_key(person.username), person)
        if first is not person and first.username == person.username:
            yield f"{person.place}: {person.username} is already on {first.place}"
        elif first is not person:
            name = User.normalize_username(person.username)
            yield f"{person.place}: {name} is the same name as {first.username} on {first.place}"


def _faults_of(person: NewPerson, existing: User | None, known: Mapping[str, Level] | None) -> Iterable[str]:
    if person.kind not in KINDS:
        yield f"kind must be {' or '.join(KINDS)}, not {person.kind!r}"
    elif (person.kind == User.Kind.STUDENT) != bool(person.level):
        yield "a student must have a level, a doctor must not"
    elif existing is not None and existing.kind != person.kind:
        yield f"{existing.username} exists and is a {existing.kind}, not a {person.kind}"
    yield from _percent_faults(person)
    if existing is None:
        yield from _field_faults(User(username=User.normalize_username(person.username)), "username")
        yield from _password_faults(person)
    if person.level:
        yield from _field_faults(Level(slug=person.level, name=person.level), "slug")
        if known is not None and person.level not in known:
            levels = ", ".join(known) or "none"
            yield f"level {person.level!r} does not exist (--create-levels creates it); levels are: {levels}"


def _percent_faults(person: NewPerson) -> Iterable[str]:
    text = person.extra_percent
    if text and person.kind != User.Kind.STUDENT:
        yield "extra_percent must be empty, as only students have extra time"
    elif text and not (text.isascii() and text.isdigit() and len(text) <= DIGITS and int(text) <= MAX_EXTRA_PERCENT):
        yield f"extra_percent must be empty or a whole number from 0 to {MAX_EXTRA_PERCENT}, not {text!r}"


def _password_faults(person: NewPerson) -> Iterable[str]:
    if not person.password:
        yield "the password must not be empty"
        return
    for character in person.password:
        if unicodedata.category(character) == "Cc":
            # Forms strip or reject them, so that the user could not log in with it everywhere.
            yield f"password: it has the character U+{ord(character):04X}"
            return
    try:
        validate_password(person.password, User(username=person.username))
    except ValidationError as error:
        yield from (f"password: {message}" for message in error.messages)


def _field_faults(row: User | Level, field: str) -> Iterable[str]:
    """Validation errors of one field."""
    try:
        row.clean_fields(exclude={each.name for each in row._meta.fields} - {field})  # noqa: SLF001 - documented
    except ValidationError as error:
        name = "level" if isinstance(row, Level) else field
        yield from (f"{name}: {message}" for message in error.messages)
