"""Questions of every kind as rows: read back as they were written, and never a traceback."""

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.images import ImageRef
from exam_core.questions.choices import Choice as CoreChoice
from exam_core.questions.choices import ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, KindName
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText
from exam_web.exams.interactions import listed, part_rows, question_row, read_question
from exam_web.exams.kinds import ALL_SETTINGS, SETTINGS
from exam_web.exams.models import Choice, Exam, Image, Question

CREDITS = st.fractions(-1, 1, max_denominator=12)
REFS = [ImageRef(sha256=digit * 64, type="image/png", width=1, height=2) for digit in "ab"]
IMAGES = st.none() | st.sampled_from(REFS)
TEXTS = st.text(st.sampled_from("abC *\u00e9\n"), min_size=1, max_size=6).filter(lambda text: bool(text.strip()))
LINES = TEXTS.map(lambda text: text.replace("\n", "_"))
DECIMALS = st.decimals(-1000, 1000, places=3).map(Fraction) | st.integers(-(10**33), 10**33).map(
    lambda digits: Fraction(digits, 10**12)
)
NEARS = st.builds(
    Near,
    value=DECIMALS,
    tolerance=st.sampled_from([Fraction(1, 10), Fraction(3)]),
    by=st.sampled_from(Tolerance),
    credit=CREDITS,
)
EXACT = st.builds(Near, value=DECIMALS, credit=CREDITS | st.just(Fraction(1)))
RANGES = st.builds(
    lambda low, high, credit: Between(low=low, high=high, high_open=high is not None, credit=credit),
    st.none() | DECIMALS,
    st.none() | DECIMALS,
    CREDITS,
).filter(lambda entry: (entry.low, entry.high) != (None, None))


