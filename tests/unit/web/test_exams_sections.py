"""Sections as rows: read back as they were written, with a fault wherever the order of the questions is another."""

from hypothesis import given
from hypothesis import strategies as st

from exam_core.authored import AuthoredExam
from exam_harness.strategies.questions import EXAMS, SECTIONED
from exam_web.exams.interactions import question_row
from exam_web.exams.models import Exam, Question, Section
from exam_web.exams.sections import listed_faults, read_sections, section_row


def as_stored(authored: AuthoredExam) -> tuple[Exam, list[Section], list[Question]]:
    """The rows of an exam with sections, which have keys as if they had been saved."""
    exam = Exam(slug=authored.slug, format="plain")
    sections = [section_row(section, exam=exam, position=n) for n, section in enumerate(authored.sections)]
    for number, row in enumerate(sections):
        row.pk = 100 - number
    places = [row for row, section in zip(sections, authored.sections, strict=True) for _ in range(section.size)]
    questions = [
        question_row(question, exam=exam, position=n, section=places[n] if places else None)
        for n, question in enumerate(authored.questions)
    ]
    return exam, sections, questions


@given(authored=EXAMS | SECTIONED)
def test_sections_are_read_back_from_their_rows(authored: AuthoredExam) -> None:
    """If I import an exam, its sections are stored as I wrote them, and have no faults."""
    exam, sections, questions = as_stored(authored)
    assert read_sections(sections, questions) == authored.sections
    assert listed_faults(exam, sections, questions) == []


@given(authored=SECTIONED, data=st.data())
def test_another_order_is_a_fault_exactly_where_numbers_would_be_others(
    authored: AuthoredExam, data: st.DataObject
) -> None:
    """If I move questions, I may do so within their section alone; otherwise the exam lists a fault."""
    exam, sections, questions = as_stored(authored)
    moved = data.draw(st.permutations(questions))
    order: list[int | None] = [row.pk for row in sections]
    places = [order.index(question.section_id) for question in moved]
    assert read_sections(sections, moved) == authored.sections
    assert (listed_faults(exam, sections, moved) == []) is (places == sorted(places))


@given(authored=SECTIONED, data=st.data())
def test_a_question_without_a_section_is_a_fault(authored: AuthoredExam, data: st.DataObject) -> None:
    """If a question is in no section of an exam that has some, that is a fault, and names the question."""
    exam, sections, questions = as_stored(authored)
    left = data.draw(st.sampled_from(questions))
    left.section = None
    assert f"question {left.ident} is in no section, though the exam has some" in listed_faults(
        exam, sections, questions
    )
