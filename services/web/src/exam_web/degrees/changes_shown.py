"""A comparison of two revisions as the API and the admin show it: one page of each list, with names."""

from collections.abc import Mapping, Sequence

from exam_core.degree_changes import Move
from exam_web.degrees.changes import RevisionChanges
from exam_web.degrees.schemas import ChangesShown, DistributionShown, MovePage, MoveShown, StudentPage
from exam_web.users.models import Student


def changes_shown(changes: RevisionChanges, *, limit: int, offset: int) -> ChangesShown:
    """Return a page of a comparison; only the students of the page are looked up."""
    found, end = changes.degrees, offset + limit
    lists = {name: getattr(found, name) for name in ("passed", "failed", "removed", "added")}
    moves = found.moved[offset:end]
    students = {move.student for move in moves}.union(*(each[offset:end] for each in lists.values()))
    names = dict(Student.objects.filter(pk__in=students).values_list("pk", "username"))
    pages = {name: _students(each, names, offset, end) for name, each in lists.items()}
    return ChangesShown(
        sitting=changes.after.sitting.name,
        before=DistributionShown.of(changes.before.number, found.before),
        after=DistributionShown.of(changes.after.number, found.after),
        moved=MovePage(
            count=len(found.moved), next=_next(found.moved, end), results=[_move(each, names) for each in moves]
        ),
        unchanged=found.unchanged,
        maximum_changed=found.maximum_changed,
        **pages,
    )


def _students(students: Sequence[int], names: Mapping[int, str], offset: int, end: int) -> StudentPage:
    page = [_name(student, names) for student in students[offset:end]]
    return StudentPage(count=len(students), next=_next(students, end), results=page)


def _move(move: Move, names: Mapping[int, str]) -> MoveShown:
    return MoveShown(
        student=_name(move.student, names), before=move.before, after=move.after, difference=move.difference
    )


def _name(student: int, names: Mapping[int, str]) -> str:
    # Another request may have deleted the account since.
    return names.get(student, f"#{student}")


def _next(items: Sequence[object], end: int) -> int | None:
    return end if end < len(items) else None
