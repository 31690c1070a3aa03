"""Bounds of instants and spans."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.bounds import (
    MAX_INSTANT,
    MAX_SPAN,
    MIN_INSTANT,
    check_duration,
    check_extra,
    check_instant,
    read_instant,
    read_minutes,
)

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ANY_MOMENT = st.datetimes(timezones=OFFSETS)


@given(ANY_MOMENT)
def test_an_instant_is_accepted_exactly_within_its_bounds(moment: datetime) -> None:
    """Any aware datetime, also at the ends of the calendar, is returned unchanged or rejected with ValueError."""
    since = (moment.replace(tzinfo=None) - datetime(2000, 1, 1)) - (moment.utcoffset() or timedelta(0))  # noqa: DTZ001
    if timedelta(0) <= since < MAX_INSTANT - MIN_INSTANT:
        assert check_instant(moment) is moment
        assert read_instant(moment.isoformat()) == moment
    else:
        with pytest.raises(ValueError, match="2000 to 2099"):
            check_instant(moment)


@given(st.datetimes())
def test_an_instant_without_an_offset_is_rejected(moment: datetime) -> None:
    """A local time and a bare date are not guessed."""
    for text in (moment.isoformat(), moment.date().isoformat()):
        with pytest.raises(ValueError, match="no UTC offset"):
            read_instant(text)


def test_the_bounds_of_instants_are_half_open() -> None:
    """The first instant of 2000 is accepted, that of 2100 is not."""
    assert check_instant(datetime(2000, 1, 1, tzinfo=UTC)) == MIN_INSTANT
    with pytest.raises(ValueError, match="2000 to 2099"):
        check_instant(datetime(2100, 1, 1, tzinfo=UTC))


@given(st.timedeltas())
def test_a_span_is_accepted_exactly_within_its_bounds(span: timedelta) -> None:
    """A duration is positive and extra time not negative; both are at most 24 hours."""
    for check, accepted in (
        (check_duration, timedelta(0) < span <= MAX_SPAN),
        (check_extra, timedelta(0) <= span <= MAX_SPAN),
    ):
        if accepted:
            assert check(span) is span
        else:
            with pytest.raises(ValueError, match="24 hours"):
                check(span)


@given(st.one_of(st.floats().map(repr), st.integers().map(str), st.text(max_size=12)))
def test_minutes_are_a_valid_duration_or_a_value_error(text: str) -> None:
    """No text, such as nan, inf or 1e300, raises anything but ValueError or gives a duration out of bounds."""
    with suppress(ValueError):
        assert timedelta(0) < read_minutes(text) <= MAX_SPAN


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e300", "1e9", "1441", "0", "-1", "1e-9"])
def test_minutes_out_of_bounds_are_rejected(text: str) -> None:
    """Each raises ValueError with a message, including a duration that rounds to zero."""
    with pytest.raises(ValueError, match="positive"):
        read_minutes(text)
