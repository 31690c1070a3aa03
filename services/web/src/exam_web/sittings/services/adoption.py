"""Adopt a sitting that has a former name, as after a rebuilt cluster, whose resources have other uids."""

import re

from django.db import transaction

from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_core.windows import Window
from exam_web.common import locks
from exam_web.exams.models import Exam
from exam_web.sittings.models import Sitting
from exam_web.sittings.services.locking import compare_and_set

_SUFFIX = re.compile(r"[0-9a-f]{8}")
"""What distinguishes the names of one resource's sittings: the beginning of a uid."""


def sitting_adopt(*, name: str, former: str, exam: Exam, window: Window, publish: Sitting.Publish) -> Sitting | None:
    """Give a scheduled sitting of the exam a new name; returns it, None when there is none to adopt.

    Its window and paper stay: the caller changes them by the rules of every change. Only one caller gets the sitting,
    because the sitting is no longer found by its former name.

    Args:
        name: the new name.
        former: the beginning of the former name, which eight hexadecimal digits follow.
        exam: its exam.
        window: the window that the caller wants; of several sittings, the one that has it is adopted.
        publish: how its degrees are published from now on.

    Raises:
        Problem: CONFLICT naming the sittings if several could be meant.
    """
    with transaction.atomic():
        locks.lock_exclusively(locks.SCHEDULE)
        if Sitting.objects.filter(name=name).exists():
            return None
        scheduled = Sitting.objects.filter(exam=exam, state=State.SCHEDULED.value, name__startswith=former)
        found = [
            each for each in scheduled.prefetch_related("pauses") if _SUFFIX.fullmatch(each.name.removeprefix(former))
        ]
        if len(found) > 1:
            found = [each for each in found if _has_window(each, window)] or found
        if len(found) > 1:
            raise Problem(
                ProblemKind.CONFLICT,
                f"{', '.join(each.name for each in found)} are scheduled and could all be meant: "
                "cancel those that shall not take place",
            )
        return compare_and_set(found[0], expected=State.SCHEDULED, name=name, publish=publish) if found else None


def _has_window(sitting: Sitting, window: Window) -> bool:
    own = sitting.window
    return (own.opens_at, own.closes_at) == (window.opens_at, window.closes_at)
