"""A sitting's window and the rules for changing it.

Web calls `check_change` inside the transaction that makes the change.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from exam_core.canonical import Json, JsonObject
from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A span in which no deadline runs; `ended` is None while it lasts. Instants in µs."""

    began: int
    ended: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When attempts may start and how long they last; instants and spans in µs.

    Attributes:
        opens_at: the first instant at which an attempt may start.
        closes_at: the first instant at which none may start, before pauses are added.
        duration: the maximum duration of an attempt.
        pauses: in chronological order, without overlap; only the last may be open.
        stopped_at: when the sitting was stopped early, or None.
        extra_past_close: whether an accommodation may extend past the close.
    """

    opens_at: int
    closes_at: int
    duration: int
    pauses: tuple[Pause, ...] = ()
    stopped_at: int | None = None
    extra_past_close: bool = True

    def __post_init__(self) -> None:
        if self.opens_at >= self.closes_at:
            raise Problem(
                ProblemKind.INVALID,
                f"a window must close after it opens: {rfc3339(self.opens_at)} to {rfc3339(self.closes_at)}",
            )
        if self.duration <= 0:
            raise Problem(ProblemKind.INVALID, "a window's duration must be positive")
        for earlier, later in pairwise(self.pauses):
            if earlier.ended is None or later.began < earlier.ended:
                raise Problem(ProblemKind.INVALID, "pauses must be in chronological order and not overlap")
        if any(p.ended is not None and p.ended < p.began for p in self.pauses):
            raise Problem(ProblemKind.INVALID, "a pause cannot end before it began")

    @property
    def paused(self) -> bool:
        """Whether the sitting is paused now."""
        return bool(self.pauses) and self.pauses[-1].ended is None

    def to_json(self) -> dict[str, Json]:
        """Return the form that PostgreSQL sends to solvers (instants in µs)."""
        return {
            "opens_at": self.opens_at,
            "closes_at": self.closes_at,
            "duration": self.duration,
            "pauses": [[p.began, p.ended] for p in self.pauses],
            "stopped_at": self.stopped_at,
            "extra_past_close": self.extra_past_close,
        }

    @classmethod
    def from_json(cls, body: JsonObject) -> Self:
        """The inverse of `to_json`."""
        return cls(
            opens_at=body["opens_at"],
            closes_at=body["closes_at"],
            duration=body["duration"],
            pauses=tuple(Pause(began=began, ended=ended) for began, ended in body["pauses"]),
            stopped_at=body["stopped_at"],
            extra_past_close=body["extra_past_close"],
        )


def opening_fixed(window: Window, *, now: int, lease_ttl: int) -> bool:
    """Whether a solver may apply this window's opening before it reads a change that is made now.

    Before that, no attempt can exist, and every solver that lets a student start has read the change.
    """
    return now >= window.opens_at - lease_ttl


def check_change(old: Window, new: Window, *, now: int, ends_at: int | None, lease_ttl: int) -> None:
    """Check that a change of a window's times is allowed now.

    Args:
        old: the current window.
        new: the requested window; pauses and stops are made by operations of their own.
        now: the platform's time.
        ends_at: the old window's latest personal deadline (`deadlines.ends_at`), None while paused.
        lease_ttl: for how long a solver may still apply the old window after a change: the longest present lease.

    Raises:
        Problem: WINDOW_FROZEN with the rule that forbids it.
    """
    if (new.pauses, new.stopped_at) != (old.pauses, old.stopped_at):
        raise ValueError("pauses and stops have operations of their own and are not made by changing the window")
    if old.stopped_at is not None or (ends_at is not None and now >= ends_at):
        raise Problem(ProblemKind.WINDOW_FROZEN, "every personal deadline has passed: the window can no longer change")
    if not opening_fixed(old, now=now, lease_ttl=lease_ttl):
        if new.opens_at <= now:
            raise Problem(
                ProblemKind.WINDOW_FROZEN, f"a window cannot be moved to open in the past: it is {rfc3339(now)}"
            )
        return
    if new.opens_at != old.opens_at:
        raise Problem(ProblemKind.WINDOW_FROZEN, "the window is opening or open: its opening is fixed")
    if new.duration != old.duration:
        raise Problem(ProblemKind.WINDOW_FROZEN, "the window is opening or open: its duration is frozen")
    if new.closes_at < old.closes_at or (old.extra_past_close and not new.extra_past_close):
        raise Problem(
            ProblemKind.WINDOW_FROZEN,
            "the window is opening or open: it may be extended, paused or stopped, not shortened",
        )
