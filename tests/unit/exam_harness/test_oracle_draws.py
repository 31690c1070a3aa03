"""The oracle on papers with pools, with negative controls: each fault is made on purpose and must be found."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from exam_core.fold import SealedAttempt, SealedBucket, root_digest
from exam_harness.oracle.checker import draw_fault
from exam_harness.oracle.document import read_document
from exam_harness.oracle.history import History
from exam_harness.oracle.paper import PaperMismatchError, drawn_of, match_paper, merge_papers
from exam_harness.oracle.scoring import score
from exam_harness.oracle.seal import RawBucket, Seal, parse_seal

Platform = Any
"""`conftest.FakePlatform`; test modules cannot import it by name."""


def resealed(pools: Platform, **changes: Any) -> Seal:
    """The seal, with a change of the first student's attempt."""
    first, *others = pools.bucket.students
    students: tuple[SealedAttempt, ...] = (replace(first, **changes), *others)
    sitting = UUID(pools.sitting.id)
    bucket = SealedBucket.of(sitting=sitting, bucket=0, students=students)
    raw = RawBucket(0, bucket.digest, bucket.data)
    return parse_seal(pools.sitting.id, [raw], buckets=1, root=root_digest(sitting, [bucket.digest]))


def test_a_correct_platform_with_pools_has_no_mismatches(pools: Platform) -> None:
    """If everyone gets as many questions as are drawn, and degrees count those alone, nothing is reported."""
    assert pools.check() == []
    assert {degree.maximum for degree in pools.degrees()} == {"5"} == {str(pools.sitting.document.maximum)}
    assert [degree.total for degree in pools.degrees()] == ["4.00"] + ["5.00"] * 4
    assert len({pools.history.drawn[pools.sitting.id, student] for student in range(1, 6)}) > 1


def test_a_seal_that_states_another_draw_is_reported(pools: Platform) -> None:
    """If the seal states other questions than I was shown, or none, it is reported."""
    assert pools.kinds(resealed(pools, drawn=(0, 1, 2, 3))) == {"draw"}
    assert "draw" in pools.kinds(resealed(pools, drawn=None))


def test_a_degree_of_other_questions_is_reported(pools: Platform) -> None:
    """If a degree counts questions that I did not get, it is reported."""
    degrees = pools.degrees()
    degrees[0] = replace(degrees[0], maximum="9")
    assert pools.kinds(degrees=degrees) == {"degree"}


def test_a_seal_of_draws_in_the_format_without_them_is_reported(pools: Platform) -> None:
    """If a seal with draws has the format that earlier releases read, they would grade it wrongly: it is reported."""
    body = json.loads(pools.bucket.data) | {"format": 1}
    seal = parse_seal(pools.sitting.id, [RawBucket(0, "", json.dumps(body).encode())], buckets=1, root="")
    assert any("has format 1, not 2" in error for error in seal.integrity_errors)


@pytest.mark.parametrize(
    ("drawn", "fault"),
    [
        ((0, 1, 2), ""),
        ((0, 1), "of questions range(1, 5) 2 are drawn"),
        ((0, 1, 2, 3), "of questions range(1, 5) 2 are drawn"),
        ((1, 2, 3), "of questions range(0, 1) 1 are drawn"),
        ((0, 1, 1), "of questions range(1, 5) 2 are drawn"),
        ((0, 1, 2, 9), "3 questions are drawn, not 4"),
    ],
)
def test_too_many_or_too_few_questions_are_reported(pools: Platform, drawn: tuple[int, ...], fault: str) -> None:
    """If I get more or fewer questions of a section than it draws, it is reported."""
    document = pools.sitting.document
    assert draw_fault(document, drawn, drawn).startswith(fault)
    assert bool(draw_fault(document, drawn, drawn)) is bool(fault)


