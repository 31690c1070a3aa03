"""Personal deadlines and their derivation. Pure: the same window and start give the same instant in every process.

``deadline = min(started_at + duration, closes_at) + extra + paused``, where a pause counts only if it began
before the deadline so far, and moves `closes_at` for attempts that had not started. The part of a pause before the
opening moves nothing, because no attempt was running.
"""

from dataclasses import dataclass

from exam_core.canonical import Json
from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind
from exam_core.windows import Pause, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A personal deadline and its derivation; instants and spans in µs.

    Attributes:
        at: the deadline, or None during a pause that began before it, because the pause's end is unknown.
        started_at: the attempt's start.
        duration: the window's duration of an attempt.
        closes_at: the close that applies to this start, moved by earlier pauses.
        limited_by: ``duration`` or ``closes_at``, whichever came first.
        extra: the extra time of the student, that of the sitting and that of all exams together.
        paused: the time that pauses after the start have added so far.
        stopped_at: the instant of an early stop that limits it, or None.
    """

    at: int | None
    started_at: int
    duration: int
    closes_at: int
    limited_by: str
    extra: int
    paused: int
    stopped_at: int | None

    def to_json(self) -> dict[str, Json]:
        """Return the deadline and its derivation for the API: RFC 3339 instants, spans in whole µs."""
        return {
            "at": None if self.at is None else rfc3339(self.at),
            "derivation": {
                "started_at": rfc3339(self.started_at),
                "duration_us": self.duration,
                "closes_at": rfc3339(self.closes_at),
                "limited_by": self.limited_by,
                "extra_us": self.extra,
                "paused_us": self.paused,
                "stopped_at": None if self.stopped_at is None else rfc3339(self.stopped_at),
            },
        }


def personal_deadline(window: Window, *, started_at: int, extra: int = 0) -> Deadline:
    """Compute the deadline of one attempt.

    Args:
        window: the sitting's window, pauses included.
        started_at: when the attempt began (µs); the caller checked `check_start`.
        extra: the student's extra time (µs, ≥ 0).
    """
    closes_at = _closes_at(window, before=started_at)
    by_duration = started_at + window.duration
    base = min(by_duration, closes_at)
    granted = extra if window.extra_past_close else max(0, min(extra, closes_at - base))
    at: int | None = base + granted
    paused = 0
    for pause in window.pauses:
        if at is None or pause.began >= at:
            break
        if pause.ended is None:
            at = None
        elif pause.ended > started_at:
            span = pause.ended - max(pause.began, started_at)
            at, paused = at + span, paused + span
    stopped = window.stopped_at if window.stopped_at is not None and (at is None or window.stopped_at < at) else None
    return Deadline(
        at=at if stopped is None else stopped,
        started_at=started_at,
        duration=window.duration,
        closes_at=closes_at,
        limited_by="duration" if by_duration <= closes_at else "closes_at",
        extra=granted,
        paused=paused,
        stopped_at=stopped,
    )


def extra_time(*, duration: int, percent: int, granted: int = 0) -> int:
    """Compute a student's extra time in a sitting (µs).

    The database does the same for solvers, so that they and web derive the same deadlines.

    Args:
        duration: the window's duration of an attempt (µs).
        percent: the student's extra time in all exams, in percent of it.
        granted: the extra time that was granted for this sitting (µs).
    """
    return granted + duration * percent // 100


def ends_at(window: Window, *, max_extra: int = 0) -> int | None:
    """Compute the latest personal deadline that any attempt can have; None during a pause that moves it.

    Args:
        window: the sitting's window.
        max_extra: the most extra time of any student (µs).
    """
    at = window.closes_at + (max_extra if window.extra_past_close else 0)
    for pause in window.pauses:
        if pause.began >= at:
            break
        if pause.ended is None:
            return window.stopped_at
        at += _paused_while_open(window, pause, until=pause.ended)
    return at if window.stopped_at is None else min(at, window.stopped_at)


def check_start(window: Window, *, now: int) -> None:
    """Check that an attempt may start: ``opens_at ≤ now < closes_at``, not paused, not stopped.

    Raises:
        Problem: NOT_OPEN_YET with Retry-After, PAUSED, or STARTS_OVER.
    """
    if window.stopped_at is not None and now >= window.stopped_at:
        raise Problem(ProblemKind.STARTS_OVER, f"the sitting was stopped at {rfc3339(window.stopped_at)}")
    if now < window.opens_at:
        wait = -(-(window.opens_at - now) // 1_000_000)
        raise Problem(
            ProblemKind.NOT_OPEN_YET,
            f"the sitting opens at {rfc3339(window.opens_at)}; it is {rfc3339(now)}",
            retry_after=wait,
            opens_at=rfc3339(window.opens_at),
        )
    closes_at = _closes_at(window, before=now)
    if now >= closes_at:
        raise Problem(ProblemKind.STARTS_OVER, f"the sitting stopped accepting starts at {rfc3339(closes_at)}")
    if window.paused:
        raise paused_problem()


def paused_problem() -> Problem:
    """Return the problem that start and answer raise during a pause."""
    return Problem(ProblemKind.PAUSED, "the sitting is paused and deadlines do not run; retry shortly", retry_after=2)


def _closes_at(window: Window, *, before: int) -> int:
    """Return the close that applies to an attempt that starts at `before`: earlier pauses move it."""
    closes_at = window.closes_at
    for pause in window.pauses:
        if pause.began >= min(before, closes_at):
            break
        closes_at += _paused_while_open(
            window, pause, until=before if pause.ended is None else min(pause.ended, before)
        )
    return closes_at


def _paused_while_open(window: Window, pause: Pause, *, until: int) -> int:
    """Return how long a pause lasted while the window was open, up to `until`."""
    return max(0, until - max(pause.began, window.opens_at))
