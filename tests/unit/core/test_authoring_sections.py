"""Exam documents with sections: valid ones are read, every fault of a section is reported with its line."""

import pytest

from exam_core.authored import AuthoredExam, Section
from exam_core.authoring.exam import read_exam
from exam_core.problems import Problem

HEAD = """\
exam: algebra-101
title: Algebra 101
level: year-1
"""
GOOD = f"""\
{HEAD}sections:
  - id: warm-up
    title: Warm up
    instructions: Answer all.
    shuffle: false
    questions:
      - {{id: one, kind: true-false, text: "One?", answer: true}}
      - {{id: two, kind: essay, text: "Two?", weight: 2, shuffle: false}}
  - id: pool
    draw: 2
    questions:
      - {{id: three, kind: text, text: "Three?", weight: 3, accepted: ["3"]}}
      - {{id: four, kind: text, text: "Four?", weight: "3.0", accepted: ["4"]}}
      - {{id: five, kind: text, text: "Five?", weight: 3, accepted: ["5"]}}
"""


def read(text: str) -> AuthoredExam:
    """The exam of a document."""
    return read_exam(text, lambda _: pytest.fail("no images here")).exam


def faults(text: str) -> list[tuple[int, str]]:
    """The faults of a document as (line, reason)."""
    with pytest.raises(Problem) as refused:
        read(text)
    listed = refused.value.extra["faults"]
    assert isinstance(listed, list)
    return [(fault["line"], fault["reason"]) for fault in listed]


def test_a_document_with_sections_is_read() -> None:
    """If I list questions in sections, they are the exam's questions in that order."""
    exam = read(GOOD)
    assert exam.sections == (
        Section(id="warm-up", size=2, title="Warm up", instructions="Answer all.", shuffle_questions=False),
        Section(id="pool", size=3, draw=2),
    )
    assert [(question.id, question.shuffle) for question in exam.questions] == [
        ("one", True),
        ("two", False),
        ("three", True),
        ("four", True),
        ("five", True),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("draw: 2", "draw: 4", 13, "section pool draws 4 of 3 questions"),
        ("draw: 2", "draw: 0", 13, "section pool draws 0 of 3 questions"),
        ("draw: 2", "draw: some", 13, "draw must be a whole number of at most six digits"),
        ("draw: 2", "draws: 2", 13, "this member is not known here; known are draw, id, instructions, questions"),
        ('"3.0"', "4", 13, "section pool draws from questions of different weights, so that totals would differ"),
        ("id: pool", "id: warm-up", 12, "duplicate section id: the first is on line 5"),
        ("id: five", "id: one", 17, "duplicate question id: the first is on line 10"),
        ("shuffle: false\n", "shuffle: never\n", 8, "shuffle must be true or false"),
        ("shuffle: false}", "shuffle: 2}", 11, "shuffle must be true or false"),
        ("    draw: 2\n", "    draw: 2\n    extra: 1\n", 14, "this member is not known here"),
        ("sections:", "questions: []\nsections:", 6, "an exam has either 'questions' or 'sections', not both"),
    ],
)
def test_a_fault_of_a_section_has_its_line(old: str, new: str, line: int, reason: str) -> None:
    """If a section draws more than it has, or from questions of different weights, I read on which line."""
    found = faults(GOOD.replace(old, new, 1))
    assert any(at == line and each.startswith(reason) for at, each in found), found


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (HEAD, 1, "'questions' is missing"),
        (f"{HEAD}sections: []\n", 4, "sections must not be empty"),
        (f"{HEAD}sections: [{{id: a, questions: []}}]\n", 4, "questions must not be empty"),
        (f"{HEAD}sections: [{{id: a}}]\n", 4, "'questions' is missing"),
        (f"{HEAD}sections: [1]\n", 4, "expected a mapping with id, questions"),
    ],
)
def test_missing_questions_are_a_fault(text: str, line: int, reason: str) -> None:
    """If there are no questions, in sections or not, I read so once."""
    assert faults(text) == [(line, reason)]


def test_questions_of_all_sections_are_counted_together() -> None:
    """If the sections have more questions together than an exam can have, it is refused."""
    question = "{{id: q{0}, kind: essay, text: x}}"
    parts = [", ".join(question.format(n) for n in range(first, first + 251)) for first in (0, 251)]
    sections = "".join(f"  - {{id: s{n}, questions: [{part}]}}\n" for n, part in enumerate(parts))
    assert faults(f"{HEAD}sections:\n{sections}") == [(5, "the exam needs 1 to 500 questions and has 502")]
