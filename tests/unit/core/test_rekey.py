"""A corrected key for a paper that was frozen earlier."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.authored import AuthoredExam, AuthoredQuestion, Section
from exam_core.canonical import Json, canonical
from exam_core.images import ImageRef
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, ChoicesKey, MultipleChoice, SingleChoice
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Near, Numeric
from exam_core.rekey import Change, Comparison, NotTheSamePaperError, compare, rekey
from exam_harness.strategies.questions import EXAMS, SECTIONED, permute_by


def _choices(*right: str) -> tuple[Choice, ...]:
    return tuple(Choice(id=text, text=text, credit=Fraction(text in right)) for text in "abcd")


def _single(*right: str) -> SingleChoice:
    return SingleChoice(choices=_choices(*right))


def _multiple(*right: str, most: int | None = 2) -> MultipleChoice:
    return MultipleChoice(choices=_choices(*right), max_choices=most)


def _number(value: int, tolerance: str = "0") -> Numeric:
    return Numeric(accepted=(Near(value=Fraction(value), tolerance=Fraction(tolerance)),))


SINGLE = AuthoredQuestion(id="q0", text="one", interaction=_single("a"))
MULTIPLE = AuthoredQuestion(id="q1", text="some", weight=Decimal("1.5"), interaction=_multiple("a", "b"))
NUMERIC = AuthoredQuestion(id="q2", text="how many", interaction=_number(3))
STEMS = (Stem(id="s", text="s", target="1"), Stem(id="t", text="t", target="2"))
MATCHING = AuthoredQuestion(id="q3", text="which", interaction=Matching(stems=STEMS))
EXAM = AuthoredExam(slug="e", title="E", instructions="", questions=(SINGLE, MULTIPLE, NUMERIC, MATCHING))


def _changed(number: int, interaction: Authored | None = None, **changes: object) -> AuthoredExam:
    questions = list(EXAM.questions)
    now: dict[str, Any] = changes if interaction is None else changes | {"interaction": interaction}
    questions[number] = replace(questions[number], **now)
    return replace(EXAM, questions=tuple(questions))


def _halves(paper: Paper, key: Key) -> list[object]:
    return [entry.half for entry in key.entries(paper)]


def _rearranged(interaction: Authored, order: list[int]) -> Authored:
    if isinstance(interaction, SingleChoice | MultipleChoice):
        return replace(interaction, choices=tuple(interaction.choices[n] for n in order))
    if isinstance(interaction, Matching):
        return replace(interaction, stems=interaction.stems[::-1])
    return interaction


@given(EXAMS | SECTIONED, st.integers(0, 1000))
def test_an_exam_of_any_kinds_gives_its_frozen_key(exam: AuthoredExam, seed: int) -> None:
    """Grading again with the same key gives the same key, whatever the questions are."""
    paper, key = freeze(exam, permute_by(seed), plain_text)
    assert rekey(paper, key, exam, plain_text) == key
    assert compare(paper, key, exam, plain_text) == Comparison(change=Change.NONE, detail="")


@given(st.integers(0, 1000), st.permutations(range(4)))
def test_the_order_of_choices_may_change(seed: int, later: list[int]) -> None:
    """If I move choices or stems about, the key is still the frozen one."""
    paper, key = freeze(EXAM, permute_by(seed), plain_text)
    moved = [replace(each, interaction=_rearranged(each.interaction, later)) for each in EXAM.questions]
    assert rekey(paper, key, replace(EXAM, questions=tuple(moved)), plain_text) == key


@given(st.integers(0, 1000))
def test_a_corrected_key_is_mapped_to_the_papers_numbers(seed: int) -> None:
    """When my teacher corrects the key, the choice that is now correct earns the points."""
    paper, key = freeze(EXAM, permute_by(seed), plain_text)
    swapped = Matching(stems=(replace(STEMS[0], target="2"), replace(STEMS[1], target="1")))
    now: tuple[Authored, ...] = (_single("c"), _multiple("d"), _number(4, "0.5"), swapped)
    corrected = replace(
        EXAM,
        questions=tuple(replace(q, interaction=each) for q, each in zip(EXAM.questions, now, strict=True)),
    )
    halves = _halves(paper, rekey(paper, key, corrected, plain_text))
    assert halves == _halves(*freeze(corrected, permute_by(seed), plain_text))
    assert isinstance(halves[0], ChoicesKey)
    shown = [choice.text for choice in paper.questions[0].half.contents]
    assert [shown[n] for n, credit in enumerate(halves[0].credits) if credit] == ["c"]


def test_a_corrected_text_keeps_its_credit() -> None:
    """If I mend a typing mistake in a question and a choice, grading again takes my present key."""
    paper, key = freeze(EXAM, permute_by(7), plain_text)
    mended = tuple(replace(each, text="A!") if each.id == "a" else each for each in _choices("b"))
    exam = _changed(0, SingleChoice(choices=mended), text="One?")
    assert _halves(paper, rekey(paper, key, exam, plain_text)) == _halves(
        *freeze(_changed(0, _single("b")), permute_by(7), plain_text)
    )
    comparison = compare(paper, key, exam, plain_text)
    assert comparison == Comparison(
        change=Change.PAPER, detail="the choices of question q0 changed; the text of question q0 changed"
    )


def test_texts_that_were_swapped_take_their_credits_along() -> None:
    """If I swap the texts of two choices, the text that students saw as correct stays the correct one."""
    paper, key = freeze(EXAM, range, plain_text)
    texts = {"a": "b", "b": "a"}
    swapped = tuple(replace(each, text=texts.get(each.text, each.text)) for each in _choices("b"))
    exam = _changed(0, SingleChoice(choices=swapped))
    assert _halves(paper, rekey(paper, key, exam, plain_text)) == _halves(paper, key)


IMAGE = ImageRef(sha256="ab" * 32, type="image/png", width=1, height=1)


@pytest.mark.parametrize(
    ("exam", "message"),
    [
        (replace(EXAM, questions=EXAM.questions[:2]), "2 questions now, not 4"),
        (_changed(0, _multiple("a")), "the kind of question q0 changed from single to multiple"),
        (_changed(0, SingleChoice(choices=_choices("a")[:3])), "the choices of question q0 are not those of the paper"),
        (
            _changed(0, SingleChoice(choices=(*_choices("a"), Choice(id="e", text="e", credit=Fraction(0))))),
            "the choices of question q0 are not those of the paper",
        ),
        (_changed(3, Matching(stems=STEMS, distractors=("3",))), "the stems or targets of question q3 are not those"),
        (_changed(0, _single()), "question q0 has no key: mark a choice as correct"),
        (_changed(1, _multiple("a", "b", "c", most=None)), "question q1 has max_choices 2: it must be"),
        (_changed(2, Numeric(accepted=())), "question q2 has no key"),
    ],
)
def test_other_changes_are_rejected(exam: AuthoredExam, message: str) -> None:
    """What no answer to the paper could match is rejected with its reason."""
    paper, key = freeze(EXAM, range, plain_text)
    with pytest.raises(NotTheSamePaperError, match=message):
        rekey(paper, key, exam, plain_text)


def test_other_ids_do_not_make_another_paper() -> None:
    """An author who renames questions and choices shows students the same, so the paper keeps its key."""
    paper, key = freeze(EXAM, range, plain_text)
    renamed = _changed(0, SingleChoice(choices=tuple(replace(c, id=f"new-{c.id}") for c in _choices("a"))), id="new")
    assert _halves(paper, rekey(paper, key, renamed, plain_text)) == _halves(paper, key)
    assert compare(paper, key, renamed, plain_text).change is Change.NONE


def test_questions_may_be_put_in_another_order() -> None:
    """Questions are recognised by their ids; students of the paper saw its order."""
    paper, key = freeze(EXAM, range, plain_text)
    turned = replace(EXAM, questions=EXAM.questions[::-1])
    assert rekey(paper, key, turned, plain_text) == key
    assert compare(paper, key, turned, plain_text).detail == "the order of the questions changed"


def test_title_and_instructions_may_change() -> None:
    """Changes outside the questions do not matter."""
    paper, key = freeze(EXAM, range, plain_text)
    assert rekey(paper, key, replace(EXAM, title="Other", instructions="more"), plain_text) == key


FORMAT_1 = Paper(
    canonical(
        {
            "format": 1,
            "exam": "e",
            "title": "E",
            "instructions": "",
            "questions": [
                {
                    "kind": "single",
                    "text": "one",
                    "weight": "1",
                    "max_choices": 1,
                    "choices": [{"text": t} for t in "dcba"],
                },
                {"kind": "numeric", "text": "how many", "weight": "1"},
            ],
        }
    )
)


def _key_of_format_1(right: int) -> Key:
    answers: list[Json] = [{"choices": [right]}, {"value": "3", "tolerance": "0"}]
    return Key(canonical({"format": 1, "paper": FORMAT_1.digest, "answers": answers}))


def test_a_paper_of_format_1_is_matched_by_its_content() -> None:
    """A sitting that an earlier release froze is compared with its exam, and graded again under a corrected key."""
    exam = replace(EXAM, questions=(SINGLE, NUMERIC))
    frozen = _key_of_format_1(3)
    assert compare(FORMAT_1, frozen, exam, plain_text) == Comparison(change=Change.NONE, detail="")
    corrected = replace(exam, questions=(replace(SINGLE, interaction=_single("c")), NUMERIC))
    assert compare(FORMAT_1, frozen, corrected, plain_text).detail == "the key of question q0 changed"
    now = _halves(FORMAT_1, rekey(FORMAT_1, frozen, corrected, plain_text))
    assert isinstance(now[0], ChoicesKey)
    assert [int(credit) for credit in now[0].credits] == [0, 1, 0, 0]
    other = replace(exam, questions=(replace(SINGLE, interaction=SingleChoice(choices=_choices("a")[:3])), NUMERIC))
    with pytest.raises(NotTheSamePaperError, match="the choices of question q0 are not those of the paper"):
        rekey(FORMAT_1, frozen, other, plain_text)


SAVED_BY_A_BROWSER = st.sampled_from([lambda text: text.replace("\n", "\r\n"), str.strip, lambda text: text + "\n"])


@given(SAVED_BY_A_BROWSER, st.integers(0, 1000))
def test_line_ends_and_blanks_at_the_ends_are_not_a_change(save, seed: int) -> None:
    """A text that a browser posted back with CRLF, or without its last line end, still gives the frozen key."""
    lines = replace(EXAM, instructions="Write\nclearly.\n", questions=(replace(SINGLE, text="Printed?\n\nprint(1)\n"),))
    paper, key = freeze(lines, permute_by(seed), plain_text)
    choices = tuple(replace(each, text=save(each.text)) for each in _choices("a"))
    question = replace(
        lines.questions[0], text=save(lines.questions[0].text), interaction=SingleChoice(choices=choices)
    )
    saved = replace(lines, title=save("E"), instructions=save(lines.instructions), questions=(question,))
    assert rekey(paper, key, saved, plain_text) == key
    assert compare(paper, key, saved, plain_text) == Comparison(change=Change.NONE, detail="")


def _compared(exam: AuthoredExam) -> tuple[Change, str]:
    """An exam against the paper and key of `EXAM`."""
    comparison = compare(*freeze(EXAM, range, plain_text), exam, plain_text)
    return comparison.change, comparison.detail


@pytest.mark.parametrize(
    ("exam", "detail"),
    [
        (replace(EXAM, title="F"), "the title changed"),
        (replace(EXAM, instructions="Think."), "the instructions changed"),
        (replace(EXAM, questions=EXAM.questions[:2]), "it has 2 questions now, not 4"),
        (_changed(0, _single("b"), text="two"), "the text of question q0 changed"),
        (_changed(1, weight=Decimal(2)), "the weight of question q1 changed from 1.5 to 2"),
        (_changed(2, image=IMAGE), "the image of question q2 changed"),
        (_changed(2, replace(_number(3), unit="m")), "the unit of question q2 changed"),
        (_changed(0, _number(3)), "the kind of question q0 changed from single to numeric"),
        (_changed(0, SingleChoice(choices=_choices("a")[:3])), "the choices of question q0 are not those of the paper"),
        (_changed(1, _multiple("a", "b", most=3)), "the max_choices of question q1 changed from 2 to 3"),
        (_changed(1, _multiple("a", "b", most=None)), "the max_choices of question q1 changed from 2 to 4"),
        (_changed(0, shuffle=False), "the shuffle of question q0 changed"),
        (replace(EXAM, sections=(Section(id="s", size=4),)), "the sections and their questions changed"),
    ],
)
def test_a_change_that_students_would_see_is_a_change_of_the_paper(exam: AuthoredExam, detail: str) -> None:
    """When I correct a text or points, I read which of them differ from the frozen paper."""
    assert _compared(exam) == (Change.PAPER, detail)


@pytest.mark.parametrize(
    ("exam", "detail"),
    [
        (_changed(0, _single("b")), "the key of question q0 changed"),
        (_changed(2, _number(3, "1")), "the key of question q2 changed"),
        (_changed(2, Numeric(accepted=())), "question q2 has no key: a numeric question needs a value"),
        (
            replace(
                EXAM,
                questions=(
                    replace(SINGLE, interaction=_single("b")),
                    MULTIPLE,
                    replace(NUMERIC, interaction=_number(4)),
                    MATCHING,
                ),
            ),
            "the key of questions q0, q2 changed",
        ),
    ],
)
def test_a_change_of_correct_answers_is_a_change_of_the_key(exam: AuthoredExam, detail: str) -> None:
    """When I correct only the key, I read that the paper is the same and whose key differs."""
    assert _compared(exam) == (Change.KEY, detail)


PARTS = (Section(id="first", size=1), Section(id="rest", size=3, title="Rest", draw=2))


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"size": 2}, "the sections and their questions changed"),
        ({"title": "The rest"}, "the title of section rest changed"),
        ({"instructions": "Think."}, "the instructions of section rest changed"),
        ({"draw": 1}, "the draw of section rest changed"),
        ({"draw": None}, "the draw of section rest changed"),
        ({"shuffle_questions": False}, "the shuffling of section rest changed"),
    ],
)
def test_a_change_of_a_section_is_a_change_of_the_paper(changed: dict[str, Any], detail: str) -> None:
    """If I change a section after its paper was frozen, I read what differs; another id is no difference."""
    paper, key = freeze(replace(EXAM, sections=PARTS), range, plain_text)
    other = replace(EXAM, sections=(PARTS[0], replace(PARTS[1], **changed)))
    assert compare(paper, key, other, plain_text) == Comparison(change=Change.PAPER, detail=detail)
    renamed = replace(EXAM, sections=(replace(PARTS[0], id="one"), PARTS[1]))
    assert compare(paper, key, renamed, plain_text).change is Change.NONE


def test_the_order_of_choices_that_are_not_shuffled_is_a_part_of_the_paper() -> None:
    """If choices are shown as I wrote them, moving them changes the paper; the key of the frozen one stays as it is."""
    frozen = _changed(0, shuffle=False)
    paper, key = freeze(frozen, range, plain_text)
    moved = _changed(0, _rearranged(SINGLE.interaction, [1, 0, 2, 3]), shuffle=False)
    detail = "the order of what question q0 lists changed"
    assert compare(paper, key, moved, plain_text) == Comparison(change=Change.PAPER, detail=detail)
    assert rekey(paper, key, moved, plain_text) == key
