"""Intervals of exact numbers, open or closed at each end, possibly unbounded."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from exam_core.canonical import Json, JsonObject
from exam_core.credits import fraction_of, fraction_text

_Cut = tuple[int, Fraction, int]
"""A place between numbers: (-1, …) is below all of them, (1, …) above; (0, n, 0) is just below n, (0, n, 1) above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The numbers from `low` to `high`; None has no bound."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool = False
    high_open: bool = False

    @property
    def start(self) -> _Cut:
        """The place below the least number."""
        return (-1, Fraction(0), 0) if self.low is None else (0, self.low, int(self.low_open))

    @property
    def end(self) -> _Cut:
        """The place above the greatest number."""
        return (1, Fraction(0), 0) if self.high is None else (0, self.high, int(not self.high_open))

    @property
    def empty(self) -> bool:
        """Whether it contains no number."""
        return self.start >= self.end

    def __contains__(self, number: Fraction) -> bool:
        return self.start <= (0, number, 0) and (0, number, 1) <= self.end

    def overlaps(self, other: "Interval") -> bool:
        """Return whether a number is in both."""
        return max(self.start, other.start) < min(self.end, other.end)

    def to_json(self) -> dict[str, Json]:
        """Return the members in a key."""
        return {
            "low": None if self.low is None else fraction_text(self.low),
            "high": None if self.high is None else fraction_text(self.high),
            "low_open": self.low_open,
            "high_open": self.high_open,
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(
            low=None if body["low"] is None else fraction_of(body["low"]),
            high=None if body["high"] is None else fraction_of(body["high"]),
            low_open=body["low_open"],
            high_open=body["high_open"],
        )


def covered(interval: Interval, others: Iterable[Interval]) -> bool:
    """Return whether each number of an interval is in one of the others."""
    reached = interval.start
    for other in sorted(others, key=lambda each: each.start):
        if other.start <= reached:
            reached = max(reached, other.end)
    return reached >= interval.end
