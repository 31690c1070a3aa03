"""What an answer earns equals a plain reference: each definition written down once more, by brute force."""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, permutations, product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue, mask_of
from exam_core.questions.choices import Choice, ChoiceRule, ChoicesKey, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.intervals import Interval, covered
from exam_core.questions.matching import MatchingKey
from exam_core.questions.model import KindName, split
from exam_core.questions.numeric import Between, Near, Numeric, NumericKey, Tolerance
from exam_core.questions.ordering_rules import OrderingRule, share_of
from exam_core.questions.patterns import Pattern, folded, normalised
from exam_core.questions.text import AcceptedText, ShortText

CREDITS = st.fractions(-1, 1, max_denominator=12)
POSITIVE = st.fractions("1/12", 1, max_denominator=12)


# Choices


def choices_reference(listed: list[Fraction], chosen: set[int], rule: str, floor: Fraction, cap: Fraction) -> Fraction:
    """The credits of the chosen choices, added one by one."""
    if rule == "all-or-nothing":
        right = {number for number in range(len(listed)) if listed[number] > 0}
        return Fraction(1) if chosen == right else Fraction(0)
    total = Fraction(0)
    for number in chosen:
        total += listed[number]
    if total < floor:
        return floor
    return min(total, cap)


@given(st.data(), st.lists(CREDITS, min_size=2, max_size=26), st.sampled_from(ChoiceRule))
def test_choices_earn_what_the_reference_says(data: st.DataObject, listed: list[Fraction], rule: ChoiceRule) -> None:
    """The credits of what I chose are added exactly, between floor and cap; or all is right or nothing."""
    floor, cap = data.draw(st.fractions(-1, 0, max_denominator=6)), data.draw(POSITIVE)
    chosen = data.draw(st.sets(st.integers(0, len(listed) - 1), min_size=1))
    key = ChoicesKey(kind=KindName.MULTIPLE, credits=tuple(listed), rule=rule, floor=floor, cap=cap)
    assert key.share(AnswerValue(choice=mask_of(chosen))) == choices_reference(listed, chosen, rule.value, floor, cap)


@given(st.data(), st.lists(CREDITS, min_size=2, max_size=8))
def test_a_single_choice_earns_its_own_credit(data: st.DataObject, listed: list[Fraction]) -> None:
    """The choice that I select gives its credit, also below zero, wherever freezing has put it."""
    order = data.draw(st.permutations(range(len(listed))))
    choices = tuple(Choice(id=f"c{n}", text=str(n), credit=credit) for n, credit in enumerate(listed))
    half, key = split(SingleChoice(choices=choices), lambda _: order)
    for number, authored in enumerate(order):
        assert half.contents[number].text == str(authored)
        assert key.share(AnswerValue(choice=1 << number)) == listed[authored]


@given(answer=st.booleans(), other=CREDITS)
def test_true_and_false_keep_their_places(*, answer: bool, other: Fraction) -> None:
    """Choice 0 is always true, and choice 1 false."""
    _, key = split(TrueFalse(answer=answer, other_credit=other), range)
    shares = {True: key.share(AnswerValue(choice=1)), False: key.share(AnswerValue(choice=2))}
    assert shares == {answer: 1, not answer: other}


# Numbers


INTEGERS = st.integers(-4, 4).map(Fraction)
HALVES = [Fraction(n, 2) for n in range(-14, 15)]
"""Enough places to distinguish any two of the intervals below."""


@st.composite
def ranges(draw: st.DrawFn) -> Between:
    """A range with ends that are whole numbers, open, closed or missing."""
    low, high = draw(st.none() | INTEGERS), draw(st.none() | INTEGERS)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Between(
        low=low, high=high, low_open=draw(st.booleans()), high_open=draw(st.booleans()), credit=draw(CREDITS)
    )


def in_range(entry: Between, number: Fraction) -> bool:
    """Whether a range contains a number, by comparing it with each end."""
    above = entry.low is None or number > entry.low or (number == entry.low and not entry.low_open)
    below = entry.high is None or number < entry.high or (number == entry.high and not entry.high_open)
    return above and below


def is_near(entry: Near, number: Fraction) -> bool:
    """Whether a number is within the tolerance of a value, by distances and quotients instead of ends."""
    if entry.by is Tolerance.GEOMETRIC:
        if entry.value == 0:
            return number == 0
        quotient = number / entry.value
        return quotient > 0 and max(quotient, 1 / quotient) <= 1 + entry.tolerance
    distance = abs(number - entry.value)
    return distance <= (entry.tolerance if entry.by is Tolerance.ABSOLUTE else entry.tolerance * abs(entry.value))


