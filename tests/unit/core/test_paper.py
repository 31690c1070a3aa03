"""Freezing an exam into paper and key."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue, mask_of, numbers_of
from exam_core.answers import parse_answer
from exam_core.images import ImageRef
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, Key, KeyEntry, Paper, QuestionKind, freeze
from exam_core.scoring import MultipleRule, Policy, score

IMAGE = ImageRef(sha256="ab" * 32, type="image/png", width=3, height=4)
WEIGHTS = st.decimals(min_value=0, max_value=1000, places=2)


@st.composite
def choice_questions(draw: st.DrawFn) -> AuthoredQuestion:
    """A question with choices and a key that fits it."""
    kind = draw(st.sampled_from((QuestionKind.SINGLE, QuestionKind.MULTIPLE)))
    size = draw(st.integers(2, 6))
    one = st.integers(0, size - 1).map(lambda place: 1 << place)
    right = numbers_of(draw(one if kind is QuestionKind.SINGLE else st.integers(1, (1 << size) - 1)))
    return AuthoredQuestion(
        id="q",
        kind=kind,
        text="which?",
        weight=draw(WEIGHTS),
        image=draw(st.none() | st.just(IMAGE)),
        choices=tuple(
            AuthoredChoice(id=f"c{place}", text=f"choice {place}", correct=place in right) for place in range(size)
        ),
    )


NUMERIC_QUESTIONS = st.builds(
    AuthoredQuestion,
    id=st.just("n"),
    kind=st.just(QuestionKind.NUMERIC),
    text=st.just("how many?"),
    weight=WEIGHTS,
    value=st.decimals(min_value=-1000, max_value=1000, places=3),
    tolerance=st.decimals(min_value=0, max_value=5, places=3),
)
EXAMS = st.builds(
    AuthoredExam,
    slug=st.just("e"),
    title=st.just("E"),
    instructions=st.just(""),
    questions=st.lists(choice_questions() | NUMERIC_QUESTIONS, min_size=1, max_size=4).map(tuple),
)


def _draw_numbering(exam: AuthoredExam, data: st.DataObject) -> list[list[int]]:
    """Draw a numbering of each question's choices."""
    return [data.draw(st.permutations(range(len(question.choices)))) for question in exam.questions]


def _frozen(exam: AuthoredExam, orders: list[list[int]]) -> tuple[Paper, Key]:
    """Freeze an exam in the given numbering."""
    remaining = iter(orders)
    return freeze(exam, lambda _size: next(remaining))


@given(EXAMS, st.sampled_from(MultipleRule), st.data())
def test_a_score_does_not_depend_on_the_numbering(exam: AuthoredExam, rule: MultipleRule, data: st.DataObject) -> None:
    """My score depends on the choices that I select, not on their numbers."""
    orders = _draw_numbering(exam, data)
    (paper, key), (mixed, mixed_key) = freeze(exam, range), _frozen(exam, orders)
    answers, mapped = [], []
    for number, question in enumerate(exam.questions):
        if question.kind is QuestionKind.NUMERIC:
            value = str(data.draw(st.decimals(min_value=-1000, max_value=1000, places=3)))
            answers.append((number, parse_answer(paper, number, {"value": value})))
            mapped.append((number, parse_answer(mixed, number, {"value": value})))
            continue
        single = question.kind is QuestionKind.SINGLE
        ticked = st.sampled_from([0, *(1 << n for n in range(len(question.choices)))])
        chosen = numbers_of(data.draw(ticked if single else st.integers(0, (1 << len(question.choices)) - 1)))
        renumbered = [orders[number].index(place) for place in chosen]
        answers.append((number, parse_answer(paper, number, {"choices": chosen})))
        mapped.append((number, parse_answer(mixed, number, {"choices": renumbered})))
    policy = Policy(multiple=rule)
    assert score(paper, key, policy, answers) == score(mixed, mixed_key, policy, mapped)


@given(EXAMS, st.data())
def test_the_paper_does_not_depend_on_the_key(exam: AuthoredExam, data: st.DataObject) -> None:
    """With another key and the same numbering, the paper has the same bytes."""
    orders = _draw_numbering(exam, data)
    paper, _ = _frozen(exam, orders)
    rekeyed = replace(
        exam,
        questions=tuple(
            replace(
                question,
                value=None if question.value is None else question.value + data.draw(st.integers(-5, 5)),
                tolerance=Decimal(data.draw(st.integers(0, 5))),
                choices=tuple(replace(c, correct=data.draw(st.booleans())) for c in question.choices),
            )
            for question in exam.questions
        ),
    )
    assert _frozen(rekeyed, orders)[0].body == paper.body


