"""What is lost between files of questions and exam documents."""

import pytest
from hypothesis import given

from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.questions.essay import Essay
from exam_harness.strategies.questions import EXAMS, SECTIONED
from exam_papers.documents.conversion import is_exam_document, unkept, unstated
from exam_papers.formats import FileQuestion, Loss, LossCode


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"exam: e\ntitle: E\n", True),
        (b"\xef\xbb\xbfexam: e\n", True),
        (b"# an exam\ntitle: E\nexam : e\n", True),
        (b'{\n  "title": "E", "exam": "e"}', True),
        ("exam: \u00e9\n".encode("utf-16"), True),
        (b'{"exams": {"exam": "e"}}', False),
        (b"::Q:: exam: {T}\n", False),
        (b"PK\x03\x04\nexam: e\n", False),
        (b"", False),
    ],
)
def test_exam_documents_are_recognised(data, expected) -> None:
    """A file that names an exam is a document; an archive is none, whatever its bytes are."""
    assert is_exam_document(data) == expected


@given(EXAMS | SECTIONED)
def test_what_no_file_of_questions_states_is_named(exam: AuthoredExam) -> None:
    """Instructions, sections and fixed orders are named exactly if the exam has them."""
    losses = list(unstated(exam))
    codes = [loss.code for loss in losses]
    assert (LossCode.SECTION_TEXT in codes) == bool(exam.instructions)
    assert (LossCode.SUBSET in codes) == bool(exam.sections)
    ordered = [loss.question for loss in losses if loss.code is LossCode.LAYOUT]
    assert ordered == [question.id for question in exam.questions if question.in_order]


def test_labels_are_counted() -> None:
    """Titles, categories and tags that no exam keeps are counted over all questions."""
    question = AuthoredQuestion(id="q", text="Why?", interaction=Essay())
    plain = FileQuestion(question=question)
    titled = FileQuestion(question=question, title="T", tags=("a", "b"))
    assert list(unkept([plain])) == []
    assert list(unkept([plain, titled, titled])) == [
        Loss(LossCode.LABELS, "titles of questions", None, 2),
        Loss(LossCode.LABELS, "tags", None, 2),
    ]
