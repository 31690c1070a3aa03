"""Who of a level may start in a sitting."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from django.db.models import Q

from exam_core.entry import MAX_NAMED, check_code, code_matches, hash_code, read_networks
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_web.sittings.models import NamedStudent, Sitting
from exam_web.sittings.services.locking import compare_and_set, locked_sitting, require_state
from exam_web.sittings.services.window import invalid_field
from exam_web.users.models import Student
from exam_web.users.names import name_key

_SALT_BYTES = 16


class Keep(Enum):
    """Stands for a rule that stays as it is, because None removes it."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """Changes of the rules of a sitting.

    Attributes:
        students: the usernames of the students who may start; None for all of the level.
        code: the access code; None for none.
        networks: the networks in CIDR notation; none for everywhere.
    """

    students: Collection[str] | Keep | None = KEEP
    code: str | Keep | None = KEEP
    networks: Sequence[str] | Keep = KEEP


def entry_change(*, sitting: UUID, change: EntryChange, epoch: int | None = None) -> Sitting:
    """Change who may start in a sitting, at any time until it is closed; idempotent. `epoch` as in `locked_sitting`.

    Attempts that have started go on: the rules are for starts, and the networks for resumes too. Solvers learn of a
    change with their next renewal.

    Raises:
        Problem: INVALID naming the students, the code or the network that cannot be used, STATE_CONFLICT once the
            sitting is closing.
    """
    with invalid_field("networks"):
        networks = None if isinstance(change.networks, Keep) else [str(each) for each in read_networks(change.networks)]
    # Before the schedule's lock, for which renewals of leases wait: hashing is slow, and lists are long.
    code = _stored_code(sitting, change.code)
    named = None if change.students is None or isinstance(change.students, Keep) else _students(change.students)
    with locked_sitting(sitting, epoch) as (row, _):
        require_state(row, State.SCHEDULED)
        changes: dict[str, object] = {}
        if code is not None and code != row.access_code:
            changes["access_code"] = code
        if networks is not None and networks != row.networks:
            changes["networks"] = networks
        if not isinstance(change.students, Keep):
            changes |= _name_students(row, named)
        return compare_and_set(row, expected=State.SCHEDULED, **changes) if changes else row


def _name_students(row: Sitting, students: Collection[Student] | None) -> dict[str, object]:
    """Write the list of named students; return the columns of the sitting that change with it."""
    others = [student.username for student in students or () if student.level_id != row.level_id]
    if others:
        raise Problem(ProblemKind.INVALID, f"students: {', '.join(others)} are not in the level of {row.name}")
    named = {student.pk for student in students or ()}
    present = set(row.named_students.values_list("student_id", flat=True))
    row.named_students.exclude(student_id__in=named).delete()
    NamedStudent.objects.bulk_create(
        [NamedStudent(sitting=row, student_id=student) for student in sorted(named - present)]
    )
    unchanged = present == named and row.named_only == (students is not None)
    return {} if unchanged else {"named_only": students is not None}


def _students(usernames: Collection[str]) -> list[Student]:
    """The students with these names, in any spelling."""
    if len(set(usernames)) > MAX_NAMED:
        raise Problem(
            ProblemKind.INVALID,
            f"students: a sitting may name {MAX_NAMED} at most, not {len(set(usernames))}: use a level of their own",
        )
    keys = {username: name_key(username) for username in usernames}
    found = Student.objects.filter(Q(username__in=keys) | Q(name_key__in=keys.values()))
    by_key = {student.name_key: student for student in found}
    # An exact name comes first, as in `NamedManager.named`.
    by_name = {student.username: student for student in found}
    students = {username: by_name.get(username) or by_key.get(key) for username, key in keys.items()}
    if unknown := [username for username, student in students.items() if student is None]:
        raise Problem(ProblemKind.INVALID, f"students: {', '.join(map(repr, unknown))} not found")
    return [student for student in students.values() if student is not None]


def _stored_code(sitting: UUID, code: str | Keep | None) -> str | None:
    """The form of a code to store, the present one for the same code; empty without a code, None if it stays."""
    if isinstance(code, Keep):
        return None
    if code is None:
        return ""
    with invalid_field("code"):
        check_code(code)
    present = Sitting.objects.values_list("access_code", flat=True).get(id=sitting)
    return present if present and code_matches(present, code) else hash_code(code, secrets.token_bytes(_SALT_BYTES))
