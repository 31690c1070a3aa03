"""Extra time of a student in all exams."""

from django.db import transaction

from exam_core.bounds import check_percent
from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_web.common import locks
from exam_web.common.clock import database_now
from exam_web.sittings import selectors
from exam_web.sittings.models import Sitting
from exam_web.sittings.services.leases import is_fixed
from exam_web.sittings.services.window import invalid_field
from exam_web.users.models import Student, User


def extra_percent_set(*, student: Student, percent: int) -> Student:
    """Set a student's extra time in all exams, in percent of the duration of an attempt; 0 removes it.

    It applies to every sitting of the student's level that is not closed. While one of them is open or about to open,
    it may only grow, because a student in the room relies on it. Solvers learn of it with their next renewal.

    Raises:
        Problem: INVALID outside the bounds, WINDOW_FROZEN naming a sitting that forbids the change.
    """
    with invalid_field("percent"):
        check_percent(percent)
    with transaction.atomic():
        locks.lock_exclusively(locks.SCHEDULE)
        row = Student.objects.get(pk=student.pk)
        if row.extra_percent != percent:
            check_percent_change(row, percent)
            row.extra_percent = percent
            row.save(update_fields=["extra_percent"])
        return row


def check_percent_change(student: User, percent: int) -> None:
    """Check that a student's extra time in all exams may change now; the caller holds the schedule's lock.

    Raises:
        Problem: WINDOW_FROZEN.
    """
    now = database_now()
    rows = Sitting.objects.filter(level=student.level_id, state=State.SCHEDULED.value).prefetch_related("pauses")
    for row in rows:
        if percent < student.extra_percent and is_fixed(row, now):
            raise Problem(
                ProblemKind.WINDOW_FROZEN,
                f"{row.name} is open or about to open: until it is closed, extra time may only grow",
            )
        end = selectors.sitting_ends_at(row)
        if end is not None and now >= end:
            raise Problem(
                ProblemKind.WINDOW_FROZEN,
                f"every personal deadline of {row.name} passed at {rfc3339(end)}: set the extra time once it is closed",
            )
