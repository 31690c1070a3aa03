"""Durations in Kubernetes' notation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import HOUR, MILLISECOND, MINUTE, SECOND
from exam_operator.model.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", 90 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("45s", 45 * SECOND),
        ("250ms", 250 * MILLISECOND),
        ("0s", 0),
        ("0", 0),
        (".5s", SECOND // 2),
        ("1s999ns", SECOND),
    ],
)
def test_a_duration_is_parsed(text: str, span: int) -> None:
    """If I write a duration as anywhere in Kubernetes, it means the same here."""
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "90", "-5m", "1d", "5 m", "m", "1h-5m", "1e3s", "٣m"])
def test_an_invalid_duration_is_rejected_with_an_example(text: str) -> None:
    """If I write anything else, the error quotes it and gives an example."""
    with pytest.raises(ValueError, match="is not a duration like 90m"):
        parse_duration(text)


@given(
    hours=st.integers(0, 99),
    minutes=st.integers(0, 999),
    seconds=st.integers(0, 999),
    milliseconds=st.integers(0, 9999),
)
def test_parts_add_up(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    """If I write several parts, in whatever size, they add up."""
    text = f"{hours}h{minutes}m{seconds}s{milliseconds}ms"
    assert parse_duration(text) == hours * HOUR + minutes * MINUTE + seconds * SECOND + milliseconds * MILLISECOND
