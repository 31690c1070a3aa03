"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.05

T = TypeVar("T")


def eventually(question: Callable[[], T | None], what: str, *, seconds: float = 30, every: float = POLL_SECONDS) -> T:
    """The first answer that counts as true; none before the deadline is a TimeoutError that says what never was.

    Asked again after a pause of `every` seconds: more where a question is dear to whoever has to answer.
    """
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s it was still not so that {what}; the last answer was {answer!r}")
        time.sleep(every)
    return answer
