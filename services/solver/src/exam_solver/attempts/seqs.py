"""The seqs of an attempt that a process has seen, to tell whether an answer may be under way elsewhere. Pure.

A device counts its answers over all questions. So a seq that is skipped belongs to an answer that another process has,
or that was lost on its way and may still be saved.
"""

from collections.abc import Iterable
from typing import Self


class SeqRun:
    """The unbroken run of seqs that ends at the highest one seen.

    Attributes:
        first: the lowest seq of the run; above `highest` when the run is empty.
        highest: the highest seq seen, whether its answer was saved or not; 0 before the first.
    """

    __slots__ = ("first", "highest")

    def __init__(self) -> None:
        self.first = 1
        self.highest = 0

    def copy(self) -> Self:
        """An independent copy."""
        other = type(self)()
        other.first, other.highest = self.first, self.highest
        return other

    def add(self, seq: int) -> None:
        """Add the seq of a new answer.

        One that is not above all others was not counted over all questions, or comes from a second device: then
        nothing is known about the seqs below it.
        """
        if seq != self.highest + 1:
            self.first = max(self.highest + 1, seq)
        self.highest = max(self.highest, seq)

    def break_at(self, seq: int) -> None:
        """Record that the answer with this seq may or may not be saved."""
        self.first = max(self.first, seq + 1)

    def merge(self, seqs: Iterable[tuple[int, int]]) -> None:
        """Add the seqs of all saved answers, each as (seq, question).

        A run that is known already stays, unless a seq above it was saved or a seq belongs to two questions.
        """
        questions: dict[int, int] = {}
        counted = True
        for seq, question in seqs:
            counted = counted and questions.setdefault(seq, question) == question
        if not questions:
            return
        highest = max(questions)
        if highest > self.highest:
            first = highest
            while first - 1 in questions:
                first -= 1
            known = self.first <= self.highest
            if known and first <= self.highest + 1:
                first = min(first, self.first)  # the saved run continues the known one
            self.first, self.highest = first, highest
        if not counted:
            self.first = self.highest + 1

    def skipped(self, seq: int) -> bool:
        """Whether seqs between the highest one seen and this one were not seen."""
        return seq > self.highest + 1

    def unbroken(self, *, after: int, before: int) -> bool:
        """Whether every seq after one and before another was seen, and none from `before` on."""
        return self.first <= after + 1 and before == self.highest + 1
