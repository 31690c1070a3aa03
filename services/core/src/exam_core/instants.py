"""Instants and spans as whole microseconds, the platform's only unit of time.

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
    """Convert an aware datetime exactly; a naive one raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(instant: int) -> datetime:
    """Convert an instant to a UTC datetime exactly."""
    return _EPOCH + timedelta(microseconds=instant)


def span_to_micros(span: timedelta) -> int:
    """Convert a timedelta to whole microseconds exactly."""
    return span // _MICROSECOND


def rfc3339(instant: int) -> str:
    """Format an instant for people and JSON: RFC 3339, UTC, with microseconds."""
    return from_micros(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")
