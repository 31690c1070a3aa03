"""The boot clock: it goes on while the machine sleeps, and nobody can set it."""

import time
from collections.abc import Callable

BootClock = Callable[[], int]
"""Microseconds since this machine booted."""


def boot_clock() -> int:
    """Microseconds since boot, sleep included, so that a lease cannot outlive a suspended laptop's night."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000
