"""Exam documents whose texts have formulas."""

import pytest

from exam_core.authoring.exam import AcceptedImage
from exam_core.problems import Problem
from exam_papers.documents.reading import read_document


def no_image(data: bytes) -> AcceptedImage:
    """Accept no image."""
    raise ValueError(f"{len(data)} bytes")


def document(text: str, *, head: str = "", kind: str = "essay") -> str:
    """A document of one question, whose text begins on line 7."""
    question = f"  - id: q\n    text: {text}\n    kind: {kind}\n"
    return f"exam: e\ntitle: E\nlevel: one\n{head or 'instructions: Go.'}\nquestions:\n{question}"


def faults(source: str) -> list[tuple[int, str]]:
    """The faults of a document as (line, reason)."""
    with pytest.raises(Problem) as refused:
        read_document(source, no_image)
    listed = refused.value.extra["faults"]
    assert isinstance(listed, list)
    return [(fault["line"], fault["reason"]) for fault in listed]


@pytest.mark.parametrize(
    "text",
    [
        r"'Solve \(x^2 = \frac{1}{2}\).'",
        r'"Solve \\(x^2 = \\frac{1}{2}\\)."',
        "|\n      Solve\n\n      $$x = \\sqrt{2}$$",
        '"One.\\nTwo.\\tThree."',
        "What is 3 * 4 * 5?",
    ],
)
def test_texts_that_can_be_rendered_are_read(text: str) -> None:
    """If my formulas are right, the document is read, and its texts are as I wrote them."""
    assert read_document(document(text), no_image).exam.questions[0].id == "q"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (r'"Solve \\(\theta = 1\\)."', 7, r"\t is an escape of YAML in double quotes; for \theta use single quotes"),
        (r'"\\(a \neq b\\)"', 7, r"\n is an escape of YAML in double quotes; for \neq use single quotes"),
        (r"'Solve \(\foo{x}\).'", 7, r"\foo"),
        (r"'Solve \(x.'", 7, r"\("),
        ("|\n      One.\n\n      \\(\\foo\\)", 10, r"\foo"),
        (">\n      One.\n\n      \\(\\foo\\)", 8, r"\foo"),
    ],
)
def test_a_text_that_cannot_be_rendered_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    """If a formula has a slip, or YAML ate a command of it, I read the line and what to write instead."""
    found = faults(document(text))
    assert [at for at, _ in found] == [line], found
    assert reason in found[0][1]


def test_texts_that_are_plain_have_no_formulas() -> None:
    """In a plain text a backslash is a backslash, for the whole document or for one question."""
    assert read_document(document(r"'\(\foo'", head="format: plain"), no_image).exam.questions[0].text == r"\(\foo"
    assert read_document(document("'\\(\\foo'\n    format: plain"), no_image).exam.questions[0].text == r"\(\foo"


def test_all_faults_are_listed_at_once() -> None:
    """Slips of texts are listed together with all other faults."""
    assert [line for line, _ in faults(document(r"'\(\foo\)'", head=r"instructions: '\(\bar'", kind="drawing"))] == [
        4,
        7,
        8,
    ]
