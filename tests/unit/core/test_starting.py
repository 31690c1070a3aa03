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
def test_a_start_needs_an_open_window(window: Window, now: int, kind: ProblemKind | None) -> None:
    """I can start from the opening until just before the close, unless the sitting is paused or stopped."""
    raised = None
    try:
        check_start(window, now=now)
    except Problem as problem:
        raised = problem.kind
    assert raised is kind


def test_a_start_in_the_last_microsecond_has_a_deadline_ahead() -> None:
    """Starting in the last microsecond still gives me that microsecond."""
    assert personal_deadline(RESUMED, started_at=230 * SECOND - 1).at == 230 * SECOND


def test_a_pause_after_the_close_does_not_move_it() -> None:
    """While students with extra time wait in a pause, the end of starts is unchanged."""
    window = replace(WINDOW, pauses=(Pause(began=210 * SECOND, ended=250 * SECOND),))
    assert personal_deadline(window, started_at=300 * SECOND).closes_at == 200 * SECOND


def test_an_early_start_returns_retry_after() -> None:
    """The wait is rounded up, so that my retry is not too early again."""
    with pytest.raises(Problem) as refusal:
        check_start(WINDOW, now=98 * SECOND + 1)
    assert refusal.value.retry_after == 2
    assert refusal.value.headers == {"Retry-After": "2"}
    assert refusal.value.body()["opens_at"] == "1970-01-01T00:01:40.000000Z"
