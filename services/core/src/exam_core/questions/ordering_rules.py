"""The rules that compare an order with the right one.

An order is given as the right places of its items: ``[0, 1, 2]`` is right, and in ``[2, 0, 1]`` the last item is first.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Final


class OrderingRule(StrEnum):
    """How much of an order is right."""

    ALL_OR_NOTHING = "all-or-nothing"
    """1 if every item is at its place, else 0."""
    PLACES = "places"
    """Items at their place, of all."""
    SUCCESSORS = "successors"
    """Items that are directly followed by the right one, of all but the last."""
    SUCCESSORS_AND_END = "successors-and-end"
    """The same, and one more if the last item is last, of all."""
    NEIGHBOURS = "neighbours"
    """Right direct neighbours before and after, of two for each item; the ends count as neighbours."""
    PAIRS = "pairs"
    """Pairs of items of which the first stands before the second, of all pairs."""
    LONGEST_SUBSEQUENCE = "longest-subsequence"
    """Items that remain in the right order when fewest are taken out, of all; a single one counts as none."""
    LONGEST_RUN = "longest-run"
    """Items that follow each other in the right order without one missing, though others may stand between them, in the
    longest such run, of all; a single one counts as none."""
    DISTANCES = "distances"
    """The distance of each item to its place: n - 1 less the distance, of n - 1 for each item."""


def share_of(rule: OrderingRule, places: Sequence[int]) -> Fraction:
    """Return the share, 0 … 1, of an order of two or more items."""
    return _SHARES[rule](places, len(places))


def _all_or_nothing(places: Sequence[int], n: int) -> Fraction:
    return Fraction(list(places) == list(range(n)))


def _places(places: Sequence[int], n: int) -> Fraction:
    return Fraction(sum(place == right for place, right in enumerate(places)), n)


def _followed(places: Sequence[int]) -> int:
    return sum(after == before + 1 for before, after in pairwise(places))


def _successors(places: Sequence[int], n: int) -> Fraction:
    return Fraction(_followed(places), n - 1)


def _successors_and_end(places: Sequence[int], n: int) -> Fraction:
    return Fraction(_followed(places) + (places[-1] == n - 1), n)


def _neighbours(places: Sequence[int], n: int) -> Fraction:
    # A right pair is the right neighbour of both; the first and the last item have an end beside them.
    return Fraction(2 * _followed(places) + (places[0] == 0) + (places[-1] == n - 1), 2 * n)


def _pairs(places: Sequence[int], n: int) -> Fraction:
    return Fraction(sum(before < after for before, after in combinations(places, 2)), n * (n - 1) // 2)


def _longest_subsequence(places: Sequence[int], n: int) -> Fraction:
    # ends[k]: the least right place that ends an ascending subsequence of k + 1 items.
    ends: list[int] = []
    for right in places:
        at = bisect_left(ends, right)
        ends[at : at + 1] = [right]
    return _longest(len(ends), n)


def _longest_run(places: Sequence[int], n: int) -> Fraction:
    length: dict[int, int] = {}
    for right in places:
        length[right] = length.get(right - 1, 0) + 1
    return _longest(max(length.values()), n)


def _longest(length: int, n: int) -> Fraction:
    return Fraction(length if length > 1 else 0, n)


def _distances(places: Sequence[int], n: int) -> Fraction:
    return Fraction(sum(n - 1 - abs(place - right) for place, right in enumerate(places)), n * (n - 1))


_SHARES: Final[Mapping[OrderingRule, Callable[[Sequence[int], int], Fraction]]] = {
    OrderingRule.ALL_OR_NOTHING: _all_or_nothing,
    OrderingRule.PLACES: _places,
    OrderingRule.SUCCESSORS: _successors,
    OrderingRule.SUCCESSORS_AND_END: _successors_and_end,
    OrderingRule.NEIGHBOURS: _neighbours,
    OrderingRule.PAIRS: _pairs,
    OrderingRule.LONGEST_SUBSEQUENCE: _longest_subsequence,
    OrderingRule.LONGEST_RUN: _longest_run,
    OrderingRule.DISTANCES: _distances,
}