@given(st.lists(ranges(), min_size=1, max_size=5), st.sampled_from(HALVES))
def test_the_first_range_that_contains_a_number_counts(accepted: list[Between], number: Fraction) -> None:
    """My number earns the credit of the first entry that accepts it, at the ends of a range exactly."""
    key = NumericKey(accepted=tuple((entry.interval, entry.credit) for entry in accepted))
    expected = Fraction(0)
    for entry in accepted:
        if in_range(entry, number):
            expected = entry.credit
            break
    text = str(float(number))
    assert key.share(AnswerValue(value=text)) == expected


@given(
    st.builds(
        Near,
        value=st.decimals(-100, 100, places=3).map(Fraction),
        tolerance=st.decimals(0, 3, places=3).map(Fraction),
        by=st.sampled_from(Tolerance),
    ),
    st.data(),
)
def test_a_tolerance_is_exact(entry: Near, data: st.DataObject) -> None:
    """An answer is within the tolerance by exact arithmetic, at its ends and a hair beside them."""
    interval = entry.interval
    assert interval.low is not None
    assert interval.high is not None
    hair = Fraction(1, 10**30)
    number = data.draw(st.sampled_from([interval.low, interval.high, entry.value])) + data.draw(
        st.sampled_from([-hair, Fraction(0), hair])
    )
    assert (number in interval) is is_near(entry, number)


@given(st.lists(ranges(), min_size=1, max_size=4))
def test_coverage_and_overlap_of_ranges(entries: list[Between]) -> None:
    """A range is covered if each of its numbers is in an earlier one, and two overlap if a number is in both."""
    first, *rest = entries
    inside = [number for number in HALVES if in_range(first, number)]
    assert first.interval.empty is (not inside)
    if inside:
        assert covered(first.interval, [each.interval for each in rest]) is all(
            any(in_range(each, number) for each in rest) for number in inside
        )
    for each in rest:
        overlap = any(in_range(each, number) for number in inside)
        assert first.interval.overlaps(each.interval) is each.interval.overlaps(first.interval) is overlap


@given(st.lists(ranges(), min_size=1, max_size=4))
def test_a_numeric_warning_is_a_number_that_earns_less_than_it_could(accepted: list[Between]) -> None:
    """I am warned of an entry that can never match, or would give more than the first match, and of no other."""
    accepted = [entry for entry in accepted if not entry.interval.empty]
    if not accepted:
        return
    expected = set()
    for index, entry in enumerate(accepted):
        mine = [number for number in HALVES if in_range(entry, number)]
        earlier = accepted[:index]
        never = all(any(in_range(other, number) for other in earlier) for number in mine)
        less = any(in_range(o, number) and o.credit < entry.credit for number in mine for o in earlier)
        if never or less:
            expected.add(index)
    warnings = Numeric(accepted=tuple(accepted)).warnings()
    assert {warning.item for warning in warnings if warning.item is not None} == expected


def test_a_range_without_a_number_is_empty() -> None:
    """(1, 1] contains nothing, [1, 1] contains 1."""
    assert Interval(low=Fraction(1), high=Fraction(1), low_open=True).empty
    assert not Interval(low=Fraction(1), high=Fraction(1)).empty


# Texts


SAME_LETTER = [
    "aA",
    "bB",
    "ß\u1e9e",
    "\u03c3\u03a3\u03c2",
    "\u00e9\u00c9",
    "iI",
    "\u0130",
    "\u0131",
    "sS\u017f",
    "k\u212a",
    " ",
    "*",
    "\\",
]
"""Characters that differ in nothing but case, each group apart from the others."""
GROUP = {character: number for number, group in enumerate(SAME_LETTER) for character in group}
LETTERS = st.text(st.sampled_from(sorted(GROUP)), max_size=8)


def same_character(one: str, other: str, *, case: bool) -> bool:
    """Whether two characters are equal, or differ in nothing but case."""
    return one == other if case else GROUP[one] == GROUP[other]


def tokens_of(pattern: str) -> list[str | None]:
    """The characters of a pattern, with None for a run."""
    tokens = re.findall(r"\\\*|.", pattern)
    return [None if token == "*" else token[-1] for token in tokens]


def matches(tokens: Sequence[str | None], text: str, *, case: bool) -> bool:
    """Whether a text matches, by trying every length for every run."""
    if not tokens:
        return not text
    if tokens[0] is None:
        return any(matches(tokens[1:], text[taken:], case=case) for taken in range(len(text) + 1))
    return bool(text) and same_character(tokens[0], text[0], case=case) and matches(tokens[1:], text[1:], case=case)


