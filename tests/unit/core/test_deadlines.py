"""Personal deadlines, compared with a simulation second by second."""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from exam_core.deadlines import Deadline, ends_at, personal_deadline
from exam_core.instants import rfc3339
from exam_core.windows import Pause, Window

FOREVER = 400
"""An open pause, for the simulation: it ends after all simulated instants."""
SPANS = st.integers(0, 25)


@st.composite
def windows(draw: st.DrawFn, *, stops: bool = True) -> Window:
    """Small windows with up to three pauses, before, in and after them."""
    opens_at = draw(st.integers(5, 20))
    closes_at = opens_at + draw(st.integers(1, 25))
    pauses: list[Pause] = []
    at: int = draw(st.integers(0, opens_at))
    for _ in range(draw(st.integers(0, 3))):
        began = at + draw(SPANS)
        at = began + draw(SPANS)
        pauses.append(Pause(began=began, ended=at))
    last_is_open: bool = draw(st.booleans())
    if pauses and last_is_open:
        pauses[-1] = Pause(began=pauses[-1].began)
    return Window(
        opens_at=opens_at,
        closes_at=closes_at,
        duration=draw(st.integers(1, 30)),
        pauses=tuple(pauses),
        stopped_at=draw(st.none() | st.integers(opens_at, opens_at + 60)) if stops else None,
        extra_past_close=draw(st.booleans()),
    )


@st.composite
def attempts(draw: st.DrawFn) -> tuple[Window, int]:
    """A window and a start that it allows: open, not closed, not paused."""
    window = draw(windows())
    startable = [now for now in range(window.opens_at, 120) if _may_start(window, now)]
    assume(startable)
    return window, draw(st.sampled_from(startable))


def _in_pause(window: Window, now: int) -> bool:
    return any(p.began <= now < (FOREVER if p.ended is None else p.ended) for p in window.pauses)


def _may_start(window: Window, now: int) -> bool:
    return not _in_pause(window, now) and _time_to_close(window, now) > 0


def _time_to_close(window: Window, now: int) -> int:
    """The window's remaining time: it runs from the opening, except in pauses."""
    left = window.closes_at - window.opens_at
    for second in range(window.opens_at, now):
        if left and not _in_pause(window, second):
            left -= 1
    return left


def modelled(window: Window, started_at: int, extra: int) -> int | None:
    """A student's deadline by simulation: time runs down, except in pauses."""
    to_close = _time_to_close(window, started_at)
    left = min(window.duration, to_close)
    left = left + extra if window.extra_past_close else min(left + extra, to_close)
    for now in range(started_at, FOREVER):
        if window.stopped_at is not None and now >= window.stopped_at:
            return window.stopped_at
        if left == 0:
            return now
        if not _in_pause(window, now):
            left -= 1
    return None


@settings(max_examples=300)
@given(attempts(), SPANS)
def test_a_deadline_equals_the_simulated_one(attempt: tuple[Window, int], extra: int) -> None:
    """My time runs while I may work, and stands still while I may not."""
    window, started_at = attempt
    assume(window.stopped_at is None or window.stopped_at > started_at)
    assert personal_deadline(window, started_at=started_at, extra=extra).at == modelled(window, started_at, extra)


@given(attempts(), SPANS, SPANS)
def test_no_deadline_is_later_than_the_end_of_the_sitting(attempt: tuple[Window, int], extra: int, more: int) -> None:
    """When the sitting closes at its end, no student's time is cut off."""
    window, started_at = attempt
    at = personal_deadline(window, started_at=started_at, extra=extra).at
    end = ends_at(window, max_extra=extra + more)
    if end is not None:
        assert at is not None
        assert at <= end


@given(windows(stops=False), SPANS)
def test_the_end_of_the_sitting_is_a_possible_deadline(window: Window, extra: int) -> None:
    """The sitting closes no later than needed: the last start with the most extra time reaches its end."""
    assume(not window.pauses)
    latest = personal_deadline(window, started_at=window.closes_at - 1, extra=extra).at
    assert latest == ends_at(window, max_extra=extra)


@given(attempts(), SPANS, st.integers(0, 10))
def test_extensions_never_shorten_a_deadline(attempt: tuple[Window, int], extra: int, more: int) -> None:
    """A later close, a longer duration or more extra time never makes a deadline earlier."""
    window, started_at = attempt
    before = _order(personal_deadline(window, started_at=started_at, extra=extra))
    for wider in (replace(window, closes_at=window.closes_at + more), replace(window, duration=window.duration + more)):
        assert _order(personal_deadline(wider, started_at=started_at, extra=extra)) >= before
    assert _order(personal_deadline(window, started_at=started_at, extra=extra + more)) >= before


