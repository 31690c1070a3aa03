"""End a command by Ctrl-C or SIGTERM, after it has stopped what it started.

The signal is handled, not blocked: child processes inherit a blocked signal, and would ignore the request to stop.
"""

import signal
from contextlib import suppress
from types import FrameType


def end_on_sigterm() -> None:
    """Let SIGTERM raise KeyboardInterrupt, once: a repeated one does not interrupt the end."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def await_interrupt() -> None:
    """Wait for Ctrl-C, or SIGTERM after `end_on_sigterm`."""
    with suppress(KeyboardInterrupt):
        while True:
            signal.pause()
