"""The oracle's deadlines agree with the platform's, though they were written independently."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core import deadlines, windows
from exam_harness.oracle.windows import Operation, Window, versions

OPENS, CLOSES = 1_000, 2_000


@st.composite
def pauses(draw: st.DrawFn) -> tuple[tuple[int, int | None], ...]:
    """Pauses in order, the last of which may last."""
    instants = sorted(draw(st.sets(st.integers(500, 3_000), max_size=6)))
    pairs: list[tuple[int, int | None]] = list(zip(instants[::2], instants[1::2], strict=False))
    if len(instants) % 2:
        pairs.append((instants[-1], None))
    return tuple(pairs)


@given(
    started_at=st.integers(OPENS, CLOSES - 1),
    duration=st.integers(1, 2_000),
    extra=st.integers(0, 500),
    pauses=pauses(),
    stopped_at=st.none() | st.integers(OPENS, 4_000),
)
def test_deadlines_agree_with_the_platform(
    started_at: int, duration: int, extra: int, pauses: Any, stopped_at: int | None
) -> None:
    """For any window, pauses, stop and accommodation, both give the same deadline."""
    platform = windows.Window(
        opens_at=OPENS,
        closes_at=CLOSES,
        duration=duration,
        pauses=tuple(windows.Pause(began=began, ended=ended) for began, ended in pauses),
        stopped_at=stopped_at,
    )
    oracle = Window(
        opens_at=OPENS, closes_at=CLOSES, duration=duration, pauses=pauses, stopped_at=stopped_at, extra={7: extra}
    )
    expected = deadlines.personal_deadline(platform, started_at=started_at, extra=extra).at
    assert oracle.deadline(7, started_at) == expected


def test_each_operation_gives_a_version() -> None:
    """The window after each operation follows from the operations and the final record."""
    first = Window(opens_at=OPENS, closes_at=CLOSES, duration=500)
    last = replace(first, closes_at=3_000, pauses=((1_200, 1_300),), stopped_at=1_900, extra={7: 50})
    operations = [
        Operation(verb="pause", sent_at=1_190, done_at=1_210),
        Operation(verb="resume", sent_at=1_290, done_at=1_310),
        Operation(verb="extend", sent_at=1_400, done_at=1_410, closes_at=3_000),
        Operation(verb="accommodate", sent_at=1_500, done_at=1_510, student=7, extra=50),
        Operation(verb="stop", sent_at=1_890, done_at=1_910),
    ]
    found = versions(first, last, operations)
    assert [version.since for version in found] == [0, 1_210, 1_310, 1_410, 1_510, 1_910]
    assert found[1].window.pauses == ((1_200, None),)
    assert found[2].window.pauses == last.pauses
    assert found[-1].window == last


def test_an_unknown_operation_is_an_error() -> None:
    """An operation that the oracle does not know is not ignored."""
    window = Window(opens_at=OPENS, closes_at=CLOSES, duration=500)
    with pytest.raises(ValueError, match="unknown operation 'shorten'"):
        versions(window, window, [Operation(verb="shorten", sent_at=1, done_at=2)])
