"""The boot clock: monotonic, includes the time a machine is suspended, and cannot be set."""

import time
from collections.abc import Callable

BootClock = Callable[[], int]
"""Microseconds since this machine booted."""


def boot_clock() -> int:
    """Microseconds since boot, including suspension, so that a lease expires while a laptop is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000
