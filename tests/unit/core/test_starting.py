"""When an attempt may start."""

from dataclasses import replace

import pytest

from exam_core.deadlines import check_start, personal_deadline
from exam_core.problems import Problem, ProblemKind
from exam_core.windows import Pause, Window

SECOND = 1_000_000
WINDOW = Window(opens_at=100 * SECOND, closes_at=200 * SECOND, duration=50 * SECOND)
PAUSED = replace(WINDOW, pauses=(Pause(began=120 * SECOND),))
RESUMED = replace(WINDOW, pauses=(Pause(began=120 * SECOND, ended=150 * SECOND),))
STOPPED = replace(WINDOW, stopped_at=130 * SECOND)


@pytest.mark.parametrize(
    ("window", "now", "kind"),
    [
        (WINDOW, 100 * SECOND - 1, ProblemKind.NOT_OPEN_YET),
        (WINDOW, 100 * SECOND, None),
        (WINDOW, 200 * SECOND - 1, None),
        (WINDOW, 200 * SECOND, ProblemKind.STARTS_OVER),
        (PAUSED, 150 * SECOND, ProblemKind.PAUSED),
        (PAUSED, 900 * SECOND, ProblemKind.PAUSED),
        (PAUSED, 99 * SECOND, ProblemKind.NOT_OPEN_YET),
        (replace(WINDOW, pauses=(Pause(began=200 * SECOND),)), 300 * SECOND, ProblemKind.STARTS_OVER),
        (RESUMED, 200 * SECOND, None),
        (RESUMED, 230 * SECOND - 1, None),
        (RESUMED, 230 * SECOND, ProblemKind.STARTS_OVER),
        (replace(WINDOW, pauses=(Pause(began=0, ended=90 * SECOND),)), 200 * SECOND, ProblemKind.STARTS_OVER),
        (STOPPED, 130 * SECOND - 1, None),
        (STOPPED, 130 * SECOND, ProblemKind.STARTS_OVER),
        (replace(WINDOW, stopped_at=50 * SECOND), 60 * SECOND, ProblemKind.STARTS_OVER),
    ],
)
def test_a_start_needs_an_open_window_that_is_neither_paused_nor_stopped(
    window: Window, now: int, kind: ProblemKind | None
) -> None:
    """I can start from the opening until just before the close, unless a person paused or stopped it."""
    refusal = None
    try:
        check_start(window, now=now)
    except Problem as problem:
        refusal = problem.kind
    assert refusal is kind


def test_whoever_may_start_has_time() -> None:
    """Starting in the last microsecond still gives me that microsecond, not a deadline in the past."""
    assert personal_deadline(RESUMED, started_at=230 * SECOND - 1).at == 230 * SECOND


def test_a_pause_after_the_close_moves_no_close() -> None:
    """While those with extra time wait in a pause, I am still told when starts ended."""
    window = replace(WINDOW, pauses=(Pause(began=210 * SECOND, ended=250 * SECOND),))
    assert personal_deadline(window, started_at=300 * SECOND).closes_at == 200 * SECOND


def test_before_the_opening_i_am_told_how_long_to_wait() -> None:
    """The wait is rounded up, so that I do not come a moment too early."""
    with pytest.raises(Problem) as refusal:
        check_start(WINDOW, now=98 * SECOND + 1)
    assert refusal.value.retry_after == 2
    assert refusal.value.headers == {"Retry-After": "2"}
    assert refusal.value.body()["opens_at"] == "1970-01-01T00:01:40.000000Z"
