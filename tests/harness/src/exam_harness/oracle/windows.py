"""Personal deadlines by a sitting's window, and how operations change it; written from the specification alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Pause = tuple[int, int | None]
"""When a pause began and ended (µs); None while it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A sitting's window; instants and spans in µs, `extra` by student."""

    opens_at: int
    closes_at: int
    duration: int
    pauses: tuple[Pause, ...] = ()
    stopped_at: int | None = None
    extra: Mapping[int, int] = field(default_factory=dict)

    def closes_for(self, started_at: int) -> int:
        """The close for a start at some instant, which earlier pauses have moved."""
        closes_at = self.closes_at
        for began, ended in self.pauses:
            if began >= min(started_at, closes_at):
                break
            until = started_at if ended is None else min(ended, started_at)
            closes_at += max(0, until - max(began, self.opens_at))
        return closes_at

    def deadline(self, student: int, started_at: int) -> int | None:
        """The personal deadline; None while a pause lasts that moves it."""
        closes_at = self.closes_for(started_at)
        at: int | None = min(started_at + self.duration, closes_at) + self.extra.get(student, 0)
        for began, ended in self.pauses:
            if at is None or began >= at:
                break
            at = None if ended is None else at + max(0, ended - max(began, started_at))
        return self.stopped_at if self.stopped_at is not None and (at is None or self.stopped_at < at) else at


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A change of the window that was accepted.

    Attributes:
        verb: ``extend``, ``pause``, ``resume``, ``stop`` or ``accommodate``.
        sent_at: when it was first requested.
        done_at: when it was known to be done.
        closes_at: of ``extend``, the new close.
        student: of ``accommodate``, the student.
        extra: of ``accommodate``, the extra time.
    """

    verb: str
    sent_at: int
    done_at: int
    closes_at: int = 0
    student: int = 0
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A window, and when it was requested and known to hold (µs); it began to hold in between."""

    requested: int
    since: int
    window: Window


def versions(first: Window, last: Window, operations: Iterable[Operation]) -> list[Version]:
    """The windows of a sitting over time: as provisioned, then after each operation.

    Args:
        first: the window as provisioned.
        last: the final window as recorded, whose pauses and stop have the exact instants.
        operations: the accepted operations, in order.
    """
    found = [Version(0, 0, first)]
    pauses = 0
    for operation in operations:
        window = found[-1].window
        match operation.verb:
            case "extend":
                window = replace(window, closes_at=operation.closes_at)
            case "pause":
                window = replace(window, pauses=(*window.pauses, (last.pauses[pauses][0], None)))
            case "resume":
                window = replace(window, pauses=(*window.pauses[:-1], last.pauses[pauses]))
                pauses += 1
            case "stop":
                window = replace(window, stopped_at=last.stopped_at)
            case "accommodate":
                window = replace(window, extra={**window.extra, operation.student: operation.extra})
            case _:
                raise ValueError(f"unknown operation {operation.verb!r}")
        found.append(Version(operation.sent_at, operation.done_at, window))
    return found


def window_from_json(body: Mapping[str, Any]) -> Window:
    """The inverse of `dataclasses.asdict` after JSON."""
    return Window(
        opens_at=body["opens_at"],
        closes_at=body["closes_at"],
        duration=body["duration"],
        pauses=tuple((began, ended) for began, ended in body["pauses"]),
        stopped_at=body["stopped_at"],
        extra={int(student): extra for student, extra in body["extra"].items()},
    )
