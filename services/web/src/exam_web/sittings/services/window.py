"""Changes of a sitting's window: move, pause, grant extra time, cancel."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from exam_core.bounds import check_duration, check_extra, check_instant, check_window
from exam_core.deadlines import ends_at
from exam_core.instants import from_micros, rfc3339, span_to_micros, to_micros
from exam_core.problems import Problem, ProblemKind
from exam_core.schedule import State
from exam_core.windows import Window, check_change
from exam_web.sittings import selectors
from exam_web.sittings.models import Accommodation, Sitting, SittingPause
from exam_web.sittings.services.leases import is_fixed, longest_ttl
from exam_web.sittings.services.locking import compare_and_set, locked_sitting, require_state
from exam_web.users.models import Student


def window_change(
    *,
    sitting: UUID,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    duration: timedelta | None = None,
    epoch: int | None = None,
) -> Sitting:
    """Move a window; None keeps a value. `epoch` as in `locked_sitting`, here and below.

    Raises:
        Problem: INVALID outside the bounds of instants and durations, WINDOW_FROZEN with the rule that forbids it,
            STATE_CONFLICT once the sitting is closing.
    """
    check_bounds(opens_at=opens_at, closes_at=closes_at, duration=duration)
    with locked_sitting(sitting, epoch) as (row, now):
        require_state(row, State.SCHEDULED)
        changes = window_changes(row, now, opens_at=opens_at, closes_at=closes_at, duration=duration)
        return compare_and_set(row, expected=State.SCHEDULED, **changes) if changes else row


def window_changes(
    row: Sitting, now: int, *, opens_at: datetime | None, closes_at: datetime | None, duration: timedelta | None
) -> dict[str, object]:
    """The columns to change for another window, empty for the present one; raises as `window_change`."""
    old = row.window
    new = Window(
        opens_at=old.opens_at if opens_at is None else to_micros(opens_at),
        closes_at=old.closes_at if closes_at is None else to_micros(closes_at),
        duration=old.duration if duration is None else span_to_micros(duration),
        pauses=old.pauses,
        stopped_at=old.stopped_at,
        extra_past_close=old.extra_past_close,
    )
    if new == old:
        return {}
    require_state(row, State.SCHEDULED)
    with invalid_field("closes_at"):
        check_window(from_micros(new.opens_at), from_micros(new.closes_at))
    check_change(
        old,
        new,
        now=now,
        ends_at=selectors.sitting_ends_at(row),
        lease_ttl=longest_ttl(),
    )
    selectors.check_no_overlap(exam=row.exam, window=new, excluding=row)
    return {
        "opens_at": from_micros(new.opens_at),
        "closes_at": from_micros(new.closes_at),
        "duration": timedelta(microseconds=new.duration),
    }


def check_bounds(*, opens_at: datetime | None, closes_at: datetime | None, duration: timedelta | None) -> None:
    """Check the bounds of a window's new values; raises `Problem` INVALID that names the field."""
    for field, moment in (("opens_at", opens_at), ("closes_at", closes_at)):
        if moment is not None:
            with invalid_field(field):
                check_instant(moment)
    if duration is not None:
        with invalid_field("duration"):
            check_duration(duration)


@contextmanager
def invalid_field(field: str) -> Iterator[None]:
    """Raise a ValueError of the block as `Problem` INVALID that names the field."""
    try:
        yield
    except ValueError as error:
        raise Problem(ProblemKind.INVALID, f"{field}: {error}") from error


def pause_begin(*, sitting: UUID, epoch: int | None = None) -> Sitting:
    """Pause a sitting, which extends its deadlines until it is resumed; idempotent."""
    with locked_sitting(sitting, epoch) as (row, now):
        require_state(row, State.SCHEDULED)
        if row.window.paused:
            return row
        _require_not_over(row, now)
        # Not before the end of the pause before it, although the platform's clock was set back since.
        began = max([now, *(pause.ended for pause in row.window.pauses if pause.ended is not None)])
        SittingPause.objects.create(sitting=row, began_at=from_micros(began))
        return compare_and_set(row, expected=State.SCHEDULED)


def pause_end(*, sitting: UUID, epoch: int | None = None) -> Sitting:
    """Resume a paused sitting; idempotent."""
    with locked_sitting(sitting, epoch) as (row, now):
        require_state(row, State.SCHEDULED)
        if not row.window.paused:
            return row
        # Not before it began, although the platform's clock was set back since.
        ended = max(now, row.window.pauses[-1].began)
        SittingPause.objects.filter(sitting=row, ended_at=None).update(ended_at=from_micros(ended))
        return compare_and_set(row, expected=State.SCHEDULED)


def accommodation_set(*, sitting: UUID, student: Student, extra: timedelta, epoch: int | None = None) -> Sitting:
    """Set a student's extra time in a sitting; zero removes it.

    It may shrink only before the window opens, because a student in the room relies on it.
    """
    with invalid_field("extra"):
        check_extra(extra)
    with locked_sitting(sitting, epoch) as (row, now):
        require_state(row, State.SCHEDULED)
        if student.level_id != row.level_id:
            raise Problem(ProblemKind.INVALID, f"{student.username} is not in the level of {row.name}")
        present = Accommodation.objects.filter(sitting=row, student=student).values_list("extra", flat=True).first()
        if (present or timedelta(0)) == extra:
            return row
        _require_not_over(row, now)
        if extra < (present or timedelta(0)) and is_fixed(row, now):
            raise Problem(ProblemKind.WINDOW_FROZEN, "the window is open or about to open: extra time may only grow")
        Accommodation.objects.update_or_create(sitting=row, student=student, defaults={"extra": extra})
        return compare_and_set(row, expected=State.SCHEDULED)


def sitting_cancel(*, sitting: UUID, epoch: int | None = None) -> Sitting:
    """Cancel a sitting, whose answers will not be graded; idempotent."""
    with locked_sitting(sitting, epoch) as (row, _):
        if row.state == State.CANCELLED.value:
            return row
        require_state(row, State.SCHEDULED)
        return compare_and_set(row, expected=State.SCHEDULED, state=State.CANCELLED.value)


def _require_not_over(row: Sitting, now: int) -> None:
    end = ends_at(row.window, max_extra=selectors.max_extra(row))
    if end is not None and now >= end:
        raise Problem(
            ProblemKind.WINDOW_FROZEN,
            f"every personal deadline passed at {rfc3339(end)}: the window can no longer change",
        )
