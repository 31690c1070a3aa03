"""Bounds of every instant and span that a request, command or form may set."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from exam_core.instants import MINUTE, span_to_micros

MIN_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_INSTANT: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""The first instant that is too late."""
MAX_SPAN: Final = timedelta(hours=24)
"""The maximum duration of an attempt, and of an accommodation."""
MAX_SPAN_US: Final = span_to_micros(MAX_SPAN)


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


def read_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with a UTC offset; raises ValueError."""
    return check_instant(datetime.fromisoformat(text))


def read_minutes(text: str) -> timedelta:
    """Read a duration in minutes, also with a fraction; raises ValueError, also for nan and infinities."""
    minutes = float(text)
    if not math.isfinite(minutes) or not 0 < minutes <= MAX_SPAN_US / MINUTE:
        raise ValueError(f"a duration must be positive and at most {MAX_SPAN_US // MINUTE} minutes, not {text}")
    return check_duration(timedelta(minutes=minutes))
