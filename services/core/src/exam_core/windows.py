"""A sitting's window and how it may change.

`may_become` is the one rule book for changes; PostgreSQL's door (`sittings/services.py`) asks it inside the
transaction that makes the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from exam_core.canonical import Json
from exam_core.instants import rfc3339
from exam_core.problems import Problem, ProblemKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A stretch in which nobody's clock runs; `ended` is None while it lasts. Instants in µs."""

    began: int
    ended: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a paper may be started and for how long it is answered; instants and spans in µs.

    Attributes:
        opens_at: the first instant at which an attempt may start.
        closes_at: the first instant at which none may, pauses aside.
        duration: how long an attempt lasts at most.
        pauses: in order of time, not overlapping; only the last may still last.
        stopped_at: when a person ended the sitting early, if so.
        extra_past_close: whether an accommodation may reach past the close.
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
                raise Problem(ProblemKind.INVALID, "pauses must be in order of time and not overlap")
        if any(p.ended is not None and p.ended < p.began for p in self.pauses):
            raise Problem(ProblemKind.INVALID, "a pause cannot end before it began")

    @property
    def paused(self) -> bool:
        """Whether a pause lasts."""
        return bool(self.pauses) and self.pauses[-1].ended is None

    def to_json(self) -> dict[str, Json]:
        """The form in which a window travels from PostgreSQL to the solvers (instants in µs)."""
        return {
            "opens_at": self.opens_at,
            "closes_at": self.closes_at,
            "duration": self.duration,
            "pauses": [[p.began, p.ended] for p in self.pauses],
            "stopped_at": self.stopped_at,
            "extra_past_close": self.extra_past_close,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            opens_at=body["opens_at"],
            closes_at=body["closes_at"],
            duration=body["duration"],
            pauses=tuple(Pause(began=began, ended=ended) for began, ended in body["pauses"]),
            stopped_at=body["stopped_at"],
            extra_past_close=body["extra_past_close"],
        )


def may_become(old: Window, new: Window, *, now: int, ends_at: int | None, lease_ttl: int) -> None:
    """Check a change of a window's times against the clock.

    Args:
        old: the window as it is.
        new: the window as wished for; pauses and stops are not made this way.
        now: the platform's time.
        ends_at: the old window's latest personal deadline (`deadlines.ends_at`), None while paused.
        lease_ttl: for how long a solver may still go by the old window without hearing of a change.

    Raises:
        Problem: WINDOW_FROZEN with the rule that forbids it.
    """
    if (new.pauses, new.stopped_at) != (old.pauses, old.stopped_at):
        raise ValueError("pauses and stops are made by their own operations, not by editing the window")
    if old.stopped_at is not None or (ends_at is not None and now >= ends_at):
        raise Problem(ProblemKind.WINDOW_FROZEN, "every personal deadline has passed: nothing moves any more")
    if now < old.opens_at - lease_ttl:
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
