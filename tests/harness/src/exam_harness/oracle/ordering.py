"""The rules that score an order, written as their definitions say.

An order is the list of the right places of its items: `[0, 1, 2]` is right, and in `[2, 0, 1]` the last item is first.
"""

from collections.abc import Sequence
from fractions import Fraction


def order_share(rule: str, places: Sequence[int]) -> Fraction:  # noqa: PLR0911 - one for each rule
    """The share of an order of two or more items.

    Raises:
        ValueError: the rule is unknown.
    """
    n = len(places)
    last = n - 1
    followed = sum(places.index(item) + 1 == places.index(item + 1) for item in range(last))
    match rule:
        case "all-or-nothing":
            return Fraction(all(places[place] == place for place in range(n)))
        case "places":
            return Fraction(sum(places[place] == place for place in range(n)), n)
        case "successors":
            return Fraction(followed, last)
        case "successors-and-end":
            return Fraction(followed + (places[last] == last), n)
        case "neighbours":
            return Fraction(sum(map(_right_neighbours, [places] * n, range(n))), 2 * n)
        case "pairs":
            right = [(i, j) for j in range(n) for i in range(j) if places.index(i) < places.index(j)]
            return Fraction(len(right), n * last // 2)
        case "longest-subsequence":
            return _share_of_longest(_longest_ascending(places), n)
        case "longest-run":
            return _share_of_longest(max(_run_from(places, first) for first in range(n)), n)
        case "distances":
            return Fraction(sum(last - abs(places.index(item) - item) for item in range(n)), n * last)
    raise ValueError(f"unknown rule {rule!r}")


def _right_neighbours(places: Sequence[int], item: int) -> int:
    """How many of an item's two neighbours are the right ones; before the first and after the last there is an end."""
    framed = [-1, *places, len(places)]
    place = framed.index(item)
    return (framed[place - 1] == item - 1) + (framed[place + 1] == item + 1)


def _longest_ascending(places: Sequence[int]) -> int:
    """The length of the longest subsequence in the right order."""
    lengths: list[int] = []
    for index, item in enumerate(places):
        lengths.append(1 + max((lengths[other] for other in range(index) if places[other] < item), default=0))
    return max(lengths)


def _run_from(places: Sequence[int], first: int) -> int:
    """How many items from this one on stand in the right order with none left out; others may stand between them."""
    item = first
    while item + 1 < len(places) and places.index(item) < places.index(item + 1):
        item += 1
    return item - first + 1


def _share_of_longest(length: int, n: int) -> Fraction:
    return Fraction(length, n) if length > 1 else Fraction(0)
