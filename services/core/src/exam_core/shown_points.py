"""How the points that are shown for each question relate to the total that is shown.

Each is rounded by itself, half up to the cent, from exact points; the total is the rounded sum of the exact points, and
at least 0 unless the policy allows less. So the points shown may add up to another number than the total.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from exam_core.numbers import decimal_text

_HALF_CENT: Final = Decimal("0.005")


class Relation(StrEnum):
    """Why the total shown is what it is."""

    ADDS_UP = "adds up"
    ROUNDED = "rounded"
    """The difference is one that rounding each number by itself can make."""
    AT_LEAST_ZERO = "at least zero"
    """The points add up to less than 0, and the total is 0."""
    UNEXPLAINED = "unexplained"
    """Neither can make the difference: points and total are not of one scored attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTotal:
    """The points shown, added, and the total shown."""

    added: Decimal
    total: Decimal
    relation: Relation

    @property
    def difference(self) -> Decimal:
        """The total less the added points."""
        return self.total - self.added

    @property
    def sentence(self) -> str:
        """What a page says under its table of points; empty if the points add up to the total."""
        if self.relation is Relation.ADDS_UP:
            return ""
        added = f"The points above add up to {decimal_text(self.added)}, the total is {decimal_text(self.total)}"
        reasons = {
            Relation.ROUNDED: "they are rounded one by one, the total is the rounded sum of the exact points.",
            Relation.AT_LEAST_ZERO: "a total is at least 0.",
            Relation.UNEXPLAINED: "rounding does not explain the difference.",
        }
        return f"{added}: {reasons[self.relation]}"


def shown_total(points: Iterable[Decimal | None], total: Decimal, *, negative_total: bool = False) -> ShownTotal:
    """Compare the points shown, None where a question has none, with the total shown.

    Exact points of n shown numbers that add up to S have a sum from S - n/2 cents to less than S + n/2 cents.
    """
    given = [each for each in points if each is not None]
    added = sum(given, Decimal(0))
    return ShownTotal(added=added, total=total, relation=_relation(len(given), added, total, negative_total))


def _relation(count: int, added: Decimal, total: Decimal, negative_total: bool) -> Relation:  # noqa: FBT001 - private
    if added == total:
        return Relation.ADDS_UP
    if total == 0 and added < 0 and not negative_total:
        return Relation.AT_LEAST_ZERO
    low, high = added - count * _HALF_CENT, added + count * _HALF_CENT
    # The exact sum is in [low, high) and in [total - half a cent, total + half a cent).
    if count and max(low, total - _HALF_CENT) < min(high, total + _HALF_CENT):
        return Relation.ROUNDED
    return Relation.UNEXPLAINED
