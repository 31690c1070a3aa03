"""The rules that each kind of question must satisfy before it is frozen."""

from fractions import Fraction

import pytest

from exam_core import limits
from exam_core.images import ImageRef
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Between, Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.text import AcceptedText, ShortText

F = Fraction
SUM = ChoiceRule.SUM_OF_CREDITS
PICTURE = ImageRef(sha256="a" * 64, type="image/png", width=1, height=1)


def choice(name: str, credit: str = "0", text: str | None = None) -> Choice:
    """A choice."""
    return Choice(id=name, text=name if text is None else text, credit=F(credit))


RIGHT, WRONG = choice("a", "1"), choice("b")
PAIR = (RIGHT, WRONG)
STEMS = (Stem(id="a", text="a", target="1"), Stem(id="b", text="b", target="2"))
ITEMS = (Item(id="a", text="a"), Item(id="b", text="b"))
ONE = Near(value=F(1))


@pytest.mark.parametrize(
    ("question", "faults"),
    [
        (SingleChoice(choices=PAIR), []),
        (SingleChoice(choices=(RIGHT,)), [("choices", None, "needs 2 to 26 choices and has 1")]),
        (
            SingleChoice(choices=tuple(choice(f"c{n}", "1") for n in range(27))),
            [("choices", None, "needs 2 to 26 choices and has 27")],
        ),
        (SingleChoice(choices=(WRONG, choice("c", "-1"))), [("choices", None, "has no key")]),
        (SingleChoice(choices=(RIGHT, choice("b", "3/2"))), [("choices", 1, "choice b with a credit that must be")]),
        (
            SingleChoice(choices=(RIGHT, choice("b", text=" a "))),
            [("choices", 1, "choices a and b that look the same")],
        ),
        (
            SingleChoice(choices=(RIGHT, choice("b", text=" "))),
            [("choices", 1, "choice b with neither text nor")],
        ),
        (SingleChoice(choices=(RIGHT, Choice(id="b", text="a", image=PICTURE, credit=F(0)))), []),
        (MultipleChoice(choices=PAIR, max_choices=0), [("max_choices", None, "has max_choices 0")]),
        (MultipleChoice(choices=PAIR, max_choices=3), [("max_choices", None, "has max_choices 3")]),
        (
            MultipleChoice(choices=(RIGHT, choice("b", "1"), choice("c")), max_choices=1),
            [("max_choices", None, "has max_choices 1")],
        ),
        (MultipleChoice(choices=(choice("a", "1"), choice("b", "1")), max_choices=1, rule=SUM), []),
        (MultipleChoice(choices=PAIR, floor=F(1), rule=SUM), [("floor", None, "has a floor")]),
        (MultipleChoice(choices=PAIR, cap=F(0), rule=SUM), [("cap", None, "has a cap")]),
        (
            MultipleChoice(choices=(choice("a", "1"), choice("b", "1/2"))),
            [("rule", None, "and no rule: name the rule")],
        ),
        (MultipleChoice(choices=PAIR, floor=F(-1)), [("rule", None, "has a floor or a cap, which need the rule sum")]),
        (TrueFalse(answer=False), []),
        (TrueFalse(answer=False, other_credit=F(1)), [("other_credit", None, "gives the wrong answer the credit")]),
        (TrueFalse(answer=False, other_credit=F(-2)), [("other_credit", None, "that must be from -1 to 1")]),
        (Numeric(accepted=()), [("accepted", None, "has no key")]),
        (Numeric(accepted=(ONE,) * 101), [("accepted", None, "needs 1 to 100 accepted values and has 101")]),
        (Numeric(accepted=(ONE,), unit="m" * 51), [("unit", None, "has a unit of more than 50 characters")]),
        (Numeric(accepted=(ONE,), unit="m\n"), [("unit", None, "has a unit")]),
        (
            Numeric(accepted=(ONE, Near(value=F(1), tolerance=F(-1)))),
            [("accepted", 1, "accepted value 2 with a negative tolerance")],
        ),
        (Numeric(accepted=(ONE, Between(low=F(2), high=F(1)))), [("accepted", 1, "value 2, a range that contains no")]),
        (Numeric(accepted=(Near(value=F(1), credit=F(0)),)), [("accepted", None, "has no key")]),
        (
            Numeric(accepted=(ONE, Near(value=F(1), credit=F(2)))),
            [("accepted", 1, "accepted value 2 with a credit that must be from -1 to 1")],
        ),
        (ShortText(accepted=()), [("accepted", None, "has no key")]),
        (ShortText(accepted=(AcceptedText(text="x"), AcceptedText(text=" "))), [("accepted", 1, "2 which is empty")]),
        (ShortText(accepted=(AcceptedText(text="x\ny"),)), [("accepted", 0, "1 with a line end")]),
        (ShortText(accepted=(AcceptedText(text="long"),), max_length=3), [("accepted", 0, "longer than the longest")]),
        (ShortText(accepted=(AcceptedText(text="*a*bc*"),), max_length=3, wildcards=True), []),
        (
            ShortText(accepted=(AcceptedText(text="x"),), max_length=1001),
            [("max_length", None, "has a longest length that is not from 1 to 1000")],
        ),
        (ShortText(accepted=(AcceptedText(text="x", credit=F(0)),)), [("accepted", None, "has no key")]),
        (Matching(stems=STEMS), []),
        (Matching(stems=STEMS[:1], distractors=("2",)), [("stems", None, "needs 2 to 26 stems and has 1")]),
        (
            Matching(stems=(STEMS[0], Stem(id="b", text="b", target=" 1 "))),
            [("stems", None, "needs 2 to 52 different targets and has 1")],
        ),
        (
            Matching(stems=(*STEMS, Stem(id="c", text="a", target="3"))),
            [("stems", 2, "stems a and c that look the same")],
        ),
        (Matching(stems=(*STEMS, Stem(id="c", text="c", target=""))), [("stems", 2, "stem c without a target")]),
        (Matching(stems=STEMS, distractors=(" ",)), [("distractors", 0, "target 1 without a text")]),
        (Ordering(items=ITEMS), []),
        (Ordering(items=ITEMS[:1]), [("items", None, "needs 2 to 26 items and has 1")]),
        (Ordering(items=(*ITEMS, Item(id="c", text="a"))), [("items", 2, "items a and c that look the same")]),
        (Essay(), []),
        (Essay(max_characters=limits.MAX_ESSAY + 1), [("max_characters", None, "has a limit of characters")]),
        (Essay(min_words=0), [("min_words", None, "has min_words below 1")]),
        (Essay(min_words=3, max_words=2), [("min_words", None, "has min_words above max_words")]),
        (Essay(max_characters=3, template="four"), [("template", None, "has a template that is longer")]),
        (Essay(notes="x" * 10_001), [("notes", None, "has notes of more than 10000 characters")]),
        (Essay(template="a\x00"), [("template", None, "has a control character in the template")]),
    ],
)
def test_each_rule_names_the_member_and_the_item(question: Authored, faults: list[tuple[str, int | None, str]]) -> None:
    """A question that cannot be held is refused with the member, the item and the reason."""
    found = list(question.faults())
    assert [(fault.member, fault.item) for fault in found] == [(member, item) for member, item, _ in faults]
    for fault, (_, _, reason) in zip(found, faults, strict=True):
        assert reason in fault.reason


