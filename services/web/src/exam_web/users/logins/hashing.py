"""A bound on the passwords that are hashed at once: a hash takes 19 MiB, and a core for some milliseconds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from exam_core.problems import Problem, ProblemKind
from exam_web import metrics
from exam_web.settings import ENVIRONMENT

MAX_SLOTS = 8
"""Of a process, however many threads it has: 152 MiB."""


class HashingSlots:
    """A number of hashes at once, some of which are reserved for known devices.

    Nothing waits for a slot: threads that wait would be missing for requests without a password.
    """

    def __init__(self, slots: int, *, reserved: int) -> None:
        self._all = threading.BoundedSemaphore(slots)
        self._others = threading.BoundedSemaphore(slots - reserved)

    @contextmanager
    def hold(self, *, known: bool) -> Iterator[None]:
        """Hold a slot in the block.

        Raises:
            Problem: OVERLOADED with Retry-After, at once.
        """
        slots = [self._all] if known else [self._others, self._all]
        held: list[threading.BoundedSemaphore] = []
        try:
            for slot in slots:
                if not slot.acquire(blocking=False):
                    metrics.LOGINS_LIMITED.labels("hashing").inc()
                    raise Problem(ProblemKind.OVERLOADED, "too many logins are in progress; retry", retry_after=1)
                held.append(slot)
            yield
        finally:
            for slot in held:
                slot.release()


def _slots_of(threads: int) -> HashingSlots:
    """Three of four threads may hash; a fourth of these is for known devices."""
    slots = min(MAX_SLOTS, max(1, threads * 3 // 4))
    return HashingSlots(slots, reserved=slots // 4)


hashing_slots = _slots_of(ENVIRONMENT.web_threads)
"""The slots of this process."""
