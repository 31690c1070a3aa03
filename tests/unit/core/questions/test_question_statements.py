"""What question formats of the field mean, as a table of questions, answers and right values.

Each statement is a documented behaviour of Moodle, QTI or Canvas.
"""

from fractions import Fraction

import pytest

from exam_core.credits import FULL_CREDIT, CreditError, credit_of_percent
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.intervals import Interval
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, Unscored, outcome, split
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText

F = Fraction
HALF = F(1, 2)
SUM = ChoiceRule.SUM_OF_CREDITS


def multiple(percents: dict[str, str], *, rule: ChoiceRule = SUM) -> MultipleChoice:
    """A multiple-choice question as a file states it: the percentage of each choice, floor 0, cap 1."""
    choices = [Choice(id=name, text=name, credit=credit_of_percent(percent)) for name, percent in percents.items()]
    return MultipleChoice(choices=tuple(choices), rule=rule)


def single(percents: dict[str, str]) -> SingleChoice:
    """A single-choice question as a file states it."""
    return SingleChoice(choices=multiple(percents).choices)


def near(value: str, tolerance: str = "0", credit: Fraction = FULL_CREDIT, by: Tolerance = Tolerance.ABSOLUTE) -> Near:
    """An accepted value."""
    return Near(value=F(value), tolerance=F(tolerance), credit=credit, by=by)


def score(question: Authored, body: dict[str, object]) -> Fraction | Unscored:
    """What an answer earns, through parsing; choices keep the author's order."""
    assert list(question.faults()) == []
    half, key = split(question, range)
    return outcome(key, half.parse(0, body))


def chosen(question: MultipleChoice | SingleChoice, names: str) -> Fraction | Unscored:
    """What choosing these choices earns."""
    ids = [choice.id for choice in question.choices]
    return score(question, {"choices": [ids.index(name) for name in names.split()]})


def numbers(question: Numeric, expected: dict[str, Fraction]) -> None:
    """Check what each number earns."""
    assert {text: score(question, {"value": text}) for text in expected} == expected


STEPS = Numeric(accepted=(near("3", "0.5"), near("3", "1", HALF)))
"""GIFT: {#3:0.5 =%50%3:1}."""
THIRDS = multiple({"a": "33.33333", "b": "33.33333", "c": "33.33333", "d": "-100"})
HALVES = multiple({"a": "50", "b": "50", "c": "-50"})


def test_1_steps_of_credit_around_a_number() -> None:
    """GIFT `{#3:0.5 =%50%3:1}`: the inner interval earns all, the outer one half."""
    numbers(STEPS, {"2.5": F(1), "3.5": F(1), "3.6": HALF, "4": HALF, "2": HALF, "4.01": F(0), "1.99": F(0)})
    assert list(STEPS.warnings()) == []


def test_2_the_first_match_counts_and_a_better_later_one_is_warned_of() -> None:
    """GIFT `{#=%50%3:1 =3:0.5}` gives 3 one half, as the file says, with a warning."""
    question = Numeric(accepted=STEPS.accepted[::-1])
    numbers(question, {"3": HALF, "2": HALF})
    assert ["can never match" in warning.reason for warning in question.warnings()] == [True]
    overlapping = Numeric(accepted=(near("3", "1", HALF), near("4", "1")))
    assert ["more credit" in warning.reason for warning in overlapping.warnings()] == [True]
    numbers(overlapping, {"4": HALF, "4.5": F(1)})


def test_3_a_range_keeps_its_ends() -> None:
    """GIFT `{#1..5}` and `{#3.141..3.142}`: the ends are right, and nothing beyond them."""
    numbers(Numeric(accepted=(Between(low=F(1), high=F(5)),)), {"1": F(1), "5": F(1), "5.0001": F(0), "0.9999": F(0)})
    pi = Numeric(accepted=(Between(low=F("3.141"), high=F("3.142")),))
    assert pi.accepted[0].interval == near("3.1415", "0.0005").interval
    numbers(pi, {"3.141": F(1), "3.142": F(1), "3.1409999999999": F(0), "3.1420000000001": F(0)})


