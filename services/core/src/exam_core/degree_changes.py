"""The difference between the degrees of two revisions of a sitting: who moves, passes and fails, and how many.

Totals are compared in whole cents, and shares of the maximum by multiplication, so that nothing is rounded and
100,000 students take a second.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter
from typing import Final

from exam_core.credits import parse_credit
from exam_core.messages import shown
from exam_core.numbers import parse_decimal

Degrees = Mapping[int, tuple[Decimal, Decimal]]
"""The total and the maximum of each student."""
Points = Sequence[Decimal | None]
"""The points of each question, None for one without."""

DEFAULT_BINS: Final = 10
_PLACES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PassMark:
    """What a student needs to pass: a share of the maximum, or points; a total that equals it passes."""

    share: Fraction | None = None
    points: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.share is None) == (self.points is None):
            raise ValueError("a pass mark is either a share of the maximum or points")

    def passes(self, total: Decimal, maximum: Decimal) -> bool:
        """Return whether a total passes."""
        return self.passes_cents(_cents(total), _cents(maximum))

    def passes_cents(self, total: int, maximum: int) -> bool:
        """Return whether a total passes, both in cents."""
        if self.share is None:
            points = Fraction(self.points or 0) * 10**_PLACES
            return total * points.denominator >= points.numerator
        return total * self.share.denominator >= self.share.numerator * maximum


def read_pass_mark(text: str) -> PassMark:
    """Read a pass mark: `50%` or `1/2` is a share of the maximum, `12.5` are points.

    Raises:
        ValueError: it is neither, or no degree could be compared with it.
    """
    plain = text.strip()
    try:
        if plain.endswith("%"):
            share = Fraction(parse_decimal(plain[:-1])) / 100
        elif "/" in plain:
            share = parse_credit(plain)
        else:
            return PassMark(points=parse_decimal(plain))
    except ValueError as error:
        reason = "write a share like 50% or 1/2, or points like 12.5"
        raise ValueError(f"{shown(text)} is no pass mark: {reason}") from error
    if not 0 <= share <= 1:
        raise ValueError(f"{shown(text)} is no pass mark: a share is from 0% to 100%")
    return PassMark(share=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A student whose total is another one."""

    student: int
    before: Decimal
    after: Decimal
    difference: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The degrees of one revision.

    Of n bins, bin k counts totals from k/n of the maximum to less than (k + 1)/n, the last one also the maximum itself.
    Totals below 0 are counted apart. Where the maximum is 0, a total of 0 is in bin 0.
    """

    students: int
    below_zero: int
    bins: tuple[int, ...]
    mean: Fraction | None
    """Of the totals, exactly; None without students."""
    median: Fraction | None
    """Of the totals; the mean of the two in the middle if their number is even."""
    passed: int | None
    """How many pass; None without a pass mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DegreeChanges:
    """What a later revision changes; students are in ascending order."""

    moved: tuple[Move, ...]
    """The greatest loss first, then by student."""
    unchanged: int
    """Students with the same total in both."""
    passed: tuple[int, ...]
    """Students who pass after and did not before."""
    failed: tuple[int, ...]
    """Students who passed before and do not after."""
    maximum_changed: int
    """Students whose maximum is another one."""
    removed: tuple[int, ...]
    """Students who have a degree before alone; revisions of one seal have none of them."""
    added: tuple[int, ...]
    before: Distribution
    after: Distribution

    @property
    def mean_change(self) -> Fraction | None:
        """The mean after less the mean before; None if either revision has no students."""
        return _less(self.after.mean, self.before.mean)

    @property
    def median_change(self) -> Fraction | None:
        """The median after less the median before."""
        return _less(self.after.median, self.before.median)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionChange:
    """What a later revision changes of a question's points, over all students; None counts as 0."""

    question: int
    gained: int
    """Students who have more points."""
    lost: int
    difference: Decimal
    """All points after less all before."""


