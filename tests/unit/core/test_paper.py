"""Freezing an exam into paper and key."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue, mask_of, numbers_of
from exam_core.authored import AuthoredExam, AuthoredQuestion, TextFormat
from exam_core.canonical import canonical
from exam_core.images import ImageRef
from exam_core.paper import Key, KeyEntry, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Rendered
from exam_core.questions.numeric import Near, Numeric
from exam_harness.strategies.questions import EXAMS, permute_by

IMAGE = ImageRef(sha256="ab" * 32, type="image/png", width=3, height=4)


@given(EXAMS, st.integers(0, 1000))
def test_paper_and_key_are_read_from_their_bytes(exam: AuthoredExam, seed: int) -> None:
    """What is stored is all that grading needs: kinds, weights and keys are read back as they were frozen."""
    paper, key = freeze(exam, permute_by(seed), plain_text)
    read, read_key = Paper(paper.body), Key(key.body)
    assert (read.digest, read_key.paper, read_key.digest) == (paper.digest, paper.digest, key.digest)
    for question, frozen, entry in zip(exam.questions, read.questions, read_key.entries(read), strict=True):
        numbering = question.interaction.numbering(permute_by(seed))
        assert frozen.half == question.interaction.student_half(numbering, lambda text: Rendered(text=text))
        assert frozen.weight == question.weight
        expected = question.interaction.key_half(numbering)
        assert entry == KeyEntry(id=question.id, half=expected, items=numbering.ids)


@given(EXAMS, st.integers(0, 1000))
def test_the_paper_shows_no_name_of_the_author(exam: AuthoredExam, seed: int) -> None:
    """Students see numbers; the author's ids, which may tell the answer, are in the key alone."""
    renamed = replace(
        exam, questions=tuple(replace(question, id=f"secret-{question.id}") for question in exam.questions)
    )
    assert freeze(renamed, permute_by(seed), plain_text)[0].body == freeze(exam, permute_by(seed), plain_text)[0].body


def _choice(text: str, image: ImageRef | None = None) -> Choice:
    return Choice(id=text or "pictured", text=text, credit=Fraction(text == "b"), image=image)


PICTURED = (_choice("", replace(IMAGE, sha256="cd" * 32)), _choice("b"), _choice("c"))


def _exam(*questions: AuthoredQuestion) -> AuthoredExam:
    return AuthoredExam(slug="e", title="E", instructions="", questions=questions)


def test_a_paper_lists_its_images() -> None:
    """A solver reads from the paper which images to serve, wherever a question shows them."""
    stems = (
        Stem(id="a", text="A", target="1", image=replace(IMAGE, sha256="ef" * 32)),
        Stem(id="b", text="B", target="2"),
    )
    exam = _exam(
        AuthoredQuestion(id="m", text="?", image=IMAGE, interaction=MultipleChoice(choices=PICTURED)),
        AuthoredQuestion(id="n", text="?", interaction=Matching(stems=stems)),
        AuthoredQuestion(id="o", text="?", interaction=Numeric(accepted=(Near(value=Fraction(1)),))),
    )
    assert freeze(exam, range, plain_text)[0].images == {"ab" * 32, "cd" * 32, "ef" * 32}


@pytest.mark.parametrize("order", [[0], [0, 0, 1], [1, 2, 3], [0, 1, 2, 3]])
def test_a_numbering_that_is_no_permutation_is_rejected(order: list[int]) -> None:
    """A faulty source of randomness cannot lose a choice."""
    exam = _exam(AuthoredQuestion(id="q", text="?", interaction=SingleChoice(choices=PICTURED)))
    with pytest.raises(ValueError, match="not a permutation of 3 items"):
        freeze(exam, lambda _size: order, plain_text)


def test_texts_are_frozen_as_they_are_rendered() -> None:
    """If my text has a formula, the paper has it as HTML and as plain text, each in the format I wrote it in."""

    def render(text: str, form: TextFormat) -> Rendered:
        return Rendered(text=text.strip("*"), html=f"<p>{form}:{text}</p>" if "*" in text else None)

    choices = (_choice("*b*"), _choice("c"))
    question = AuthoredQuestion(
        id="q", text="*Which?*", format=TextFormat.HTML, interaction=SingleChoice(choices=choices)
    )
    exam = replace(_exam(question), instructions="*Read.*")
    content = freeze(exam, range, render)[0].content
    assert (content["instructions"], content["instructions_html"]) == ("Read.", "<p>markdown:*Read.*</p>")
    (shown,) = content["questions"]
    assert (shown["text"], shown["html"]) == ("Which?", "<p>html:*Which?*</p>")
    assert shown["choices"] == [{"text": "b", "html": "<p>html:*b*</p>"}, {"text": "c"}]


def test_another_format_is_rejected() -> None:
    """A release that cannot read a paper or a key raises an error that says which formats it reads."""
    body = json.dumps({"format": 3, "questions": [], "answers": []}).encode()
    with pytest.raises(ValueError, match="paper format 3 is not 1 and 2"):
        _ = Paper(body).questions
    with pytest.raises(ValueError, match="key format 3"):
        Key(body).entries(Paper(body))


@given(st.sets(st.integers(0, 25)))
def test_a_mask_contains_its_numbers(numbers: set[int]) -> None:
    """A set of choices is stored in one number and read back sorted."""
    assert numbers_of(mask_of(numbers)) == sorted(numbers)
    assert AnswerValue(choice=mask_of(numbers)).to_json() == {"choices": sorted(numbers)}


def test_a_key_is_canonical() -> None:
    """The same key has the same digest, whichever program encodes it."""
    interaction = Numeric(accepted=(Near(value=Fraction("1.50"), tolerance=Fraction("0.5")),))
    entry = KeyEntry(id="q", half=interaction.key_half(interaction.numbering(range)))
    body = Key.of(paper="p", entries=[entry]).body
    assert body == canonical(json.loads(body))
    assert body == (
        b'{"answers":[{"accepted":[{"credit":"1","high":"2","high_open":false,"low":"1","low_open":false}],"id":"q",'
        b'"kind":"numeric"}],"format":2,"paper":"p"}'
    )


@pytest.mark.parametrize(("characters", "size"), [(1, 2), (500, 3), (20_000, 42)])
def test_an_essay_counts_for_its_length(characters: int, size: int) -> None:
    """Long essays spread a sitting over more partitions, so that none grows with what students write."""
    exam = _exam(
        AuthoredQuestion(id="n", text="?", interaction=Numeric(accepted=(Near(value=Fraction(1)),))),
        AuthoredQuestion(id="e", text="?", interaction=Essay(max_characters=characters)),
    )
    assert freeze(exam, range, plain_text)[0].size == size