def test_4_a_numeric_question_without_a_key_is_a_fault() -> None:
    """GIFT `{#}` accepts nothing, and must not accept everything."""
    assert [fault.member for fault in Numeric(accepted=()).faults()] == ["accepted"]


@pytest.mark.parametrize(
    ("question", "names", "share"),
    [
        (THIRDS, "a b c", F(1)),
        (THIRDS, "a b", F(2, 3)),
        (THIRDS, "a b d", F(0)),
        (THIRDS, "d", F(0)),
        (HALVES, "a c", F(0)),
        (HALVES, "a b c", HALF),
        (HALVES, "c", F(0)),
    ],
)
def test_5_7_percentages_of_several_choices_add_up(question: MultipleChoice, names: str, share: Fraction) -> None:
    """`{~%33.33333%a … ~%-100%d}` and `{~%50%a ~%50%b ~%-50%c}`: exact thirds, and never below zero."""
    assert list(question.warnings()) == []
    assert chosen(question, names) == share


def test_6_single_choices_earn_their_credit() -> None:
    """`{=a ~%50%b ~c}`: 1, 1/2, 0; in `{=%50%a ~b}` the text of the choice is «%50%a», with the whole credit."""
    question = single({"a": "100", "b": "50", "c": "0"})
    assert [chosen(question, name) for name in "abc"] == [1, HALF, 0]
    assert chosen(single({"%50%a": "100", "b": "0"}), "%50%a") == 1


def test_8_a_text_before_the_first_sign_is_a_wrong_choice() -> None:
    """`{a ~b =c}`: three choices, of which c is right."""
    question = single({"a": "0", "b": "0", "c": "100"})
    assert [chosen(question, name) for name in "abc"] == [0, 0, 1]


def test_11_matching_with_an_open_stem() -> None:
    """`{=a->1 =b->2 =->3}`: two stems, three targets; a right and b open is one half."""
    question = Matching(
        stems=(Stem(id="a", text="a", target="1"), Stem(id="b", text="b", target="2")), distractors=("3",)
    )
    assert question.targets == ("1", "2", "3")
    assert score(question, {"pairs": {"0": 0}}) == HALF
    assert score(question, {"pairs": {"0": 0, "1": None}}) == HALF
    assert score(question, {"pairs": {"0": 0, "1": 2}}) == HALF
    assert score(question, {"pairs": {"0": 0, "1": 1}}) == 1
    assert score(question, {"pairs": {"1": 0}}) == 0
    assert score(question, {"pairs": {}}) is Unscored.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("percent", "credit"), [("33", None), ("33.333", F(1, 3)), ("66.67", None), ("14.286", F(1, 7)), ("2.5", None)]
)
def test_15_percentages_near_a_fraction_are_that_fraction(percent: str, credit: Fraction | None) -> None:
    """33.333 % is a third and 14.286 % a seventh; 33 %, 66.67 % and 2.5 % are refused."""
    if credit is None:
        with pytest.raises(CreditError):
            credit_of_percent(percent)
    else:
        assert credit_of_percent(percent) == credit


def test_17_a_wrong_answer_to_true_or_false_may_cost_points() -> None:
    """Moodle XML with true 100 and false -25: -1/4 for false, which Moodle drops."""
    question = TrueFalse(answer=True, other_credit=credit_of_percent("-25"))
    assert score(question, {"choices": [0]}) == 1
    assert score(question, {"choices": [1]}) == F(-1, 4)
    assert score(question, {"choices": []}) is Unscored.NOT_ATTEMPTED


