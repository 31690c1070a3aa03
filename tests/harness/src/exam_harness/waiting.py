"""Poll until a condition holds, instead of sleeping for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.05

T = TypeVar("T")


def eventually(
    condition: Callable[[], T | None], description: str, *, seconds: float = 30, interval: float = POLL_SECONDS
) -> T:
    """Call `condition` until it returns a true value, and return that value.

    Args:
        condition: polled until its result is true.
        description: what should become true, for the error message.
        seconds: the timeout.
        interval: seconds between two calls; longer where a call is expensive.

    Raises:
        TimeoutError: the condition did not hold before the timeout.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"timed out after {seconds:.0f} s waiting until {description}; last result: {result!r}")
        time.sleep(interval)
    return result
