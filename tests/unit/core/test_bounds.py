"""Bounds of instants and spans."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.bounds import (
    MAX_BUCKETS,
    MAX_CANDIDATES,
    MAX_INSTANT,
    MAX_NAME,
    MAX_SPAN,
    MAX_WINDOW,
    MIN_INSTANT,
    check_candidates,
    check_duration,
    check_extra,
    check_instant,
    check_name,
    check_window,
    read_instant,
    read_minutes,
)
from exam_core.buckets import buckets_for
from exam_core.paper import MAX_QUESTIONS

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


@given(st.datetimes(MIN_INSTANT.replace(tzinfo=None), timezones=OFFSETS), st.timedeltas(timedelta(0), 2 * MAX_WINDOW))
def test_a_window_is_at_most_720_hours_long(opens_at: datetime, length: timedelta) -> None:
    """The length counts, not the dates or offsets of the ends."""
    with suppress(OverflowError):
        closes_at = (opens_at + length).astimezone(UTC)
        if length <= timedelta(hours=720):
            check_window(opens_at, closes_at)
        else:
            with pytest.raises(ValueError, match="at most 720 hours"):
                check_window(opens_at, closes_at)


@given(st.integers())
def test_the_number_of_candidates_is_from_one_to_a_million(candidates: int) -> None:
    """Any other number raises ValueError."""
    if 1 <= candidates <= 1_000_000:
        assert check_candidates(candidates) == candidates
    else:
        with pytest.raises(ValueError, match="from 1 to 1000000"):
            check_candidates(candidates)


def test_the_most_candidates_and_questions_need_the_most_buckets() -> None:
    """No sitting that can be scheduled has more buckets than the database accepts."""
    assert buckets_for(candidates=MAX_CANDIDATES, questions=MAX_QUESTIONS) == MAX_BUCKETS


@given(st.text(max_size=300))
def test_a_name_is_printable_and_not_too_long(name: str) -> None:
    """A name can be printed on one line, stored as UTF-8 and put into a column of its length."""
    try:
        check_name(name)
    except ValueError:
        assert not name or len(name) > MAX_NAME or not name.isprintable()
    else:
        assert 0 < len(name.encode().decode()) <= MAX_NAME
        assert "\n" not in name
        assert "\0" not in name


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
