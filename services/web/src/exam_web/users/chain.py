"""The rule of a login's refresh tokens: each replaces its predecessor, so that a stolen one is noticed.

A client whose reply was lost has only the token that it sent, and two tabs may send the same token at once. Therefore
the predecessor of the current token is accepted for a grace of seconds, and leads to the same successor.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Self
from uuid import UUID


class Outcome(Enum):
    """What a presented refresh token leads to."""

    ROTATE = auto()
    """The current token: a new one takes its place."""
    REPEAT = auto()
    """The predecessor, within the grace: the current token is issued once more."""
    THEFT = auto()
    """Any other token of the chain: two parties have it, and the chain ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A login's refresh tokens: the current one, and its predecessor with the time at which it was replaced (µs)."""

    current: UUID
    previous: UUID | None
    rotated_at: int | None

    def decide(self, presented: UUID, *, now: int, grace: int) -> Outcome:
        """Return what a token of this chain leads to; times in µs.

        A `now` before the rotation counts as within the grace: of two requests at once, the one that waited for the
        other may have read the clock first.
        """
        if presented == self.current:
            return Outcome.ROTATE
        if presented == self.previous and self.rotated_at is not None and max(0, now - self.rotated_at) < grace:
            return Outcome.REPEAT
        return Outcome.THEFT

    def rotate(self, successor: UUID, *, now: int) -> Self:
        """Return the chain after its current token was replaced."""
        return type(self)(current=successor, previous=self.current, rotated_at=now)
