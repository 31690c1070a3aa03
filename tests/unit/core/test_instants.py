"""Exact conversion of instants and spans."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import from_micros, rfc3339, span_to_micros, to_micros

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


@given(MOMENTS)
def test_a_datetime_is_converted_exactly(moment: datetime) -> None:
    """No microsecond is lost in conversion."""
    assert from_micros(to_micros(moment)) == moment
    assert datetime.fromisoformat(rfc3339(to_micros(moment))) == moment


@given(MOMENTS, st.integers(-12, 12))
def test_the_time_zone_does_not_matter(moment: datetime, hours: int) -> None:
    """Nine o'clock in Berlin and eight o'clock in London are one instant."""
    assert to_micros(moment.astimezone(timezone(timedelta(hours=hours)))) == to_micros(moment)


def test_an_instant_has_one_text() -> None:
    """Microseconds are shown even if they are zero, and UTC as Z."""
    assert rfc3339(1_790_000_000_000_000) == "2026-09-21T14:13:20.000000Z"
    assert rfc3339(1) == "1970-01-01T00:00:00.000001Z"


def test_a_naive_datetime_is_rejected() -> None:
    """A time without a zone is not guessed."""
    with pytest.raises(ValueError, match="no time zone"):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - the test needs a naive datetime


def test_spans_are_exact() -> None:
    """A span is converted with its microseconds."""
    assert span_to_micros(timedelta(minutes=90, microseconds=1)) == 5_400_000_001
