"""What students may see of an exam once it is over: its review policy."""

from enum import StrEnum


class Review(StrEnum):
    """A review policy; each one shows what those before it show, and more."""

    NOTHING = "nothing"
    DEGREE = "degree"
    """The total, once it is published."""
    POINTS = "points"
    """The points of each question."""
    PAPER = "paper"
    """The paper and the own answers."""
    KEY = "key"
    """The right answers."""

    def shows(self, part: "Review") -> bool:
        """Return whether a part may be seen, which is named by the first policy that shows it."""
        order = list(Review)
        return order.index(self) >= order.index(part)
