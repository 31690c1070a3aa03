"""The difference of two revisions, against a plain reference."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.degree_changes import (
    Degrees,
    Distribution,
    PassMark,
    degree_changes,
    question_changes,
    read_pass_mark,
    rounded_points,
)

CENTS = st.decimals(min_value=-20, max_value=100, places=2)
MAXIMA = st.sampled_from([Decimal(0), Decimal(100), Decimal("99.5")])
DEGREES = st.dictionaries(st.integers(1, 30), st.tuples(CENTS, MAXIMA), max_size=20)
MARKS = st.builds(PassMark, share=st.fractions(0, 1, max_denominator=7)) | st.builds(PassMark, points=CENTS)
POINTS = st.lists(st.none() | CENTS, min_size=3, max_size=3)
Pair = tuple[list[Decimal | None], list[Decimal | None]]


def _passes(mark: PassMark, total: Decimal, maximum: Decimal) -> bool:
    needed = Fraction(mark.points) if mark.points is not None else (mark.share or 0) * Fraction(maximum)
    return Fraction(total) >= needed


def _bin(total: Decimal, maximum: Decimal, bins: int) -> int | None:
    """The number of the bin of a degree, None below 0."""
    if total < 0:
        return None
    if maximum == 0:
        return 0
    share = Fraction(total) / Fraction(maximum)
    return next((k for k in range(bins) if Fraction(k, bins) <= share < Fraction(k + 1, bins)), bins - 1)


def _distribution(degrees: Mapping[int, tuple[Decimal, Decimal]], mark: PassMark | None, bins: int) -> Distribution:
    places = [_bin(*degree, bins) for degree in degrees.values()]
    totals = [Fraction(total) for total, _ in degrees.values()]
    return Distribution(
        students=len(degrees),
        below_zero=places.count(None),
        bins=tuple(places.count(k) for k in range(bins)),
        mean=mean(totals) if totals else None,
        median=median(totals) if totals else None,
        passed=None if mark is None else sum(_passes(mark, *degree) for degree in degrees.values()),
    )


@given(DEGREES, DEGREES, st.booleans(), st.none() | MARKS, st.integers(1, 12))
def test_changes_equal_the_reference(
    before: Degrees,
    other: Degrees,
    same: bool,  # noqa: FBT001 - drawn
    mark: PassMark | None,
    bins: int,
) -> None:
    """If two revisions are compared, I see each student who moves, passes or fails, and both distributions."""
    after = {**before, **{n: other[n] for n in before.keys() & other.keys()}} if same else other
    found = degree_changes(before, after, pass_mark=mark, bins=bins)
    common = before.keys() & after.keys()
    moves = {n: after[n][0] - before[n][0] for n in common if after[n][0] != before[n][0]}
    assert [(each.student, each.difference) for each in found.moved] == sorted(
        moves.items(), key=lambda move: (move[1], move[0])
    )
    assert all((each.before, each.after) == (before[each.student][0], after[each.student][0]) for each in found.moved)
    assert found.unchanged == len(common) - len(moves)
    assert found.maximum_changed == sum(before[n][1] != after[n][1] for n in common)
    assert (set(found.removed), set(found.added)) == (before.keys() - after.keys(), after.keys() - before.keys())
    passing = [{n for n in common if mark is not None and _passes(mark, *side[n])} for side in (before, after)]
    assert found.passed == tuple(sorted(passing[1] - passing[0]))
    assert found.failed == tuple(sorted(passing[0] - passing[1]))
    assert found.before == _distribution(before, mark, bins)
    assert found.after == _distribution(after, mark, bins)
    assert sum(found.after.bins) + found.after.below_zero == found.after.students == len(after)
    if before and after:
        assert found.mean_change == mean(Fraction(t) for t, _ in after.values()) - mean(
            Fraction(t) for t, _ in before.values()
        )
        assert found.median_change == median(Fraction(t) for t, _ in after.values()) - median(
            Fraction(t) for t, _ in before.values()
        )
    else:
        assert (found.mean_change, found.median_change) == (None, None)
    assert mark is None or all(mark.passes(*after[n]) for n in found.passed)


@given(st.lists(st.tuples(POINTS, POINTS), max_size=12))
def test_changes_of_questions_equal_the_reference(
    pairs: list[Pair],
) -> None:
    """If a question's points change, I see for how many students, and by how much together."""
    found = {each.question: each for each in question_changes(pairs)}
    for question in range(3):
        differences = [(new[question] or 0) - (old[question] or 0) for old, new in pairs]
        if not any(differences):
            assert question not in found
            continue
        assert found[question].gained == sum(each > 0 for each in differences)
        assert found[question].lost == sum(each < 0 for each in differences)
        assert found[question].difference == sum(differences)
    assert list(found) == sorted(found)


def test_a_pass_mark_is_exact() -> None:
    """If the pass mark is a third of the maximum, 33.33 of 100 fails and 1 of 3 passes."""
    third = PassMark(share=Fraction(1, 3))
    assert not third.passes(Decimal("33.33"), Decimal(100))
    assert third.passes(Decimal(1), Decimal(3))
    assert PassMark(points=Decimal(10)).passes(Decimal("10.00"), Decimal(3))


@pytest.mark.parametrize("marks", [{}, {"share": Fraction(1, 2), "points": Decimal(1)}])
def test_a_pass_mark_is_one_of_two(marks: dict[str, Fraction | Decimal]) -> None:
    """If a pass mark is neither a share nor points, or both, it is refused."""
    with pytest.raises(ValueError, match="either a share"):
        PassMark(**marks)  # type: ignore[arg-type]


def test_degrees_are_in_whole_cents() -> None:
    """If a total has a third place, it is no degree."""
    with pytest.raises(ValueError, match=r"1\.005 is not in whole cents"):
        degree_changes({1: (Decimal("1.005"), Decimal(2))}, {})
    with pytest.raises(ValueError, match="at least 1 bin"):
        degree_changes({}, {}, bins=0)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("50%", PassMark(share=Fraction(1, 2))),
        (" 33,5 % ", PassMark(share=Fraction(67, 200))),
        ("1/3", PassMark(share=Fraction(1, 3))),
        ("12.5", PassMark(points=Decimal("12.5"))),
        ("0%", PassMark(share=Fraction(0))),
    ],
)
def test_a_pass_mark_is_read(text: str, mark: PassMark) -> None:
    """If I write 50% or 1/2, it is a share of the maximum, and 12.5 are points."""
    assert read_pass_mark(text) == mark


@pytest.mark.parametrize("text", ["", "half", "101%", "-1/2", "3/2", "1/0", "%", "9" * 41, "50%%"])
def test_what_is_no_pass_mark(text: str) -> None:
    """If it is neither a share nor points, the reason says what to write."""
    with pytest.raises(ValueError, match="is no pass mark"):
        read_pass_mark(text)


@given(st.fractions(-20, 20, max_denominator=999))
def test_a_mean_is_rounded_half_up(mean_: Fraction) -> None:
    """If a mean has many places, I see the nearest cent, and the greater one of two."""
    difference = Fraction(rounded_points(mean_)) - mean_
    assert Fraction(-1, 200) < difference <= Fraction(1, 200)