SEVEN = {
    (7, "1", Tolerance.ABSOLUTE): ("6", "8"),
    (7, "0.1", Tolerance.RELATIVE): ("6.3", "7.7"),
    (7, "1", Tolerance.GEOMETRIC): ("3.5", "14"),
    (-7, "1", Tolerance.ABSOLUTE): ("-8", "-6"),
    (-7, "0.1", Tolerance.RELATIVE): ("-7.7", "-6.3"),
    (-7, "1", Tolerance.GEOMETRIC): ("-14", "-3.5"),
}


@pytest.mark.parametrize(("accepted", "ends"), list(SEVEN.items()))
def test_20_three_kinds_of_tolerance(accepted: tuple[int, str, Tolerance], ends: tuple[str, str]) -> None:
    """7 with a nominal, relative and geometric tolerance: both ends are right, just outside is wrong."""
    value, tolerance, by = accepted
    question = Numeric(accepted=(near(str(value), tolerance, by=by),))
    low, high = map(F, ends)
    assert question.accepted[0].interval == Interval(low=low, high=high)
    outside = {f"{float(low) - 0.001:.4f}": F(0), f"{float(high) + 0.001:.4f}": F(0)}
    numbers(question, {ends[0]: F(1), ends[1]: F(1)} | outside)


@pytest.mark.parametrize(
    ("accepted", "answer", "share"),
    [
        ("Frog", "  FROG ", F(1)),
        ("Frog", "frogs", F(0)),
        ("F*og", "Fog", F(1)),
        ("F*og", "Fat dog", F(1)),
        (r"\*", "*", F(1)),
        (r"\*", "x", F(0)),
        ("caf\u00e9", "cafe\u0301", F(1)),
        ("cafe\u0301", "caf\u00e9", F(1)),
        ("**", "", Unscored.NOT_ATTEMPTED),
        ("a b", "a  b", F(0)),
        ("Stra\u00dfe", "STRASSE", F(0)),
        ("0", "0", F(1)),
        (r"C:\dir", r"c:\DIR", F(1)),
    ],
)
def test_21_short_texts(accepted: str, answer: str, share: Fraction | Unscored) -> None:
    """Trimmed, composed and without case; `*` is any run, an escaped one a star; ß is not ss, and 0 is an answer."""
    question = ShortText(accepted=(AcceptedText(text=accepted),), wildcards=True)
    assert score(question, {"value": answer}) == share


ORDERS: list[tuple[str, list[str]]] = [
    ("3 2 4 5 6 1", ["0", "1/6", "2/5", "1/3", "1/3", "3/5", "2/3", "2/3", "2/3"]),
    ("6 2 3 4 5 1", ["0", "2/3", "3/5", "1/2", "1/2", "2/5", "2/3", "2/3", "2/3"]),
    ("6 5 4 3 2 1", ["0", "0", "0", "0", "0", "0", "0", "0", "2/5"]),
    ("1 3 2 4", ["0", "1/2", "0", "1/4", "1/4", "5/6", "3/4", "1/2", "5/6"]),
    ("1 2 3 4", ["1"] * 9),
]
RULES = (
    OrderingRule.ALL_OR_NOTHING,
    OrderingRule.PLACES,
    OrderingRule.SUCCESSORS,
    OrderingRule.SUCCESSORS_AND_END,
    OrderingRule.NEIGHBOURS,
    OrderingRule.PAIRS,
    OrderingRule.LONGEST_SUBSEQUENCE,
    OrderingRule.LONGEST_RUN,
    OrderingRule.DISTANCES,
)
"""The rules in the order of Moodle's numbers, -1 to 7."""


@pytest.mark.parametrize(("given", "shares"), ORDERS)
def test_22_23_24_orders_under_every_rule(given: str, shares: list[str]) -> None:
    """What an order earns under each of the nine rules."""
    places = [int(text) - 1 for text in given.split()]
    items = tuple(Item(id=f"i{n}", text=str(n)) for n in range(len(places)))
    earned = [score(Ordering(items=items, rule=rule), {"order": places}) for rule in RULES]
    assert earned == [F(share) for share in shares]


