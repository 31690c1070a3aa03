"""The points shown of the questions add up to the total shown, or the page says how they were rounded."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exam_core.shown_points import Relation, shown_total

EXACT = st.lists(st.none() | st.fractions(-3, 3, max_denominator=600), max_size=8)


def _cents(points: Fraction) -> Decimal:
    return Decimal(floor(points * 100 + Fraction(1, 2))).scaleb(-2)


@given(EXACT, st.booleans())
def test_every_total_is_explained(exact: list[Fraction | None], negative_total: bool) -> None:  # noqa: FBT001 - drawn
    """If my points do not add up to my total, the page says by how much they differ, and why."""
    points = [None if each is None else _cents(each) for each in exact]
    total = sum((each for each in exact if each is not None), Fraction(0))
    shown = _cents(total if negative_total else max(Fraction(0), total))
    found = shown_total(points, shown, negative_total=negative_total)
    added = sum((each for each in points if each is not None), Decimal(0))
    assert (found.added, found.difference) == (added, shown - added)
    assert (found.relation is Relation.ADDS_UP) is (added == shown) is (found.sentence == "")
    assert found.relation is not Relation.UNEXPLAINED
    if found.relation is Relation.ROUNDED:
        given_ = sum(each is not None for each in exact)
        assert abs(found.difference) <= (given_ + 1) * Decimal("0.005")
    if found.relation is Relation.AT_LEAST_ZERO:
        assert not negative_total
        assert added < 0 == shown


@given(st.lists(st.decimals(-3, 3, places=2), min_size=1, max_size=8), st.decimals(-3, 3, places=2))
def test_rounding_is_named_where_it_is_possible(points: list[Decimal], total: Decimal) -> None:
    """If rounding is given as the reason, there are exact points that give what is shown; else there are none."""
    found = shown_total(points, total, negative_total=True)
    assume(found.relation is not Relation.ADDS_UP)
    # The exact sums that the points shown allow, from the least one and below the greatest one.
    least = Fraction(found.added) - Fraction(len(points), 200)
    greatest = Fraction(found.added) + Fraction(len(points), 200)
    nearest = min(max(least, Fraction(total) - Fraction(1, 200)), Fraction(total))
    possible = least <= nearest < greatest and _cents(nearest) == total
    assert (found.relation is Relation.ROUNDED) is possible


@pytest.mark.parametrize(
    ("points", "total", "sentence"),
    [
        (["0.33", "0.33", "0.33"], "1", "add up to 0.99, the total is 1: they are rounded one by one"),
        (["0.01", "0.01"], "0.01", "add up to 0.02, the total is 0.01: they are rounded one by one"),
        (["-0.5", None], "0", "add up to -0.5, the total is 0: a total is at least 0"),
        (["1"], "2", "add up to 1, the total is 2: rounding does not explain the difference"),
        ([], "1", "add up to 0, the total is 1: rounding does not explain"),
    ],
)
def test_the_page_says_why(points: list[str | None], total: str, sentence: str) -> None:
    """If the numbers of my page do not add up, a sentence has both sums and the reason."""
    given_ = [None if each is None else Decimal(each) for each in points]
    assert sentence in shown_total(given_, Decimal(total)).sentence
