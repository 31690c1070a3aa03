"""Exams written as documents."""

import hashlib
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.authoring.exam import AcceptedImage, ExamDocument, read_exam
from exam_core.images import ImageRef
from exam_core.paper import freeze, plain_text
from exam_core.questions.model import Authored
from exam_core.review import Review
from exam_core.schedule import Attempts
from exam_core.scoring import MultipleRule, Policy
from exam_harness.strategies.questions import EXAMS, SECTIONED
from exam_papers.documents.writing import write_exam

SETTINGS = st.fixed_dictionaries(
    {
        "attempts": st.none() | st.sampled_from(Attempts),
        "scoring": st.none() | st.builds(Policy, multiple=st.sampled_from(MultipleRule), negative_total=st.booleans()),
        "review": st.none() | st.sampled_from(Review),
    }
)
PICTURES = {"a" * 64: b"a picture", "b" * 64: b"another"}


def accept_image(data: bytes) -> AcceptedImage:
    """Describe an image."""
    return AcceptedImage(ImageRef(sha256=hashlib.sha256(data).hexdigest(), type="image/png", width=1, height=2), data)


def _pictured(node: AuthoredExam | AuthoredQuestion | Authored) -> AuthoredExam:
    """The same exam, its images those that `accept_image` describes."""

    def convert(value: object) -> object:
        if isinstance(value, ImageRef):
            return accept_image(PICTURES[value.sha256]).ref
        if isinstance(value, tuple):
            return tuple(convert(each) for each in value)
        if hasattr(value, "__dataclass_fields__"):
            return replace(value, **{name: convert(getattr(value, name)) for name in value.__dataclass_fields__})  # type: ignore[type-var]
        return value

    exam = convert(node)
    assert isinstance(exam, AuthoredExam)
    return exam


def _texts(exam: AuthoredExam) -> list[object]:
    """What freezing does not keep."""
    return [exam.format, exam.instructions, *((each.format, each.text) for each in exam.questions)]


def _images() -> dict[str, AcceptedImage]:
    return {accepted.ref.sha256: accepted for accepted in map(accept_image, PICTURES.values())}


@settings(max_examples=200)
@given(EXAMS | SECTIONED, SETTINGS)
def test_what_is_written_is_read_back(exam: AuthoredExam, own: dict[str, Any]) -> None:
    """If I export my exam and import it again, it is the same exam, with every text, credit and setting."""
    pictured = _pictured(exam)
    document = ExamDocument(exam=pictured, level="one", images=_images(), **own)
    read = read_exam(write_exam(document), accept_image)
    assert read.level == "one"
    assert {name: getattr(read, name) for name in own} == own
    assert _texts(read.exam) == _texts(pictured)
    assert read.exam.sections == pictured.sections
    assert [each.shuffle for each in read.exam.questions] == [each.shuffle for each in pictured.questions]
    assert freeze(read.exam, range, plain_text) == freeze(pictured, range, plain_text)
    assert write_exam(read) == write_exam(document)