SECRET = "7411"


@pytest.mark.parametrize(
    "question",
    [
        Numeric(accepted=(Near(value=F(SECRET), credit=F(2)), Between(low=F(SECRET), high=F(1)))),
        ShortText(accepted=(AcceptedText(text=SECRET, credit=F(2)), AcceptedText(text=SECRET + "\n1")), max_length=2),
        Matching(stems=tuple(Stem(id=name, text=name, target=SECRET) for name in "ab")),
        Essay(notes=SECRET + "\x00"),
    ],
)
def test_a_fault_tells_nothing_of_the_key(question: Authored) -> None:
    """Faults are read by people who may not know the key: no accepted value, text, target or note is in them."""
    faults = list(question.faults())
    assert faults
    assert not any(SECRET in fault.reason for fault in faults)


def test_a_warning_tells_nothing_of_the_key() -> None:
    """Warnings name entries by their place."""
    numbers = Numeric(accepted=(Near(value=F(SECRET), credit=F(1, 2)), Near(value=F(SECRET))))
    texts = ShortText(accepted=(AcceptedText(text="*", credit=F(1, 2)), AcceptedText(text=SECRET)), wildcards=True)
    reasons = [warning.reason for question in (numbers, texts) for warning in question.warnings()]
    assert len(reasons) == 2
    assert not any(SECRET in reason for reason in reasons)


def test_a_target_without_a_stem_that_has_one_is_warned_of() -> None:
    """A distractor that is some stem's target is no distractor."""
    question = Matching(stems=STEMS, distractors=(" 2 ", "3"))
    assert [(warning.member, warning.item) for warning in question.warnings()] == [("distractors", 0)]
    assert question.targets == ("1", "2", "3")