def degree_changes(
    before: Degrees, after: Degrees, *, pass_mark: PassMark | None = None, bins: int = DEFAULT_BINS
) -> DegreeChanges:
    """Compare the degrees of two revisions.

    Raises:
        ValueError: a total or a maximum is not in whole cents, or there is no bin.
    """
    if bins < 1:
        raise ValueError(f"a distribution has at least 1 bin, not {bins}")
    old, new = _in_cents(before), _in_cents(after)
    moved: list[Move] = []
    passed: list[int] = []
    failed: list[int] = []
    maximum_changed = 0
    common = sorted(old.keys() & new.keys())
    for student in common:
        (total, maximum), (now, most) = old[student], new[student]
        maximum_changed += most != maximum
        if now != total:
            difference = Decimal(now - total).scaleb(-_PLACES)
            moved.append(
                Move(student=student, before=before[student][0], after=after[student][0], difference=difference)
            )
        if pass_mark is not None and (now, most) != (total, maximum):
            did, does = pass_mark.passes_cents(total, maximum), pass_mark.passes_cents(now, most)
            if does != did:
                (passed if does else failed).append(student)
    moved.sort(key=attrgetter("difference"))
    return DegreeChanges(
        moved=tuple(moved),
        unchanged=len(common) - len(moved),
        passed=tuple(passed),
        failed=tuple(failed),
        maximum_changed=maximum_changed,
        removed=tuple(sorted(old.keys() - new.keys())),
        added=tuple(sorted(new.keys() - old.keys())),
        before=_distribution(old.values(), pass_mark, bins),
        after=_distribution(new.values(), pass_mark, bins),
    )


def question_changes(pairs: Iterable[tuple[Points, Points]]) -> tuple[QuestionChange, ...]:
    """Compare the points of each student before and after; returns the questions whose points changed, in order.

    Raises:
        ValueError: a student's points are not of the same number of questions before and after.
    """
    gained: dict[int, int] = {}
    lost: dict[int, int] = {}
    sums: dict[int, Decimal] = {}
    for before, after in pairs:
        if before == after:
            continue
        for question, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new and (difference := (new or Decimal(0)) - (old or Decimal(0))):
                side = gained if difference > 0 else lost
                side[question] = side.get(question, 0) + 1
                sums[question] = sums.get(question, Decimal(0)) + difference
    return tuple(
        QuestionChange(question=n, gained=gained.get(n, 0), lost=lost.get(n, 0), difference=sums[n])
        for n in sorted(sums)
    )


def rounded_points(points: Fraction) -> Decimal:
    """Return a mean or median as it is shown: rounded half up to the cent."""
    cents = points * 10**_PLACES
    return Decimal(math.floor(cents + Fraction(1, 2))).scaleb(-_PLACES)


def _distribution(degrees: Iterable[tuple[int, int]], pass_mark: PassMark | None, bins: int) -> Distribution:
    counts = [0] * bins
    totals: list[int] = []
    below_zero = passed = 0
    for total, maximum in degrees:
        totals.append(total)
        if total < 0:
            below_zero += 1
        else:
            counts[min(bins - 1, total * bins // maximum) if maximum else 0] += 1
        if pass_mark is not None:
            passed += pass_mark.passes_cents(total, maximum)
    totals.sort()
    size, middle = len(totals), len(totals) // 2
    scale = 10**_PLACES
    return Distribution(
        students=size,
        below_zero=below_zero,
        bins=tuple(counts),
        mean=Fraction(sum(totals), size * scale) if totals else None,
        median=Fraction(totals[middle] + totals[-1 - middle], 2 * scale) if totals else None,
        passed=None if pass_mark is None else passed,
    )


def _in_cents(degrees: Degrees) -> dict[int, tuple[int, int]]:
    maxima: dict[Decimal, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for student, (total, maximum) in degrees.items():
        if maximum not in maxima:
            maxima[maximum] = _cents(maximum)
        found[student] = (_cents(total), maxima[maximum])
    return found


def _cents(points: Decimal) -> int:
    scaled = points.scaleb(_PLACES)
    cents = int(scaled)
    if cents != scaled:
        raise ValueError(f"{points} is not in whole cents")
    return cents


def _less(after: Fraction | None, before: Fraction | None) -> Fraction | None:
    return None if after is None or before is None else after - before