def parts(kind: type, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Some parts of a question, with ids of the own."""
    built = st.builds(kind, id=st.just(""), text=TEXTS, image=IMAGES, **members)
    lists = st.lists(built, max_size=5)
    return lists.map(lambda each: tuple(replace(part, id=f"p{n}") for n, part in enumerate(each)))


KINDS: dict[KindName, st.SearchStrategy[Authored]] = {
    KindName.SINGLE: st.builds(SingleChoice, choices=parts(CoreChoice, credit=CREDITS)),
    KindName.TRUE_FALSE: st.builds(TrueFalse, answer=st.booleans(), other_credit=CREDITS),
    KindName.MULTIPLE: st.builds(
        MultipleChoice,
        choices=parts(CoreChoice, credit=CREDITS),
        max_choices=st.none() | st.integers(1, 26),
        rule=st.none() | st.sampled_from(ChoiceRule),
        floor=CREDITS,
        cap=CREDITS,
    ),
    KindName.NUMERIC: st.builds(
        Numeric, accepted=st.lists(NEARS | EXACT | RANGES, max_size=4).map(tuple), unit=LINES | st.just("")
    ),
    KindName.TEXT: st.builds(
        ShortText,
        accepted=st.lists(st.builds(AcceptedText, text=LINES, credit=CREDITS), max_size=4).map(tuple),
        case=st.booleans(),
        wildcards=st.booleans(),
        max_length=st.integers(1, 1000),
    ),
    KindName.MATCHING: st.builds(
        Matching, stems=parts(Stem, target=TEXTS), distractors=st.lists(TEXTS, max_size=3).map(tuple)
    ),
    KindName.ORDERING: st.builds(Ordering, items=parts(Item), rule=st.sampled_from(OrderingRule)),
    KindName.ESSAY: st.builds(
        Essay,
        max_characters=st.integers(1, 20_000),
        min_words=st.none() | st.integers(1, 5),
        max_words=st.none() | st.integers(5, 9),
        template=TEXTS | st.just(""),
        notes=TEXTS | st.just(""),
    ),
}


def questions(kind: KindName) -> st.SearchStrategy[AuthoredQuestion]:
    """Questions of a kind, with and without faults."""
    return st.builds(
        AuthoredQuestion,
        id=st.just("q"),
        text=TEXTS,
        interaction=KINDS[kind],
        weight=st.decimals(0, 1000, places=2),
        image=IMAGES,
        format=st.sampled_from(TextFormat),
        shuffle=st.booleans(),
    )


def as_stored(question: AuthoredQuestion) -> tuple[Question, list[Choice]]:
    """The rows of a question, with the images that their digests name."""
    images = {ref.sha256: Image(ref.sha256, ref.type, ref.width, ref.height) for ref in REFS}
    row = question_row(question, exam=Exam(slug="e"), position=0)
    rows = part_rows(question.interaction, row)
    row.image = images[row.image_id] if row.image_id else None
    for part in rows:
        part.image = images[part.image_id] if part.image_id else None
    return row, rows


def columns(row: Question, rows: Sequence[Choice]) -> list[tuple[Any, ...]]:
    """What is stored of a question."""
    of_question = (
        "ident",
        "kind",
        "text",
        "format",
        "weight",
        "shuffle",
        "image_id",
        "max_choices",
        "value",
        "tolerance",
    )
    of_part = ("ident", "position", "text", "image_id", "correct", "credit", "target")
    return [
        (*(getattr(row, name) for name in of_question), row.settings),
        *(tuple(getattr(part, name) for name in of_part) for part in rows),
    ]


@pytest.mark.parametrize("kind", KindName)
@given(data=st.data())
def test_a_question_is_read_back_from_its_rows(kind: KindName, data: st.DataObject) -> None:
    """If I import a question of any kind, it is stored as I wrote it, and stored again it has the same rows."""
    question = data.draw(questions(kind))
    row, rows = as_stored(question)
    read = read_question(row, rows).question
    assert read == question
    assert columns(*as_stored(read)) == columns(row, rows)
    assert len({part.ident for part in rows}) == len(rows)


@pytest.mark.parametrize("kind", KindName)
@given(data=st.data())
def test_the_rows_have_the_faults_of_the_question(kind: KindName, data: st.DataObject) -> None:
    """If a question has faults, its rows have the same ones, and no others."""
    question = data.draw(questions(kind))
    faults = [f"question q {fault.reason}" for fault in question.interaction.faults()]
    assert listed([read_question(*as_stored(question))]) == faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)
WRITTEN = st.sampled_from(["", " ", "1/3", "2", "1/0", "x", "1..", "*", "3±", "50±10%", "1,234", "\u0663"]) | TEXTS


@given(st.data())
def test_rows_of_any_content_are_read(data: st.DataObject) -> None:
    """If another program wrote rows that make no sense, the page shows faults and no error."""
    row = Question(
        ident="q",
        kind=data.draw(st.sampled_from(KindName)).value,
        text=data.draw(WRITTEN),
        weight=Decimal(1),
        max_choices=data.draw(st.none() | st.integers(0, 40)),
        value=data.draw(st.none() | st.decimals(-5, 5, places=1)),
        tolerance=data.draw(st.decimals(-1, 5, places=1)),
        settings=data.draw(JSON | st.dictionaries(st.sampled_from(ALL_SETTINGS), JSON | WRITTEN, max_size=4)),
    )
    rows = [
        Choice(question=row, ident=f"p{n}", text=text, credit=credit, target=target, correct=n % 2 == 0)
        for n, (text, credit, target) in enumerate(
            data.draw(st.lists(st.tuples(WRITTEN | st.just(""), st.none() | WRITTEN, st.just("") | TEXTS), max_size=4))
        )
    ]
    read = read_question(row, rows)
    assert all(fault.part is None or fault.part < len(rows) for fault in (*read.faults, *read.warnings))
    if not read.faults:
        assert read_question(*as_stored(read.question)).faults == ()


def part_of(kind: KindName, settings: dict[str, Any] | None = None, **members: Any) -> list[tuple[int | None, str]]:
    """The faults of a question whose second part has these members."""
    row = Question(ident="q", kind=kind.value, text="?", settings=settings or {})
    first = Choice(question=row, ident="a", text="1", correct=True)
    faults = read_question(row, [first, Choice(question=row, ident="b", **{"text": "2"} | members)]).faults
    return [(fault.part, fault.reason) for fault in faults]


def test_a_part_that_cannot_be_read_is_named() -> None:
    """If a credit or a number cannot be read, I read which part it is, and what to write instead."""
    form = "that is neither a fraction like 1/3 nor a decimal like 0.25"
    assert part_of(KindName.SINGLE, credit="half") == [(1, f"has b with a credit {form}")]
    assert part_of(KindName.SINGLE, credit="3/2") == [(1, "has b with a credit that must be from -1 to 1")]
    assert part_of(KindName.NUMERIC, text="two") == [(1, "has accepted value 2 that is not a number")]
    assert part_of(KindName.TEXT, credit="x", text="b") == [(1, f"has b with a credit {form}")]


def test_a_part_of_another_kind_is_named() -> None:
    """If a part has what its question's kind does not use, that is a fault and not ignored."""
    assert part_of(KindName.SINGLE, target="x") == [(1, "has b with a target, which only matching has")]
    assert part_of(KindName.ORDERING, credit="1") == [(1, "has b with a credit, which the kind ordering has not")]
    essay = part_of(KindName.ESSAY)
    assert essay == [(None, "is of the kind essay, which has no choices")]


def test_a_fault_of_the_core_names_its_part() -> None:
    """If accepted number 2 follows one in the columns, its fault is shown beside the part that has it."""
    row = Question(ident="q", kind="numeric", text="?", value=Decimal(1), settings={})
    ranges = [Choice(question=row, ident="a", text="2..3"), Choice(question=row, ident="b", text="5..4")]
    [fault] = read_question(row, ranges).faults
    assert (fault.part, fault.reason) == (1, "has accepted value 3, a range that contains no number")


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        (KindName.TRUE_FALSE, {}, "has no key: choose whether it is true or false"),
        (KindName.TRUE_FALSE, {"answer": "yes"}, "has a value of answer that is neither true nor false"),
        (KindName.ESSAY, {"max_words": "many"}, "has a value of max_words that is not a whole number"),
        (KindName.ESSAY, {"unit": "m"}, "is of the kind essay, which has no unit"),
        (KindName.ESSAY, {"colour": "m"}, "is of the kind essay, which has no member of this name in its settings"),
        (KindName.TRUE_FALSE, {"answer": True, "other_credit": "5"}, "has a credit in other_credit that must be from"),
        (KindName.ESSAY, [], "has settings that are not an object"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(kind: KindName, settings: Any, reason: str) -> None:
    """If a setting cannot be read, I read which one."""
    [fault] = read_question(Question(ident="q", kind=kind.value, text="?", settings=settings), ()).faults
    assert fault.reason.startswith(reason)


def test_a_credit_follows_from_correct_unless_it_is_given() -> None:
    """If rows of an earlier release have no credits, a correct choice earns all points and another one none."""
    row = Question(ident="q", kind="single", text="?")
    rows = [
        Choice(question=row, ident="a", text="1", correct=True),
        Choice(question=row, ident="b", text="2"),
        Choice(question=row, ident="c", text="3", correct=True, credit="-1/3"),
    ]
    interaction = read_question(row, rows).question.interaction
    assert isinstance(interaction, SingleChoice)
    assert [choice.credit for choice in interaction.choices] == [1, 0, Fraction(-1, 3)]


def test_a_number_with_tolerance_stays_in_its_columns() -> None:
    """If an earlier release reads a question with one accepted number, it finds value and tolerance."""
    numeric = Numeric(accepted=(Near(value=Fraction(22, 7).limit_denominator(1), tolerance=Fraction(1, 8)),))
    row, rows = as_stored(AuthoredQuestion(id="q", text="?", interaction=numeric))
    assert (row.value, row.tolerance, rows) == (Decimal(3), Decimal("0.125"), [])


@pytest.mark.parametrize(
    ("kind", "form"),
    list(
        zip(
            KindName,
            [SingleChoice, TrueFalse, MultipleChoice, Numeric, ShortText, Matching, Ordering, Essay],
            strict=True,
        )
    ),
)
def test_every_member_has_a_place(kind: KindName, form: Any) -> None:
    """If a kind gets another member that is no list, it has a place in the settings or a column."""
    columns_and_lists = {"choices", "max_choices", "accepted", "stems", "distractors", "items"}
    assert {field.name for field in fields(form)} - columns_and_lists == set(SETTINGS[kind])
