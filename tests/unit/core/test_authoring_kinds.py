"""Documents with every kind of question."""

from fractions import Fraction

import pytest

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.authoring.exam import AcceptedImage, ExamDocument, read_exam
from exam_core.problems import Problem
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText


def no_image(data: bytes) -> AcceptedImage:
    """Accept no image."""
    raise ValueError(f"{len(data)} bytes")


def read(question: str, head: str = "") -> ExamDocument:
    """Read a document of one question, its members given line by line."""
    members = question.strip("\n").replace("\n", "\n    ")
    document = f"exam: e\ntitle: E\nlevel: one\n{head}questions:\n  - id: q\n    text: Why?\n    {members}\n"
    return read_exam(document, no_image)


def asked(question: str, head: str = "") -> AuthoredQuestion:
    """The question of such a document."""
    (only,) = read(question, head).exam.questions
    return only


@pytest.mark.parametrize(
    ("question", "interaction"),
    [
        (
            "kind: single\nchoices:\n- {id: a, text: A, credit: 1}\n- {id: b, text: B, credit: -1/3}",
            SingleChoice(
                choices=(Choice(id="a", text="A", credit=Fraction(1)), Choice(id="b", text="B", credit=Fraction(-1, 3)))
            ),
        ),
        ("kind: true-false\nanswer: false\nother_credit: -0.25", TrueFalse(answer=False, other_credit=Fraction(-1, 4))),
        (
            "kind: multiple\nfloor: -1/2\nchoices:\n- {id: a, text: A, credit: 0.5}\n- {id: b, text: B, credit: 1/2}",
            MultipleChoice(
                choices=(
                    Choice(id="a", text="A", credit=Fraction(1, 2)),
                    Choice(id="b", text="B", credit=Fraction(1, 2)),
                ),
                rule=ChoiceRule.SUM_OF_CREDITS,
                floor=Fraction(-1, 2),
            ),
        ),
        (
            "kind: numeric\nunit: m/s\naccepted: [3, 3.5±0.5, 50±10%, {answer: '1..5', credit: 1/2}]",
            Numeric(
                accepted=(
                    Near(value=Fraction(3)),
                    Near(value=Fraction(7, 2), tolerance=Fraction(1, 2)),
                    Near(value=Fraction(50), tolerance=Fraction(1, 10), by=Tolerance.RELATIVE),
                    Between(low=Fraction(1), high=Fraction(5), credit=Fraction(1, 2)),
                ),
                unit="m/s",
            ),
        ),
        (
            "kind: text\ncase: true\nwildcards: true\nmax_length: 20\naccepted: [Par*, {answer: London, credit: 1/4}]",
            ShortText(
                accepted=(AcceptedText(text="Par*"), AcceptedText(text="London", credit=Fraction(1, 4))),
                case=True,
                wildcards=True,
                max_length=20,
            ),
        ),
        (
            (
                "kind: matching\ndistractors: ['3']\n"
                "stems:\n- {id: a, text: A, target: '1'}\n- {id: b, text: B, target: '2'}"
            ),
            Matching(
                stems=(Stem(id="a", text="A", target="1"), Stem(id="b", text="B", target="2")), distractors=("3",)
            ),
        ),
        (
            "kind: ordering\nrule: places\nitems:\n- {id: a, text: A}\n- {id: b, text: B}",
            Ordering(items=(Item(id="a", text="A"), Item(id="b", text="B")), rule=OrderingRule.PLACES),
        ),
        (
            "kind: essay\nmax_characters: 500\nmin_words: 10\nmax_words: 90\ntemplate: Dear\nnotes: Look for it.",
            Essay(max_characters=500, min_words=10, max_words=90, template="Dear", notes="Look for it."),
        ),
        ("kind: essay", Essay()),
    ],
)
def test_every_kind_is_read(question: str, interaction: Authored) -> None:
    """Each kind has its own members, and what I leave out has its default."""
    assert asked(question).interaction == interaction


@pytest.mark.parametrize(
    ("question", "line", "reason"),
    [
        ("kind: true-false", 5, "'answer' is missing: true or false"),
        ("kind: true-false\nanswer: maybe", 8, "answer must be true or false"),
        ("kind: true-false\nanswer: true\nother_credit: 1", 9, "gives the wrong answer the credit of the correct one"),
        ("kind: numeric\naccepted: [x]", 8, "an accepted number is not a number"),
        ("kind: numeric\naccepted: ['5..1']", 8, "has accepted value 1, a range that contains no number"),
        ("kind: numeric\naccepted: ['(1..5']", 8, "a bracket at one end alone"),
        ("kind: numeric\naccepted: ['1,234']", 8, "can be read in two ways"),
        ("kind: numeric\naccepted: [1]\nanswer: {value: 2}", 9, "either answer or accepted, not both"),
        ("kind: text\naccepted: [{answer: a, credit: 2}]", 8, "credit must be from -1 to 1"),
        ("kind: text\naccepted: [{text: a}]", 8, "'answer' is missing"),
        (
            "kind: text\nmax_length: 2\naccepted: [abc]",
            9,
            "has accepted text 1 which is longer than the longest answer",
        ),
        ("kind: matching\nstems: [{id: a, text: A}]", 8, "'target' is missing"),
        ("kind: matching\nstems: [{id: a, text: A, target: '1'}]", 8, "needs 2 to 26 stems and has 1"),
        ("kind: ordering\nrule: best\nitems: [{id: a, text: A}]", 8, "rule is not one of all-or-nothing, places"),
        ("kind: ordering\nitems: [{id: a, text: A}, {id: a, text: B}]", 8, "duplicate item id: the first is on line 8"),
        ("kind: essay\nmin_words: 5\nmax_words: 3", 8, "has min_words above max_words"),
        ("kind: essay\nmax_characters: many", 8, "max_characters must be a whole number"),
        ("kind: essay\naccepted: [a]", 8, "a question of kind essay has no 'accepted'"),
    ],
)
def test_a_fault_of_a_kind_has_its_line(question: str, line: int, reason: str) -> None:
    """A mistake in any kind of question is named with its line."""
    with pytest.raises(Problem) as refused:
        read(question)
    faults = refused.value.extra["faults"]
    assert isinstance(faults, list)
    assert any(fault["line"] == line and reason in fault["reason"] for fault in faults), faults


def test_texts_are_markdown_unless_i_say_so() -> None:
    """The document and each question name the format of their texts; the question's own name wins."""
    essay = "kind: essay"
    assert read(essay).exam.format is asked(essay).format is TextFormat.MARKDOWN
    assert read(essay, "format: plain\n").exam.format is asked(essay, "format: plain\n").format is TextFormat.PLAIN
    assert asked("kind: essay\nformat: html", "format: plain\n").format is TextFormat.HTML
