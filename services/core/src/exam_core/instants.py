"""Instants and spans as whole microseconds, the one unit of time in the platform.

An *instant* is microseconds since the Unix epoch on the platform's clock (PostgreSQL's); a *span* is a
number of microseconds. Integers keep arithmetic exact and the canonical form free of floats.
"""

from datetime import UTC, datetime, timedelta

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """The instant of an aware datetime, exactly; a naive one raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: the platform only knows aware times")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(instant: int) -> datetime:
    """The UTC datetime of an instant, exactly."""
    return _EPOCH + timedelta(microseconds=instant)


def span_to_micros(span: timedelta) -> int:
    """A timedelta in whole microseconds, exactly."""
    return span // _MICROSECOND


def rfc3339(instant: int) -> str:
    """An instant as people and JSON read it: RFC 3339, UTC, microseconds kept."""
    return from_micros(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")
