"""The boot clock: it never steps, and runs while a process or machine is suspended, so that leases expire then."""

import time
from collections.abc import Callable

BootClock = Callable[[], int]
"""Microseconds since this machine booted."""


def boot_clock() -> int:
    """Microseconds since boot, including suspension."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000
