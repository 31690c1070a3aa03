"""The difference between two clocks, estimated from timed answers."""

from collections import deque
from dataclasses import dataclass

ANSWERS = 8
"""How many answers are compared: enough for a quick one, few enough to follow the drift of a clock."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """An answer: the remote time in it was read while `delay` passed here, so the skew is known to half of that."""

    skew: int
    delay: int

    def contradicts(self, other: "_Sample") -> bool:
        """Whether no skew fits both: a clock was set in between."""
        return 2 * abs(self.skew - other.skew) > self.delay + other.delay


class SkewEstimate:
    """The remote clock minus the local one in µs, by the quickest of the last answers: it waited the least."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=ANSWERS)

    @property
    def skew(self) -> int:
        """The estimate; 0 before the first answer."""
        return min(self._samples, key=lambda sample: sample.delay, default=_Sample(0, 0)).skew

    def add(self, remote: int, *, sent_at: int, received_at: int) -> None:
        """Add an answer: the remote time in it, and the local times of its request and its arrival."""
        if received_at < sent_at:
            return  # the local clock was set back meanwhile
        new = _Sample(remote - (sent_at + received_at) // 2, received_at - sent_at)
        if any(new.contradicts(earlier) for earlier in self._samples):
            self._samples.clear()
        self._samples.append(new)