@given(pattern=LETTERS, text=LETTERS, case=st.booleans(), wildcards=st.booleans())
@example(pattern="*a*b*a", text="aabba", case=True, wildcards=True)
@example(pattern="a*a", text="a", case=True, wildcards=True)
@example(pattern="\\\\*", text="\\*", case=True, wildcards=True)
def test_a_text_matches_as_the_reference_says(*, pattern: str, text: str, case: bool, wildcards: bool) -> None:
    """A run is any characters, also none; an escaped star is a star; case is compared letter for letter."""
    tokens = tokens_of(pattern) if wildcards else list(pattern)
    read = Pattern.of(pattern, case=case, wildcards=wildcards)
    assert read.matches(text if case else folded(text)) is matches(tokens, text, case=case)


def test_characters_that_differ_in_case_alone_are_equal() -> None:
    """Σ is both of its small letters, ẞ is ß, K is the sign for kelvin; i, with or without a dot, stays itself."""
    for one, other in product(GROUP, repeat=2):
        assert (folded(one) == folded(other)) is (GROUP[one] == GROUP[other]), (one, other)


@given(st.text(max_size=20).map(normalised))
def test_folding_makes_no_text_longer_and_is_final(text: str) -> None:
    """Case is compared one character for one: none is folded into two, or twice into something else."""
    assert len(folded(text)) <= len(text)
    assert folded(folded(text)) == folded(text)


SMALL = [text for size in range(7) for text in map("".join, product("ab", repeat=size))]
PATTERNS = st.text("ab*", min_size=1, max_size=4)
"""Two that overlap match a text of `SMALL`: each has at most three letters beside a run, or one has four and no run."""


@given(st.text("ab*", min_size=1, max_size=6))
@example("*ab*b")
def test_every_short_text_matches_as_the_reference_says(pattern: str) -> None:
    """All texts of up to six letters: no part of a pattern is found twice in the same letters."""
    tokens, read = tokens_of(pattern), Pattern.of(pattern, case=True, wildcards=True)
    for text in SMALL:
        assert read.matches(text) is matches(tokens, text, case=True), text


@given(PATTERNS, PATTERNS)
@example("aab*", "*aaa")
def test_patterns_that_overlap_or_hide_each_other(one: str, other: str) -> None:
    """Two patterns overlap if a text matches both; one that hides the other matches all of its texts."""
    first, second = (Pattern.of(each, case=True, wildcards=True) for each in (one, other))
    both = any(first.matches(text) and second.matches(text) for text in SMALL)
    assert first.overlaps(second) is second.overlaps(first) is both
    if first.hides(second):
        assert all(first.matches(text) for text in SMALL if second.matches(text))
    if "*" not in other:
        assert first.hides(second) is first.matches(other)


@given(st.lists(st.tuples(PATTERNS, CREDITS), min_size=1, max_size=4), st.sampled_from(SMALL[1:]))
def test_the_first_text_that_matches_counts(accepted: list[tuple[str, Fraction]], text: str) -> None:
    """My text earns the credit of the first entry that accepts it."""
    entries = tuple(AcceptedText(text=pattern, credit=credit) for pattern, credit in accepted)
    _, key = split(ShortText(accepted=entries, wildcards=True), range)
    listed = [credit for pattern, credit in accepted if matches(tokens_of(pattern), text, case=True)]
    assert key.share(AnswerValue(value=text)) == (listed[0] if listed else 0)


@given(st.lists(st.tuples(PATTERNS, CREDITS), min_size=1, max_size=3))
def test_a_warned_text_earns_less_than_it_could(accepted: list[tuple[str, Fraction]]) -> None:
    """I am warned of each entry of which a text earns less, because an earlier one matches; and of hidden ones."""
    entries = tuple(AcceptedText(text=pattern, credit=credit) for pattern, credit in accepted)
    warned = {warning.item for warning in ShortText(accepted=entries, wildcards=True).warnings()}
    for index, (pattern, credit) in enumerate(accepted):
        mine = [text for text in SMALL if matches(tokens_of(pattern), text, case=True)]
        less = any(
            matches(tokens_of(other), text, case=True) and earlier < credit
            for text in mine
            for other, earlier in accepted[:index]
        )
        if less:
            assert index in warned


def test_a_hostile_pattern_takes_no_time() -> None:
    """A pattern of many runs against a long text is decided at once; a regular expression would try for years."""
    pattern = Pattern.of("*a" * 400 + "*b", case=True, wildcards=True)
    assert not pattern.matches("a" * 1000)
    assert pattern.matches("a" * 1000 + "b")


