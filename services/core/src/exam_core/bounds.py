"""Bounds of every instant, span and count that a request, command or form may set.

The schema of the Exam resource and the constraints of the database have the same ones.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from exam_core.instants import MINUTE, span_to_micros

MIN_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_INSTANT: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""The first instant that is too late."""
MAX_SPAN: Final = timedelta(hours=24)
"""The maximum duration of an attempt, and of an accommodation."""
MAX_EXTRA_PERCENT: Final = 300
"""The most extra time of a student in all exams, in percent of the duration of an attempt."""
MAX_SPAN_US: Final = span_to_micros(MAX_SPAN)
MAX_WINDOW: Final = timedelta(hours=720)
"""The maximum length of a window: 30 days."""
MAX_CANDIDATES: Final = 1_000_000
MAX_BUCKETS: Final = 1_000_000
"""What the most candidates need with the most questions."""
MAX_NAME: Final = 253
"""Characters of a sitting's name."""


def check_instant(moment: datetime) -> datetime:
    """Return an aware datetime from 2000 to 2099 unchanged; any other raises ValueError."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset: add Z or ±hh:mm")
    if not MIN_INSTANT <= moment < MAX_INSTANT:
        raise ValueError(f"{moment.isoformat()} is not in the years 2000 to 2099 (UTC)")
    return moment


def check_duration(span: timedelta) -> timedelta:
    """Return a positive span of at most 24 hours unchanged; any other raises ValueError."""
    if not timedelta(0) < span <= MAX_SPAN:
        raise ValueError(f"a duration must be positive and at most 24 hours, not {span}")
    return span


def check_extra(span: timedelta) -> timedelta:
    """Return a span from 0 to 24 hours unchanged; any other raises ValueError."""
    if not timedelta(0) <= span <= MAX_SPAN:
        raise ValueError(f"extra time must be between 0 and 24 hours, not {span}")
    return span


def check_percent(percent: int) -> int:
    """Return extra time of 0 to 300 percent unchanged; any other raises ValueError."""
    if not 0 <= percent <= MAX_EXTRA_PERCENT:
        raise ValueError(f"extra time in all exams must be from 0 to {MAX_EXTRA_PERCENT} percent, not {percent}")
    return percent


def check_window(opens_at: datetime, closes_at: datetime) -> None:
    """Check that a window, whose ends are aware, is at most 720 hours long; raises ValueError."""
    if closes_at - opens_at > MAX_WINDOW:
        raise ValueError(f"a window is at most 720 hours (30 days) long, not {closes_at - opens_at}")


def check_candidates(candidates: int) -> int:
    """Return a number of candidates from 1 to a million unchanged; any other raises ValueError."""
    if not 1 <= candidates <= MAX_CANDIDATES:
        raise ValueError(f"the number of candidates must be from 1 to {MAX_CANDIDATES}, not {candidates}")
    return candidates


def check_name(name: str) -> str:
    """Return a name of 1 to 253 printable characters unchanged; any other raises ValueError."""
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    return name


def read_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with a UTC offset; raises ValueError."""
    return check_instant(datetime.fromisoformat(text))


def read_minutes(text: str) -> timedelta:
    """Read a duration in minutes, also with a fraction; raises ValueError, also for nan and infinities."""
    minutes = float(text)
    if not math.isfinite(minutes) or not 0 < minutes <= MAX_SPAN_US / MINUTE:
        raise ValueError(f"a duration must be positive and at most {MAX_SPAN_US // MINUTE} minutes, not {text}")
    return check_duration(timedelta(minutes=minutes))