MAPPED = MultipleChoice(
    choices=tuple(
        Choice(id=name, text=name, credit=F(value, 2)) for name, value in {"H": 1, "O": 1, "Cl": -1, "He": -2}.items()
    ),
    rule=SUM,
)
"""A QTI map with weight 2: H 1, O 1, Cl -1, He by the default -2; bounds 0 and 2."""


@pytest.mark.parametrize(
    ("names", "share"), [("H O", F(1)), ("H", HALF), ("H Cl", F(0)), ("H He", F(0)), ("", Unscored.NOT_ATTEMPTED)]
)
def test_25_a_map_with_bounds(names: str, share: Fraction | Unscored) -> None:
    """QTI `map_response` with bounds is the clamped sum, divided by the weight; an empty response is not attempted."""
    assert chosen(MAPPED, names) == share


def test_26_a_map_counts_each_value_once() -> None:
    """AB 1.5 and CD 2.5 of a weight of 4: both are 4 points; a value that is given twice is rejected before."""
    question = MultipleChoice(
        choices=(
            Choice(id="AB", text="AB", credit=F("1.5") / 4),
            Choice(id="CD", text="CD", credit=F("2.5") / 4),
            Choice(id="x", text="x", credit=F(1, 4)),
        ),
        rule=SUM,
    )
    share = chosen(question, "AB CD")
    assert isinstance(share, Fraction)
    assert 4 * share == 4


def test_27_relative_tolerance_in_percent_and_texts_that_overlap() -> None:
    """QTI `equal` relative 10 of 50: 45 to 55. York 1 beside york 1/2 without case: the second never matches."""
    numbers(
        Numeric(accepted=(near("50", "0.1", by=Tolerance.RELATIVE),)),
        {"45": F(1), "55": F(1), "44.999": F(0), "55.001": F(0)},
    )
    texts = ShortText(accepted=(AcceptedText(text="York"), AcceptedText(text="york", credit=HALF)))
    assert ["can never match" in warning.reason for warning in texts.warnings()] == [True]
    with_case = ShortText(accepted=texts.accepted, case=True)
    assert list(with_case.warnings()) == []
    assert score(with_case, {"value": "york"}) == HALF


def test_28_canvas_ranges() -> None:
    """Canvas `or`(77, 70…84) is 77 ± 7; `vargt` 999.995 with `varlte` 1000.005 has one open end."""
    assert Between(low=F(70), high=F(84)).interval == near("77", "7").interval
    half_open = Numeric(accepted=(Between(low=F("999.995"), high=F("1000.005"), low_open=True),))
    numbers(half_open, {"999.995": F(0), "999.9950001": F(1), "1000.005": F(1), "1000.0051": F(0)})


UNTOUCHED: list[tuple[Authored, dict[str, object]]] = [
    (THIRDS, {"choices": []}),
    (STEPS, {"value": None}),
    (ShortText(accepted=(AcceptedText(text="*"),), wildcards=True), {"value": None}),
    (Ordering(items=(Item(id="a", text="a"), Item(id="b", text="b"))), {"order": []}),
    (Ordering(items=(Item(id="a", text="a"), Item(id="b", text="b"))), {"order": None}),
]


@pytest.mark.parametrize(("question", "body"), UNTOUCHED)
def test_not_attempted_is_never_wrong(question: Authored, body: dict[str, object]) -> None:
    """An untouched or withdrawn question has no share, also where a shuffled start would have earned something."""
    assert score(question, body) is Unscored.NOT_ATTEMPTED
    _, key = split(question, range)
    assert outcome(key, None) is Unscored.NOT_ATTEMPTED


def test_any_number_can_be_accepted() -> None:
    """The accepted value `*` of other systems is a range without ends."""
    numbers(Numeric(accepted=(Between(low=None, high=None),)), {"-1e100": F(1), "0": F(1), "1e100": F(1)})
