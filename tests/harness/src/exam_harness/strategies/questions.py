"""Hypothesis strategies for questions of every kind without faults."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from exam_core.authored import AuthoredExam, AuthoredQuestion, Section, TextFormat
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

CREDITS = st.fractions(-1, 1, max_denominator=12)
IMAGES = st.none() | st.builds(
    ImageRef,
    sha256=st.sampled_from(["a" * 64, "b" * 64]),
    type=st.just("image/png"),
    width=st.just(1),
    height=st.just(2),
)
TEXTS = st.text(st.sampled_from("abcABC *\u00e9\u0301\u00df"), min_size=1, max_size=6).filter(
    lambda text: bool(text.strip())
)
DECIMALS = st.decimals(-1000, 1000, places=3).map(Fraction)


@st.composite
def contents(draw: st.DrawFn, least: int = 2, most: int = 6) -> list[tuple[str, ImageRef | None]]:
    """Texts and images that can be distinguished."""
    texts = draw(st.lists(TEXTS, min_size=least, max_size=most, unique_by=str.strip))
    return [(text, draw(IMAGES)) for text in texts]


@st.composite
def choices(draw: st.DrawFn) -> tuple[Choice, ...]:
    """Choices of which one earns something."""
    shown = draw(contents())
    best = draw(st.integers(0, len(shown) - 1))
    return tuple(
        Choice(id=f"c{n}", text=text, image=image, credit=Fraction(1) if n == best else draw(CREDITS))
        for n, (text, image) in enumerate(shown)
    )


@st.composite
def multiples(draw: st.DrawFn) -> MultipleChoice:
    """Multiple-choice questions."""
    rule = draw(st.none() | st.sampled_from(ChoiceRule))
    listed = draw(choices())
    if rule is None:
        listed = tuple(replace(choice, credit=Fraction(choice.credit > 0)) for choice in listed)
    if rule is not ChoiceRule.SUM_OF_CREDITS:
        return MultipleChoice(choices=listed, rule=rule)
    return MultipleChoice(
        choices=listed,
        rule=rule,
        max_choices=draw(st.none() | st.integers(1, len(listed))),
        floor=draw(st.fractions(-1, 0, max_denominator=4)),
        cap=draw(st.fractions("1/4", 1, max_denominator=4)),
    )


@st.composite
def orderings(draw: st.DrawFn) -> Ordering:
    """Ordering questions."""
    items = tuple(Item(id=f"i{n}", text=text, image=image) for n, (text, image) in enumerate(draw(contents())))
    return Ordering(items=items, rule=draw(st.sampled_from(OrderingRule)))


@st.composite
def matchings(draw: st.DrawFn) -> Matching:
    """Matching questions, with stems that share a target and targets without a stem."""
    stems = draw(contents())
    targets = draw(st.lists(TEXTS, min_size=2, max_size=5, unique_by=str.strip))
    return Matching(
        stems=tuple(
            Stem(id=f"s{n}", text=text, image=image, target=draw(st.sampled_from(targets)))
            for n, (text, image) in enumerate(stems)
        ),
        distractors=tuple(targets),
    )


ACCEPTED_NUMBERS = st.builds(
    Near,
    value=DECIMALS,
    tolerance=st.sampled_from([Fraction(0), Fraction(1, 10)]),
    by=st.sampled_from(Tolerance),
    credit=CREDITS,
) | st.builds(
    lambda ends, credit: Between(low=min(ends), high=max(ends), credit=credit), st.tuples(DECIMALS, DECIMALS), CREDITS
)
NUMERICS = st.builds(
    lambda accepted, unit: Numeric(accepted=(*accepted, Near(value=Fraction(1))), unit=unit),
    st.lists(ACCEPTED_NUMBERS, max_size=4),
    st.sampled_from(["", "m/s"]),
)
ACCEPTED_TEXTS = st.lists(st.builds(AcceptedText, text=TEXTS, credit=CREDITS), max_size=4)
SHORT_TEXTS = st.builds(
    lambda accepted, case, wildcards: ShortText(
        accepted=(*accepted, AcceptedText(text="a")), case=case, wildcards=wildcards
    ),
    ACCEPTED_TEXTS,
    st.booleans(),
    st.booleans(),
)
ESSAYS = st.builds(
    Essay,
    max_characters=st.integers(20, 50),
    min_words=st.none() | st.integers(1, 5),
    max_words=st.none() | st.integers(5, 9),
    template=st.sampled_from(["", "Dear …"]),
    notes=st.sampled_from(["", "Look for an argument."]),
)
KINDS: dict[KindName, st.SearchStrategy[Authored]] = {
    KindName.SINGLE: st.builds(SingleChoice, choices=choices()),
    KindName.TRUE_FALSE: st.builds(
        TrueFalse, answer=st.booleans(), other_credit=st.fractions(-1, "11/12", max_denominator=12)
    ),
    KindName.MULTIPLE: multiples(),
    KindName.NUMERIC: NUMERICS,
    KindName.TEXT: SHORT_TEXTS,
    KindName.MATCHING: matchings(),
    KindName.ORDERING: orderings(),
    KindName.ESSAY: ESSAYS,
}
AUTHORED = st.one_of(*KINDS.values())
QUESTIONS = st.builds(
    AuthoredQuestion,
    id=st.just("q"),
    text=TEXTS,
    weight=st.decimals(min_value=0, max_value=1000, places=2),
    image=IMAGES,
    format=st.sampled_from(TextFormat),
    interaction=AUTHORED,
)
EXAMS = st.builds(
    lambda questions, instructions: AuthoredExam(
        slug="e",
        title="E",
        instructions=instructions,
        questions=tuple(replace(question, id=f"q{number}") for number, question in enumerate(questions)),
    ),
    st.lists(QUESTIONS, min_size=1, max_size=5),
    st.sampled_from(["", "Think first."]),
)


@st.composite
def sectioned(draw: st.DrawFn) -> AuthoredExam:
    """Exams in sections, of which some are pools, whose questions have one weight each; some are not shuffled."""
    exam = draw(EXAMS)
    questions = [replace(question, shuffle=draw(st.booleans())) for question in exam.questions]
    sections: list[Section] = []
    while sum(section.size for section in sections) < len(questions):
        first = sum(section.size for section in sections)
        size = draw(st.integers(1, len(questions) - first))
        section = Section(
            id=f"s{len(sections)}",
            size=size,
            title=draw(st.sampled_from(["", "Part"])),
            instructions=draw(st.sampled_from(["", "Choose well."])),
            draw=draw(st.none() | st.integers(1, size)),
            shuffle_questions=draw(st.booleans()),
        )
        if section.is_pool:
            for number in range(first, first + size):
                questions[number] = replace(questions[number], weight=questions[first].weight)
        sections.append(section)
    return replace(exam, questions=tuple(questions), sections=tuple(sections))


SECTIONED = sectioned()


def permute_by(seed: int) -> Callable[[int], Sequence[int]]:
    """A permutation for every length, the same for the same seed."""
    return lambda n: sorted(range(n), key=lambda place: (place * 7919 + seed) * 104729 % 1009)