@given(attempt=attempts(), extra=SPANS, later=SPANS, ends=st.booleans())
def test_a_pause_after_the_deadline_changes_nothing(
    *, attempt: tuple[Window, int], extra: int, later: int, ends: bool
) -> None:
    """A student whose time is over does not get more by a later pause."""
    window, started_at = attempt
    deadline = personal_deadline(window, started_at=started_at, extra=extra)
    assume(deadline.at is not None and not window.paused)
    assert deadline.at is not None
    last = max([deadline.at, *(p.ended for p in window.pauses if p.ended is not None)])
    pause = Pause(began=last + later, ended=last + later + 7 if ends else None)
    paused = replace(window, pauses=(*window.pauses, pause))
    assert personal_deadline(paused, started_at=started_at, extra=extra).at == deadline.at


@given(attempts(), SPANS)
def test_a_pause_before_the_opening_changes_nothing(attempt: tuple[Window, int], extra: int) -> None:
    """A sitting that was paused for days before it opens still closes as scheduled."""
    window, started_at = attempt
    window = replace(window, pauses=(), stopped_at=None)
    assume(started_at < window.closes_at)
    paused_early = replace(window, pauses=(Pause(began=0, ended=window.opens_at),))
    assert personal_deadline(paused_early, started_at=started_at, extra=extra) == personal_deadline(
        window, started_at=started_at, extra=extra
    )
    assert ends_at(paused_early, max_extra=extra) == ends_at(window, max_extra=extra)


@given(attempts(), SPANS)
def test_a_stop_only_shortens(attempt: tuple[Window, int], extra: int) -> None:
    """A stop ends my time at its instant or leaves it unchanged; it never extends it."""
    window, started_at = attempt
    stopped = personal_deadline(window, started_at=started_at, extra=extra)
    unstopped = personal_deadline(replace(window, stopped_at=None), started_at=started_at, extra=extra)
    assert _order(stopped) <= _order(unstopped)
    if stopped.at != unstopped.at:
        assert stopped.at == window.stopped_at == stopped.stopped_at


@given(attempts(), SPANS)
def test_the_derivation_adds_up(attempt: tuple[Window, int], extra: int) -> None:
    """The parts of the derivation that I am shown add up to my deadline."""
    window, started_at = attempt
    deadline = personal_deadline(window, started_at=started_at, extra=extra)
    by_duration = deadline.started_at + deadline.duration
    natural = min(by_duration, deadline.closes_at) + deadline.extra + deadline.paused
    if deadline.stopped_at is not None:
        assert deadline.at == deadline.stopped_at
    elif deadline.at is not None:
        assert deadline.at == natural
    assert deadline.limited_by == ("duration" if by_duration <= deadline.closes_at else "closes_at")
    assert deadline.extra <= extra


def test_two_pauses_and_extra_time_by_hand() -> None:
    """A case calculated by hand: 60 minutes from 9:10, one pause before the start and one after it."""
    minute = 60_000_000
    window = Window(
        opens_at=9 * 60 * minute,
        closes_at=10 * 60 * minute,
        duration=60 * minute,
        pauses=(
            Pause(began=(9 * 60 + 2) * minute, ended=(9 * 60 + 7) * minute),
            Pause(began=(9 * 60 + 30) * minute, ended=(9 * 60 + 45) * minute),
        ),
    )
    deadline = personal_deadline(window, started_at=(9 * 60 + 10) * minute, extra=10 * minute)
    # The close moved to 10:05 before the start; 10:05 + 10 minutes extra + 15 minutes of the second pause.
    assert deadline.to_json() == {
        "at": "1970-01-01T10:30:00.000000Z",
        "derivation": {
            "started_at": "1970-01-01T09:10:00.000000Z",
            "duration_us": 60 * minute,
            "closes_at": "1970-01-01T10:05:00.000000Z",
            "limited_by": "closes_at",
            "extra_us": 10 * minute,
            "paused_us": 15 * minute,
            "stopped_at": None,
        },
    }
    assert ends_at(window, max_extra=10 * minute) == deadline.at


def test_a_deadline_is_unknown_during_a_pause_unless_stopped() -> None:
    """During a pause I am shown no deadline, unless the sitting was stopped."""
    window = Window(opens_at=0, closes_at=100, duration=50, pauses=(Pause(began=20),))
    assert personal_deadline(window, started_at=10).at is None
    assert personal_deadline(window, started_at=10).to_json()["at"] is None
    assert ends_at(window) is None
    stopped = replace(window, stopped_at=30)
    assert personal_deadline(stopped, started_at=10).at == 30
    assert personal_deadline(stopped, started_at=10).to_json()["at"] == rfc3339(30)
    assert ends_at(stopped) == 30


def test_extra_time_may_be_limited_by_the_close() -> None:
    """If extra time may not extend past the close, I get what fits before it."""
    window = Window(opens_at=0, closes_at=100, duration=50, extra_past_close=False)
    assert personal_deadline(window, started_at=40, extra=30).at == 100
    assert personal_deadline(window, started_at=60, extra=30).at == 100
    assert personal_deadline(window, started_at=0, extra=30).at == 80
    assert ends_at(window, max_extra=30) == 100
    moved = replace(window, pauses=(Pause(began=10, ended=20),))
    assert personal_deadline(moved, started_at=50, extra=30).at == 110
    assert ends_at(moved, max_extra=30) == 110


def _order(deadline: Deadline) -> float:
    return float("inf") if deadline.at is None else deadline.at
