"""Fixtures of the tests of papers: images that are accepted, and strategies for questions as files have them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from exam_core.authored import AuthoredQuestion, TextFormat
from exam_core.authoring.exam import AcceptedImage, AcceptImage
from exam_core.credits import FILE_CREDITS, FULL_CREDIT
from exam_core.images import ImageRef
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored, KindName
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText
from exam_papers.formats.model import FileQuestion

# In CI the parent is Hypothesis's own profile for it, which is deterministic.
settings.register_profile("no-deadline", settings(), deadline=None)
settings.load_profile("no-deadline")

PICTURES = (b"picture 1", b"picture 2")
LEGAL = sorted({sign * credit for credit in FILE_CREDITS for sign in (1, -1)})
ANY_CREDITS = st.fractions(-1, 1, max_denominator=12)
TEXTS = st.text(st.sampled_from("aBc 0{}=~#:\\%[]/>-\n<&*_$!é1.,;\"'+"), min_size=1, max_size=10).filter(
    lambda text: bool(text.strip())
)
BEST = st.sampled_from([FULL_CREDIT, Fraction(1, 2), Fraction(5, 12)])
CREDITS = ANY_CREDITS | st.sampled_from(LEGAL)
DECIMALS = st.decimals(-1000, 1000, places=3).map(Fraction)
WORDS = st.text(st.sampled_from("ab é/]$-"), min_size=1, max_size=5)


def _accept(data: bytes) -> AcceptedImage:
    if not data.startswith(b"picture"):
        raise ValueError("it is no picture")
    ref = ImageRef(sha256=hashlib.sha256(data).hexdigest(), type="image/png", width=1, height=2)
    return AcceptedImage(ref=ref, data=data)


@pytest.fixture(scope="session")
def accept_image() -> AcceptImage:
    """Accepts what begins with the word picture."""
    return _accept


@pytest.fixture(scope="session")
def pictures() -> Mapping[str, AcceptedImage]:
    """The images of the questions that the strategies make, by digest."""
    return {accepted.ref.sha256: accepted for accepted in map(_accept, PICTURES)}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What questions have: by default everything."""

    texts: st.SearchStrategy[str] = TEXTS
    credits: st.SearchStrategy[Fraction] = CREDITS
    best: st.SearchStrategy[Fraction] = BEST
    images: bool = True
    ranges: bool = True
    rules: bool = True
    kinds: tuple[KindName, ...] = tuple(KindName)
    formats: tuple[TextFormat, ...] = tuple(TextFormat)


def _image(draw: st.DrawFn, shape: Shape) -> ImageRef | None:
    return draw(st.none() | st.sampled_from([_accept(data).ref for data in PICTURES])) if shape.images else None


def _contents(draw: st.DrawFn, shape: Shape) -> list[tuple[str, ImageRef | None]]:
    texts = draw(st.lists(shape.texts, min_size=2, max_size=4, unique_by=str.strip))
    return [(text, _image(draw, shape)) for text in texts]


def _choices(draw: st.DrawFn, shape: Shape) -> tuple[Choice, ...]:
    listed = _contents(draw, shape)
    best = draw(st.integers(0, len(listed) - 1))
    prefix = draw(st.sampled_from(["", "x"])) if shape.rules else ""
    return tuple(
        Choice(id=prefix + "abcd"[n], text=text, image=image, credit=draw(shape.best if n == best else shape.credits))
        for n, (text, image) in enumerate(listed)
    )


def _multiple(draw: st.DrawFn, shape: Shape) -> MultipleChoice:
    choices = _choices(draw, shape)
    if not shape.rules:
        return MultipleChoice(choices=choices, rule=ChoiceRule.SUM_OF_CREDITS)
    if draw(st.booleans()):
        plain = all(choice.credit in {0, 1} for choice in choices)
        rules = [ChoiceRule.ALL_OR_NOTHING, None] if plain else [ChoiceRule.ALL_OR_NOTHING]
        return MultipleChoice(choices=choices, rule=draw(st.sampled_from(rules)))
    return MultipleChoice(
        choices=choices,
        rule=ChoiceRule.SUM_OF_CREDITS,
        max_choices=draw(st.none() | st.integers(1, len(choices))),
        floor=draw(st.sampled_from([Fraction(0), Fraction(-1, 3)])),
        cap=draw(st.sampled_from([FULL_CREDIT, Fraction(1, 2)])),
    )


