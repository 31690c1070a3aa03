"""The skew between the platform's clock and the operator's."""

from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import MILLISECOND, SECOND
from exam_operator.model.skew import ANSWERS, SkewEstimate

DELAYS = st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(0, 20 * SECOND)), min_size=1, max_size=ANSWERS)


def estimate_of(delays: list[tuple[int, int]], skew: int) -> int:
    """The estimate after answers that took so long on the way there and back."""
    estimate, now = SkewEstimate(), 0
    for there, back in delays:
        estimate.add(now + there + skew, sent_at=now, received_at=now + there + back)
        now += there + back
    return estimate.skew


def test_a_slow_answer_does_not_look_like_a_skew() -> None:
    """If one request waits ten seconds at a busy web, no skew of five seconds is reported."""
    assert estimate_of([(MILLISECOND, MILLISECOND), (10 * SECOND, 0)], skew=0) == 0


@given(delays=DELAYS, skew=st.integers(-60 * SECOND, 60 * SECOND))
def test_the_skew_is_as_exact_as_the_quickest_answer(delays: list[tuple[int, int]], skew: int) -> None:
    """If several answers came, the skew is wrong by at most half of what the quickest of them took."""
    quickest = min(there + back for there, back in delays)
    assert abs(estimate_of(delays, skew) - skew) <= quickest // 2 + 1


def test_a_clock_that_is_set_is_followed_at_once() -> None:
    """If the platform's clock is set, a slower answer that cannot fit the former skew replaces it."""
    estimate = SkewEstimate()
    estimate.add(5, sent_at=0, received_at=10)
    estimate.add(100 * SECOND, sent_at=20, received_at=20 + SECOND)
    assert estimate.skew == 100 * SECOND - 20 - SECOND // 2


def test_a_quick_answer_is_forgotten() -> None:
    """If the clocks drift, the skew of an answer long ago is not kept."""
    estimate = SkewEstimate()
    estimate.add(0, sent_at=0, received_at=0)
    for number in range(ANSWERS):
        estimate.add(number * SECOND + 2, sent_at=number * SECOND, received_at=number * SECOND + 6)
    assert estimate.skew == -1


def test_an_answer_across_a_step_back_of_the_own_clock_is_dropped() -> None:
    """If the operator's clock is set back during a request, the answer says nothing about the skew."""
    estimate = SkewEstimate()
    estimate.add(0, sent_at=SECOND, received_at=0)
    assert estimate.skew == 0
