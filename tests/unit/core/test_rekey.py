"""A corrected key for a paper that was frozen earlier."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.answer_value import mask_of
from exam_core.images import ImageRef
from exam_core.paper import AuthoredChoice, AuthoredExam, AuthoredQuestion, KeyEntry, QuestionKind, freeze
from exam_core.rekey import Change, Comparison, NotTheSamePaperError, compare, rekey


def _choices(*right: str) -> tuple[AuthoredChoice, ...]:
    return tuple(AuthoredChoice(id=text, text=text, correct=text in right) for text in "abcd")


SINGLE = AuthoredQuestion(id="q0", kind=QuestionKind.SINGLE, text="one", weight=Decimal(1), choices=_choices("a"))
MULTIPLE = AuthoredQuestion(
    id="q1", kind=QuestionKind.MULTIPLE, text="some", weight=Decimal("1.5"), choices=_choices("a", "b"), max_choices=2
)
NUMERIC = AuthoredQuestion(id="q2", kind=QuestionKind.NUMERIC, text="how many", weight=Decimal(1), value=Decimal(3))
EXAM = AuthoredExam(slug="e", title="E", instructions="", questions=(SINGLE, MULTIPLE, NUMERIC))


def _changed(number: int, **changes: object) -> AuthoredExam:
    questions = list(EXAM.questions)
    questions[number] = replace(questions[number], **changes)  # type: ignore[arg-type]
    return replace(EXAM, questions=tuple(questions))


@given(st.permutations(range(4)), st.permutations(range(4)))
def test_an_unchanged_exam_gives_the_frozen_key(order: list[int], later: list[int]) -> None:
    """Grading again with the same key gives the same key, even if choices were reordered meanwhile."""
    paper, key = freeze(EXAM, lambda size: [n for n in order if n < size])
    rearranged = [replace(q, choices=tuple(q.choices[n] for n in later) if q.choices else ()) for q in EXAM.questions]
    assert rekey(paper, replace(EXAM, questions=tuple(rearranged))) == key


@given(st.permutations(range(4)))
def test_a_corrected_key_is_mapped_to_the_papers_numbers(order: list[int]) -> None:
    """When my teacher corrects the key, the choice that is now correct earns the points."""
    paper, _ = freeze(EXAM, lambda size: [n for n in order if n < size])
    corrected = replace(
        EXAM,
        questions=(
            replace(SINGLE, choices=_choices("c")),
            replace(MULTIPLE, choices=_choices("d")),
            replace(NUMERIC, value=Decimal(4), tolerance=Decimal("0.5")),
        ),
    )
    key = rekey(paper, corrected)
    assert key.entries[0].choices == mask_of([order.index(2)])
    assert key.entries[1].choices == mask_of([order.index(3)])
    assert key.entries[2] == KeyEntry(value=Decimal(4), tolerance=Decimal("0.5"))


IMAGE = ImageRef(sha256="ab" * 32, type="image/png", width=1, height=1)
FIFTH = AuthoredChoice(id="e", text="e", correct=False)
PICTURED = AuthoredChoice(id="d", text="d", correct=False, image=IMAGE)


@pytest.mark.parametrize(
    ("exam", "message"),
    [
        (replace(EXAM, questions=EXAM.questions[:2]), "2 questions now, not 3"),
        (_changed(0, text="two"), "the text of question q0 changed"),
        (_changed(1, weight=Decimal(2)), "the weight of question q1 changed from 1.5 to 2"),
        (_changed(2, image=IMAGE), "the image of question q2 changed"),
        (_changed(0, kind=QuestionKind.MULTIPLE), "the kind of question q0 changed from single to multiple"),
        (_changed(0, text="two", weight=Decimal(2)), "the text of question q0 changed; the weight of question q0"),
        (_changed(0, choices=_choices("a")[:3]), "choices of question q0 changed"),
        (
            _changed(0, choices=(*_choices("a"), AuthoredChoice(id="e", text="e", correct=False))),
            "choices of question q0 changed",
        ),
        (
            _changed(0, choices=(*_choices("a")[:3], replace(_choices()[3], image=IMAGE))),
            "choices of question q0 changed",
        ),
        (_changed(0, choices=_choices()), "question q0 has no correct choice now"),
        (_changed(0, choices=_choices("a", "b")), "question q0 has no correct choice now, or more than the 1 "),
        (_changed(1, choices=_choices("a", "b", "c")), "question q1 has no correct choice now, or more than the 2 "),
        (_changed(2, value=None), "question q2 no longer has a key"),
    ],
)
def test_other_changes_are_rejected(exam: AuthoredExam, message: str) -> None:
    """A changed question, or a key that no answer could match, is rejected with its reason."""
    paper, _ = freeze(EXAM, range)
    with pytest.raises(NotTheSamePaperError, match=message):
        rekey(paper, exam)


def test_other_ids_do_not_make_another_paper() -> None:
    """An author who renames questions and choices shows students the same, so the paper keeps its key."""
    paper, key = freeze(EXAM, range)
    renamed = [
        replace(
            question, id=f"new-{question.id}", choices=tuple(replace(c, id=f"new-{c.id}") for c in question.choices)
        )
        for question in EXAM.questions
    ]
    assert rekey(paper, replace(EXAM, questions=tuple(renamed))) == key


def test_title_and_instructions_may_change() -> None:
    """Changes outside the questions do not matter."""
    paper, key = freeze(EXAM, range)
    assert rekey(paper, replace(EXAM, title="Other", instructions="more")) == key


SAVED_BY_A_BROWSER = st.sampled_from([lambda text: text.replace("\n", "\r\n"), str.strip, lambda text: text + "\n"])


@given(SAVED_BY_A_BROWSER, st.permutations(range(4)))
def test_line_ends_and_blanks_at_the_ends_are_not_a_change(save, order: list[int]) -> None:
    """A text that a browser posted back with CRLF, or without its last line end, still gives the frozen key."""
    lines = replace(SINGLE, text="What is printed?\n\nprint(1)\n", choices=_choices("a"))
    paper, key = freeze(replace(EXAM, questions=(lines,)), lambda size: [n for n in order if n < size])
    saved = replace(
        lines, text=save(lines.text), choices=tuple(replace(each, text=save(each.text)) for each in lines.choices)
    )
    assert rekey(paper, replace(EXAM, questions=(saved,))) == key


def test_choices_that_differ_only_in_blanks_are_matched_exactly_first() -> None:
    """Two choices, one with a blank at its end: each keeps its own number."""
    choices = (AuthoredChoice(id="1", text="x ", correct=False), AuthoredChoice(id="2", text="x", correct=True))
    exam = replace(EXAM, questions=(replace(SINGLE, choices=choices),))
    paper, key = freeze(exam, range)
    swapped = replace(EXAM, questions=(replace(SINGLE, choices=choices[::-1]),))
    assert rekey(paper, swapped) == key


def _compared(exam: AuthoredExam) -> tuple[Change, str]:
    """An exam against the paper and key of `EXAM`."""
    comparison = compare(*freeze(EXAM, range), exam)
    return comparison.change, comparison.detail


@given(SAVED_BY_A_BROWSER, st.permutations(range(4)), st.permutations(range(4)))
def test_an_exam_equals_the_paper_that_was_frozen_from_it(save, order: list[int], later: list[int]) -> None:
    """An exam that shows students the same as its paper is unchanged, whatever a browser or a reordering did to it."""
    exam = replace(EXAM, instructions="Write\nclearly.\n")
    paper, key = freeze(exam, lambda size: [n for n in order if n < size])
    saved = tuple(
        replace(q, text=save(q.text), choices=tuple(q.choices[n] for n in later) if q.choices else ())
        for q in exam.questions
    )
    again = replace(exam, title=save(exam.title), instructions=save(exam.instructions), questions=saved)
    assert compare(paper, key, again) == Comparison(change=Change.NONE, detail="")


@pytest.mark.parametrize(
    ("exam", "detail"),
    [
        (replace(EXAM, title="F"), "the title changed"),
        (replace(EXAM, instructions="Think."), "the instructions changed"),
        (replace(EXAM, questions=EXAM.questions[:2]), "it has 2 questions now, not 3"),
        (_changed(0, text="two", choices=_choices("b")), "the text of question q0 changed"),
        (_changed(1, weight=Decimal(2)), "the weight of question q1 changed from 1.5 to 2"),
        (_changed(2, image=IMAGE), "the image of question q2 changed"),
        (_changed(0, kind=QuestionKind.NUMERIC), "the kind of question q0 changed from single to numeric"),
        (_changed(0, choices=_choices("a")[:3]), "the choices of question q0 changed"),
        (_changed(1, max_choices=3), "question q1 allows 3 choices now, not 2"),
        (_changed(1, max_choices=None), "question q1 allows 4 choices now, not 2"),
    ],
)
def test_a_change_that_students_would_see_is_a_change_of_the_paper(exam: AuthoredExam, detail: str) -> None:
    """When I correct a text or points, I read which of them differ from the frozen paper."""
    assert _compared(exam) == (Change.PAPER, detail)


@pytest.mark.parametrize(
    ("exam", "detail"),
    [
        (_changed(0, choices=_choices("b")), "the key of question q0 changed"),
        (_changed(2, tolerance=Decimal(1)), "the key of question q2 changed"),
        (
            _changed(0, choices=_choices()),
            "question q0 has no correct choice now, or more than the 1 that could be chosen",
        ),
        (_changed(2, value=None), "question q2 no longer has a key"),
        (
            replace(
                EXAM, questions=(replace(SINGLE, choices=_choices("b")), MULTIPLE, replace(NUMERIC, value=Decimal(4)))
            ),
            "the key of questions q0, q2 changed",
        ),
    ],
)
def test_a_change_of_correct_answers_is_a_change_of_the_key(exam: AuthoredExam, detail: str) -> None:
    """When I correct only the key, I read that the paper is the same and whose key differs."""
    assert _compared(exam) == (Change.KEY, detail)
