"""A sitting's window and its changes."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.deadlines import ends_at
from exam_core.problems import Problem, ProblemKind
from exam_core.windows import Pause, Window, check_change, opening_fixed

TTL = 30
WINDOW = Window(opens_at=1_000, closes_at=2_000, duration=500)
EARLY, FREEZING, OPEN, ENDED = 900, 970, 1_500, 2_000
"""Instants: before `opens_at` - TTL, the first at which a solver may still apply the old window, open, over."""


@pytest.mark.parametrize(
    ("now", "change", "allowed"),
    [
        (EARLY, {"opens_at": 1_100}, True),
        (EARLY, {"opens_at": 950, "closes_at": 960}, True),
        (EARLY, {"closes_at": 1_001, "duration": 1}, True),
        (EARLY, {"extra_past_close": False}, True),
        (EARLY, {"opens_at": 900}, False),
        (EARLY, {"opens_at": 800}, False),
        (FREEZING - 1, {"opens_at": 1_001}, True),
        (FREEZING, {"opens_at": 1_001}, False),
        (FREEZING, {"opens_at": 999}, False),
        (FREEZING, {"duration": 501}, False),
        (FREEZING, {"duration": 499}, False),
        (FREEZING, {"closes_at": 1_999}, False),
        (FREEZING, {"closes_at": 2_001}, True),
        (FREEZING, {"extra_past_close": False}, False),
        (OPEN, {"closes_at": 3_000}, True),
        (OPEN, {}, True),
        (OPEN, {"closes_at": 1_800}, False),
        (OPEN, {"closes_at": 3_000, "duration": 600}, False),
        (ENDED - 1, {"closes_at": 3_000}, True),
        (ENDED, {"closes_at": 3_000}, False),
        (ENDED, {}, False),
    ],
)
def test_a_window_may_be_moved_before_opening_and_extended_while_open(
    *, now: int, change: dict[str, Any], allowed: bool
) -> None:
    """After the exam has opened, its window can only become longer for me."""
    kind = _refusal(WINDOW, replace(WINDOW, **change), now=now)
    assert (kind is None) is allowed
    assert kind in (None, ProblemKind.WINDOW_FROZEN)


def test_extra_time_past_the_close_may_be_allowed_at_any_time() -> None:
    """Allowing extra time past the close is an extension."""
    strict = replace(WINDOW, extra_past_close=False)
    assert _refusal(strict, WINDOW, now=OPEN) is None


def test_a_paused_window_may_be_extended() -> None:
    """A paused sitting is not over, so that its close may still be moved."""
    paused = replace(WINDOW, pauses=(Pause(began=1_900),))
    assert _refusal(paused, replace(paused, closes_at=3_000), now=9_000) is None


def test_a_stopped_window_cannot_change() -> None:
    """A stop is final."""
    stopped = replace(WINDOW, stopped_at=1_200)
    assert _refusal(stopped, replace(stopped, closes_at=3_000), now=1_201) is ProblemKind.WINDOW_FROZEN


def test_pauses_and_stops_are_not_window_changes() -> None:
    """Trying to pause by changing the window is a programming error at any time."""
    with pytest.raises(ValueError, match="operations of their own"):
        check_change(WINDOW, replace(WINDOW, stopped_at=1_200), now=EARLY, ends_at=2_000, lease_ttl=TTL)


@given(now=st.integers(0, 3_000), closes_at=st.integers(1_001, 4_000), duration=st.integers(1, 900))
def test_allowed_changes_never_shorten_a_deadline(now: int, closes_at: int, duration: int) -> None:
    """Whatever change is allowed once a solver may have opened, every deadline stays or becomes later."""
    new = replace(WINDOW, closes_at=closes_at, duration=duration)
    if now >= WINDOW.opens_at - TTL and _refusal(WINDOW, new, now=now) is None:
        assert new.closes_at >= WINDOW.closes_at
        assert new.duration == WINDOW.duration


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"closes_at": 1_000}, "close after it opens"),
        ({"duration": 0}, "positive"),
        ({"duration": -1}, "positive"),
        ({"pauses": (Pause(began=10, ended=20), Pause(began=19, ended=30))}, "overlap"),
        ({"pauses": (Pause(began=10), Pause(began=20, ended=30))}, "overlap"),
        ({"pauses": (Pause(began=10, ended=9),)}, "end before it began"),
    ],
)
def test_an_invalid_window_is_rejected(change: dict[str, Any], reason: str) -> None:
    """An invalid window is rejected with its reason."""
    with pytest.raises(Problem, match=reason) as refusal:
        replace(WINDOW, **change)
    assert refusal.value.kind is ProblemKind.INVALID


@given(
    opens_at=st.integers(0, 2**52),
    length=st.integers(1, 2**40),
    duration=st.integers(1, 2**40),
    spans=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=3),
    last_is_open=st.booleans(),
    stopped_at=st.none() | st.integers(0, 2**52),
    extra_past_close=st.booleans(),
)
def test_a_window_is_read_back_from_json(
    *,
    opens_at: int,
    length: int,
    duration: int,
    spans: list[tuple[int, int]],
    last_is_open: bool,
    stopped_at: int | None,
    extra_past_close: bool,
) -> None:
    """The solver applies the same window that PostgreSQL holds."""
    at, pauses = 0, []
    for wait, span in spans:
        pauses.append(Pause(began=at + wait, ended=at + wait + span))
        at += wait + span
    if last_is_open:
        pauses.append(Pause(began=at))
    window = Window(
        opens_at=opens_at,
        closes_at=opens_at + length,
        duration=duration,
        pauses=tuple(pauses),
        stopped_at=stopped_at,
        extra_past_close=extra_past_close,
    )
    assert Window.from_json(json.loads(json.dumps(window.to_json()))) == window
    assert window.paused is last_is_open


CHANGES = st.lists(
    st.tuples(st.integers(1, 150), st.one_of(st.none(), st.tuples(st.integers(-50, 300), st.integers(1, 200)))),
    max_size=8,
)
"""Changes of a sitting: after which time, and None to replace the paper or (opening from then, length) to move it."""


def _papers_shown(changes: list[tuple[int, tuple[int, int] | None]], *, notice: bool) -> set[int]:
    """The papers with which a student may start, if solvers use what they read until their leases end."""
    now, window, paper = 0, Window(opens_at=200, closes_at=400, duration=50), 0
    shown = set()
    for after, move in (*changes, (10_000, None)):
        since, now = now, now + after
        # A solver that read this state just before the change may use it for one lease more.
        if max(since, window.opens_at) < min(now + TTL, window.closes_at):
            shown.add(paper)
        if move is None:
            if not (notice and opening_fixed(window, now=now, lease_ttl=TTL)):
                paper += 1
            continue
        moved = replace(window, opens_at=now + move[0], closes_at=now + move[0] + move[1])
        if _refusal(window, moved, now=now) is None:
            window = moved
    return shown


@given(CHANGES)
def test_students_of_a_sitting_start_with_one_paper(changes: list[tuple[int, tuple[int, int] | None]]) -> None:
    """However a window is moved and a paper replaced: solvers never let two students start with different papers."""
    assert len(_papers_shown(changes, notice=True)) <= 1


def test_without_notice_students_start_with_two_papers() -> None:
    """If a paper could be replaced up to the opening, a solver that has read the former one would still show it."""
    assert _papers_shown([(199, None)], notice=False) == {0, 1}


def _refusal(old: Window, new: Window, *, now: int) -> ProblemKind | None:
    try:
        check_change(old, new, now=now, ends_at=ends_at(old), lease_ttl=TTL)
    except Problem as problem:
        return problem.kind
    return None