@given(EXAMS, st.data())
def test_the_key_contains_the_correct_choices(exam: AuthoredExam, data: st.DataObject) -> None:
    """The key holds the choices that the author marked, by the paper's numbers."""
    paper, key = _frozen(exam, _draw_numbering(exam, data))
    assert key.paper == paper.digest
    for question, frozen, entry in zip(exam.questions, paper.content["questions"], key.entries, strict=True):
        texts = [choice["text"] for choice in frozen.get("choices", ())]
        assert sorted(texts) == sorted(choice.text for choice in question.choices)
        assert {texts[n] for n in numbers_of(entry.choices)} == {c.text for c in question.choices if c.correct}
        assert (entry.value, entry.tolerance) == (question.value, question.tolerance)


@given(EXAMS)
def test_questions_are_read_from_a_frozen_paper(exam: AuthoredExam) -> None:
    """Kinds, weights and numbers of choices are read from the stored bytes."""
    paper, key = freeze(exam, range)
    again = Paper(paper.body)
    assert again.digest == paper.digest
    assert Key(key.body).entries == key.entries
    for question, frozen in zip(exam.questions, again.questions, strict=True):
        assert (frozen.kind, frozen.weight, frozen.choices) == (question.kind, question.weight, len(question.choices))


def test_a_paper_lists_its_images_and_limits() -> None:
    """A solver reads which images to serve and how many choices to accept."""
    choices = (
        AuthoredChoice(id="a", text="", correct=True, image=replace(IMAGE, sha256="cd" * 32)),
        _choice("b"),
        _choice("c"),
    )
    multiple = AuthoredQuestion(
        id="m", kind=QuestionKind.MULTIPLE, text="?", weight=Decimal(1), image=IMAGE, choices=choices, max_choices=2
    )
    questions = (multiple, replace(multiple, max_choices=None, image=None), replace(multiple, kind=QuestionKind.SINGLE))
    paper, _ = freeze(AuthoredExam(slug="e", title="E", instructions="", questions=questions), range)
    assert paper.images == {"ab" * 32, "cd" * 32}
    assert [question.max_choices for question in paper.questions] == [2, 3, 1]


@pytest.mark.parametrize("order", [[0], [0, 0], [1, 2], [0, 1, 2]])
def test_a_numbering_that_is_no_permutation_is_rejected(order: list[int]) -> None:
    """A faulty source of randomness cannot lose a choice."""
    question = AuthoredQuestion(
        id="q", kind=QuestionKind.SINGLE, text="?", weight=Decimal(1), choices=(_choice("a"), _choice("b"))
    )
    exam = AuthoredExam(slug="e", title="E", instructions="", questions=(question,))
    with pytest.raises(ValueError, match="not a permutation of 2 items"):
        freeze(exam, lambda _size: order)


def test_another_format_is_rejected() -> None:
    """A release that cannot read a paper or a key raises an error."""
    body = json.dumps({"format": 2, "questions": [], "answers": []}).encode()
    with pytest.raises(ValueError, match="paper format 2"):
        _ = Paper(body).questions
    with pytest.raises(ValueError, match="key format 2"):
        _ = Key(body).entries


@given(st.sets(st.integers(0, 25)))
def test_a_mask_contains_its_numbers(numbers: set[int]) -> None:
    """A set of choices is stored in one number and read back sorted."""
    assert numbers_of(mask_of(numbers)) == sorted(numbers)
    assert AnswerValue(choice=mask_of(numbers)).to_json() == {"choices": sorted(numbers)}


def test_a_key_is_canonical() -> None:
    """The same key has the same digest, whichever program encodes it."""
    entries = (KeyEntry(choices=0b110), KeyEntry(value=Decimal("1.50"), tolerance=Decimal("0.0")))
    assert Key.of(paper="p", entries=entries).body == (
        b'{"answers":[{"choices":[1,2]},{"tolerance":"0","value":"1.5"}],"format":1,"paper":"p"}'
    )


def _choice(text: str) -> AuthoredChoice:
    return AuthoredChoice(id=text, text=text, correct=False)