# Matching


@given(st.data(), st.lists(st.integers(0, 5), min_size=2, max_size=8))
def test_matching_earns_the_right_stems_of_all(data: st.DataObject, targets: list[int]) -> None:
    """Each stem that I matched rightly counts; an open or wrong one counts nothing, and takes nothing away."""
    answer = data.draw(st.dictionaries(st.integers(0, len(targets) - 1), st.integers(0, 5), min_size=1))
    right = 0
    for stem, target in enumerate(targets):
        if stem in answer and answer[stem] == target:
            right += 1
    stored = AnswerValue(value=" ".join(f"{stem}:{answer[stem]}" for stem in sorted(answer)))
    assert MatchingKey(targets=tuple(targets)).share(stored) == Fraction(right, len(targets))


# Orders


def followers(order: list[int]) -> dict[int, int | None]:
    """The item after each one; None after the last."""
    return {item: (order[place + 1] if place + 1 < len(order) else None) for place, item in enumerate(order)}


def longest(order: list[int], *, gaps: bool) -> int:
    """The most items that stand in the right order, among all subsets; without gaps, none between them is left out."""
    best = 0
    for size in range(1, len(order) + 1):
        for subset in combinations(range(len(order)), size):
            ascending = [item for item in order if item in subset] == list(subset)
            if ascending and (gaps or subset[-1] - subset[0] == size - 1):
                best = size
    return best if best > 1 else 0


def order_reference(rule: OrderingRule, order: list[int]) -> Fraction:
    """The share of an order, as each rule is defined."""
    n = len(order)
    right = list(range(n))
    after, right_after = followers(order), followers(right)
    before, right_before = followers(order[::-1]), followers(right[::-1])
    followed = [item for item in right if after[item] == right_after[item]]
    preceded = [item for item in right if before[item] == right_before[item]]
    pairs = list(combinations(right, 2))
    distances = [max(0, n - 1 - abs(order.index(item) - item)) for item in right]
    return {
        OrderingRule.ALL_OR_NOTHING: Fraction(order == right),
        OrderingRule.PLACES: Fraction(len([place for place in right if order[place] == place]), n),
        OrderingRule.SUCCESSORS: Fraction(len([item for item in followed if item != n - 1]), n - 1),
        OrderingRule.SUCCESSORS_AND_END: Fraction(len(followed), n),
        OrderingRule.NEIGHBOURS: Fraction(len(followed + preceded), 2 * n),
        OrderingRule.PAIRS: Fraction(len([a for a, b in pairs if order.index(a) < order.index(b)]), len(pairs)),
        OrderingRule.LONGEST_SUBSEQUENCE: Fraction(longest(order, gaps=True), n),
        OrderingRule.LONGEST_RUN: Fraction(longest(order, gaps=False), n),
        OrderingRule.DISTANCES: Fraction(sum(distances), n * (n - 1)),
    }[rule]


@pytest.mark.parametrize("rule", OrderingRule)
def test_every_order_of_up_to_six_items_earns_what_the_reference_says(rule: OrderingRule) -> None:
    """All 872 orders of two to six items, under each rule."""
    for n in range(2, 7):
        for order in permutations(range(n)):
            assert share_of(rule, order) == order_reference(rule, list(order)), order


@given(st.permutations(range(26)), st.sampled_from(OrderingRule))
def test_a_long_order_has_a_share(order: list[int], rule: OrderingRule) -> None:
    """The share of the longest order is from 0 to 1, and 1 for the right one alone."""
    share = share_of(rule, order)
    assert 0 <= share <= 1
    assert (share == 1) is (order == list(range(26)))


def test_several_choices_have_a_best_answer() -> None:
    """I am warned when the best answer earns another share than 1, or when fewer choices than all earn everything."""
    full = tuple(Choice(id=name, text=name, credit=Fraction(1)) for name in "ab")
    sums = MultipleChoice(choices=full, rule=ChoiceRule.SUM_OF_CREDITS)
    assert [w.reason for w in sums.warnings()] == [
        "has positive credits that add up to 2: fewer than all correct choices earn 1"
    ]
    half = (Choice(id="a", text="a", credit=Fraction(1, 2)), Choice(id="b", text="b", credit=Fraction(0)))
    assert [w.reason for w in SingleChoice(choices=half).warnings()] == ["gives its best answer 1/2 of the weight"]
    assert list(MultipleChoice(choices=full).warnings()) == []
