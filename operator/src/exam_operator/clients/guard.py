"""What clients call before each request that changes something."""

from collections.abc import Callable

Guard = Callable[[], None]
"""Raises an error if this process may not change anything now."""


def unguarded() -> None:
    """Allow every request."""