def _numeric(draw: st.DrawFn, shape: Shape) -> Numeric:
    near = st.builds(
        Near, value=DECIMALS, tolerance=st.sampled_from([Fraction(0), Fraction(1, 10)]), credit=shape.credits
    )
    between = st.builds(
        lambda ends, credit: Between(low=min(ends), high=max(ends), credit=credit),
        st.tuples(DECIMALS, DECIMALS),
        shape.credits,
    )
    anything = st.just(Between(low=None, high=None))
    kinds = near | between | anything if shape.ranges else near | anything
    if shape.rules:
        kinds |= st.builds(Near, value=DECIMALS, tolerance=st.just(Fraction(1, 3)), by=st.sampled_from(Tolerance))
        kinds |= st.builds(Between, low=st.none(), high=DECIMALS, high_open=st.booleans())
        kinds |= st.builds(Between, low=st.just(Fraction(1)), high=st.just(Fraction(2)), low_open=st.booleans())
    accepted = draw(st.lists(kinds, max_size=3))
    unit = draw(st.sampled_from(["", "m/s"])) if shape.rules else ""
    return Numeric(accepted=(*accepted, Near(value=Fraction(1), credit=draw(shape.best))), unit=unit)


def _short_text(draw: st.DrawFn, shape: Shape) -> ShortText:
    lines = shape.texts.filter(lambda text: "\n" not in text.strip())
    accepted = draw(st.lists(st.builds(AcceptedText, text=lines, credit=shape.credits), max_size=3))
    entries = (*accepted, AcceptedText(text=draw(lines), credit=draw(shape.best)))
    runs = any("*" in entry.text.replace("\\*", "") for entry in entries)
    return ShortText(
        accepted=entries,
        case=shape.rules and draw(st.booleans()),
        wildcards=runs and draw(st.booleans()),
        max_length=draw(st.sampled_from([255, 300])) if shape.rules else 255,
    )


def _matching(draw: st.DrawFn, shape: Shape) -> Matching:
    targets = draw(st.lists(shape.texts, min_size=2, max_size=4, unique_by=str.strip))
    stems = [
        Stem(id=f"s{n}", text=text, image=image, target=draw(st.sampled_from(targets)))
        for n, (text, image) in enumerate(_contents(draw, shape), 1)
    ]
    return Matching(stems=tuple(stems), distractors=tuple(targets))


def _ordering(draw: st.DrawFn, shape: Shape) -> Ordering:
    items = tuple(Item(id=f"i{n}", text=text, image=image) for n, (text, image) in enumerate(_contents(draw, shape), 1))
    return Ordering(items=items, rule=draw(st.sampled_from(OrderingRule)))


def _essay(draw: st.DrawFn, shape: Shape) -> Essay:
    if not shape.rules:
        return Essay()
    return Essay(
        max_characters=draw(st.sampled_from([20_000, 500])),
        min_words=draw(st.none() | st.integers(1, 5)),
        max_words=draw(st.none() | st.integers(5, 9)),
        template=draw(st.sampled_from(["", "Dear …\n<b>"])),
        notes=draw(st.sampled_from(["", "Look for an *argument*.\n"])),
    )


def _true_false(draw: st.DrawFn, shape: Shape) -> TrueFalse:
    other = draw(st.sampled_from([Fraction(0), Fraction(-1, 4)])) if shape.rules else Fraction(0)
    return TrueFalse(answer=draw(st.booleans()), other_credit=other)


BUILDERS: dict[KindName, Callable[[st.DrawFn, Shape], Authored]] = {
    KindName.SINGLE: lambda draw, shape: SingleChoice(choices=_choices(draw, shape)),
    KindName.TRUE_FALSE: _true_false,
    KindName.MULTIPLE: _multiple,
    KindName.NUMERIC: _numeric,
    KindName.TEXT: _short_text,
    KindName.MATCHING: _matching,
    KindName.ORDERING: _ordering,
    KindName.ESSAY: _essay,
}


def _one_line(text: str) -> str:
    return " ".join(text.split())


@st.composite
def _file_question(draw: st.DrawFn, shape: Shape, ident: str) -> FileQuestion:
    kind = draw(st.sampled_from(shape.kinds))
    build = BUILDERS[kind]
    interaction = draw(st.composite(lambda d: build(d, shape))().filter(lambda each: not list(each.faults())))
    question = AuthoredQuestion(
        id=ident,
        text=draw(shape.texts),
        interaction=interaction,
        weight=draw(st.sampled_from([Decimal(1), Decimal("2.5")])) if shape.rules else Decimal(1),
        image=_image(draw, shape),
        format=draw(st.sampled_from(shape.formats)),
    )
    return FileQuestion(
        question=question,
        title=draw((shape.texts if shape.rules else shape.texts.map(_one_line)) | st.just("")),
        category=tuple(draw(st.lists(WORDS, max_size=2))) if shape.rules else (),
        tags=tuple(draw(st.lists(WORDS, max_size=2))) if shape.rules else (),
    )


def _questions(**what: object) -> st.SearchStrategy[list[FileQuestion]]:
    shape = Shape(**what)  # type: ignore[arg-type]
    one, two = _file_question(shape, "first"), _file_question(shape, "q2")
    return st.lists(one, min_size=1, max_size=1) | st.tuples(one, two).map(list)


@pytest.fixture(scope="session")
def questions() -> Callable[..., st.SearchStrategy[list[FileQuestion]]]:
    """Makes the strategy for the questions of a file; the arguments are those of `Shape`."""
    return _questions