def test_a_question_that_is_left_out_without_a_pool_is_reported(platform: Platform) -> None:
    """If nothing is drawn, everyone gets every question, and the seal states no draw."""
    document = platform.sitting.document
    assert draw_fault(document, None, (0, 1, 2)) == ""
    assert draw_fault(document, None, (0, 1)) == "3 questions are drawn, not 2"
    assert draw_fault(document, (0, 1, 2), (0, 1, 2)).startswith("questions (0, 1, 2) are sealed as drawn")


def test_all_that_students_were_shown_makes_one_paper(pools: Platform) -> None:
    """If students see different questions, together they are questions of one paper, or it is reported."""
    history = pools.history
    assert drawn_of(history.papers[pools.sitting.id]) == (0, 1, 2, 3, 4)
    other = pools.shown(9)
    other["questions"][0]["text"] = "Another?"
    history.record_paper(pools.sitting.id, 9, other)
    assert history.violations == [f"sitting {pools.sitting.id} shows different papers to different students"]
    with pytest.raises(PaperMismatchError):
        merge_papers(pools.shown(1), pools.shown(2) | {"title": "Another"})


def test_other_questions_on_a_resume_are_reported() -> None:
    """If I resume and get other questions than before, it is reported."""
    history = History()
    for questions in ([{"text": "a"}, None], [None, {"text": "b"}]):
        history.record_paper("s", 1, {"questions": questions})
    assert history.violations == ["student 1 was shown questions (0,), then (1,)"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": "Another"}, "section 0 is shown as"),
        ({"instructions": "Another"}, "section 0 is shown as"),
        ({"questions": [0, 1]}, "section 0 is shown as"),
        ({"draw": 0}, "section 0 is shown as"),
        ({"shuffle": True}, "section 0 is shown as"),
        ({"id": "all"}, "section 0 shows"),
    ],
)
def test_a_section_that_is_not_the_authors_is_reported(pools: Platform, change: dict[str, Any], reason: str) -> None:
    """If a section is shown otherwise than its author wrote it, it is reported."""
    paper = json.loads(pools.paper.body)
    paper["sections"][0] |= change
    with pytest.raises(PaperMismatchError, match=reason):
        match_paper(pools.sitting.document, paper)


def test_a_missing_section_is_reported(pools: Platform) -> None:
    """If a section is not shown, it is reported."""
    paper = json.loads(pools.paper.body)
    del paper["sections"]
    with pytest.raises(PaperMismatchError, match="0 sections are shown, not 2"):
        match_paper(pools.sitting.document, paper)


def test_choices_that_are_shuffled_against_the_authors_will_are_reported(pools: Platform) -> None:
    """If choices are to be shown as written, other orders and a missing mark are reported."""
    document = pools.sitting.document
    paper = json.loads(pools.paper.body)
    paper["questions"][0]["choices"].reverse()
    with pytest.raises(PaperMismatchError, match="author's order"):
        match_paper(document, paper)
    del paper["questions"][0]["shuffle"]
    with pytest.raises(PaperMismatchError, match="shuffled, or is not"):
        match_paper(document, paper)


def test_a_paper_of_one_student_is_scored_by_its_questions() -> None:
    """If I get one of two questions, the maximum is that of one, and an answer to the other earns nothing."""
    document = read_document("""
exam: e
level: l
sections:
  - draw: 1
    questions:
      - {id: a, kind: numeric, text: A, weight: 2, answer: {value: "1"}}
      - {id: b, kind: numeric, text: B, weight: 2, answer: {value: "1"}}
""")
    shown = {"kind": "numeric", "text": "B", "weight": "2"}
    part = {"title": "", "instructions": "", "questions": [0, 1], "draw": 1}
    matched = match_paper(document, {"sections": [part], "questions": [None, shown]})
    assert matched.items == ((), ())
    result = score(matched, {0: "1", 1: "1"}, drawn=(1,))
    assert (result.total, result.maximum, result.answered) == (Fraction(2), Fraction(2), 1)
    assert result.points == (None, Fraction(2))
