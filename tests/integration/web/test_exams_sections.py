"""Sections, pools and questions that are not shuffled: imported, exported, listed, and with their faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from exam_core.authoring.exam import ExamDocument, read_exam
from exam_core.paper import Paper
from exam_core.problems import Problem, ProblemKind
from exam_core.rekey import Change
from exam_papers.documents.writing import write_exam
from exam_papers.images.acceptance import accept_image
from exam_web.exams.models import Choice, Exam, Question, Section
from exam_web.exams.selectors import exam_authored
from exam_web.exams.services import exam_import
from exam_web.sittings.models import Sitting
from exam_web.sittings.selectors import content_comparison
from exam_web.sittings.services.freezing import paper_freeze

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

DOCUMENT = """
exam: parts
title: In parts
level: year-1
sections:
  - id: all
    title: For all
    instructions: "**Read** first."
    shuffle: false
    questions:
      - id: first
        kind: single
        shuffle: false
        text: "One?"
        choices: [{id: a, text: "1", correct: true}, {id: b, text: "2"}]
      - {id: second, kind: numeric, shuffle: false, text: "Two?", answer: {value: 2}}
  - id: pool
    draw: 2
    questions:
      - {id: x, kind: true-false, weight: 2, text: "X?", answer: true}
      - {id: y, kind: true-false, weight: 2, text: "Y?", answer: true}
      - {id: z, kind: true-false, weight: 2, text: "Z?", answer: false}
  - {id: end, questions: [{id: last, kind: essay, text: "Why?"}]}
"""
EXAM = "/api/exams/parts"


@pytest.fixture
def parts(people) -> Exam:
    """An exam in three sections, the second of which draws two of three."""
    return exam_import(document=read_exam(DOCUMENT, accept_image), author=people.doctor)


def rows() -> list[Any]:
    """Everything that is stored of sections, questions and choices."""
    return [list(model.objects.order_by("pk").values()) for model in (Section, Question, Choice)]


def placed() -> list[tuple[str, str | None]]:
    """The ids of the questions in order, with those of their sections."""
    return list(Question.objects.order_by("position").values_list("ident", "section__ident"))


def test_a_document_with_sections_is_stored_and_read_back(parts: Exam) -> None:
    """If I import sections, the exam is the document's, also after an export; imported again, no row changes."""
    document = read_exam(DOCUMENT, accept_image)
    authored, _ = exam_authored(parts)
    assert authored == document.exam
    exported = write_exam(ExamDocument(exam=authored, level=parts.level.slug, images={}))
    assert read_exam(exported, accept_image).exam == document.exam
    before = rows()
    assert exam_import(document=read_exam(exported, accept_image), author=None).pk == parts.pk
    assert rows() == before


def test_another_document_replaces_the_sections(parts: Exam) -> None:
    """If I import the exam with other sections, or without any, it has those; what stays keeps its row."""
    kept = Section.objects.get(ident="pool").pk
    other = """
sections:
  - {id: pool, title: Some, questions: [{id: z, kind: essay, text: "Z?"}, {id: first, kind: essay, text: "One?"}]}
  - {id: new, draw: 1, questions: [{id: x, kind: essay, text: "X?"}, {id: n, kind: essay, text: "N?"}]}
"""
    document = read_exam(DOCUMENT.split("sections:", maxsplit=1)[0] + other, accept_image)
    exam_import(document=document, author=None)
    assert exam_authored(parts)[0] == document.exam
    assert Section.objects.get(ident="pool").pk == kept
    assert placed() == [("z", "pool"), ("first", "pool"), ("x", "new"), ("n", "new")]
    plain = DOCUMENT.split("sections:", maxsplit=1)[0] + 'questions: [{id: x, kind: essay, text: "X?"}]'
    exam_import(document=read_exam(plain, accept_image), author=None)
    assert (placed(), Section.objects.count()) == ([("x", None)], 0)


def test_a_document_is_imported_as_a_whole(people, parts: Exam, tmp_path: Path, capsys) -> None:
    """If a section of my document has a fault, nothing is imported; without it, the command imports all."""
    before, file = rows(), tmp_path / "exam.yaml"
    file.write_text(DOCUMENT.replace("weight: 2", "weight: 1", 1).replace("For all", "Other"))
    with pytest.raises(Exception, match="section pool draws from questions of different weights"):
        call_command("load_exam", str(file))
    assert rows() == before
    with pytest.raises(Problem, match="level 'none' does not exist"):
        exam_import(document=read_exam(DOCUMENT.replace("year-1", "none"), accept_image), author=None)
    assert rows() == before
    file.write_text(DOCUMENT.replace("For all", "Other"))
    call_command("load_exam", str(file))
    assert "parts: 6 questions for year-1" in capsys.readouterr().out
    assert Section.objects.get(ident="all").title == "Other"


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            lambda: Question.objects.filter(ident="second").update(section=None),
            ["question second is in no section, though the exam has some"],
        ),
        (
            lambda: Question.objects.filter(ident="x").update(position=9),
            ["section pool has question x apart from its others: give them positions in a row"],
        ),
        (
            lambda: Question.objects.filter(ident="last").update(section=Section.objects.get(ident="all")),
            [
                "section end has no questions",
                "section all has question last apart from its others: give them positions in a row",
            ],
        ),
        (
            lambda: (
                Section.objects.filter(ident="end").update(position=0)
                + Section.objects.filter(ident="all").update(position=5)
            ),
            [
                "section pool is before section all, and its question x is after that one's",
                "section end is before section all, and its question last is after that one's",
            ],
        ),
        (
            lambda: Question.objects.filter(ident="y").update(weight=1),
            ["section pool draws from questions of different weights, so that totals would differ"],
        ),
        (lambda: Section.objects.filter(ident="pool").update(draw=4), ["section pool draws 4 of 3 questions"]),
        (
            lambda: Section.objects.filter(ident="end").update(instructions=r"One.\n\n\(\foo\)"),
            [r"section end has a fault in its instructions: line "],
        ),
    ],
    ids=["no-section", "apart", "empty", "order", "weights", "draw", "text"],
)
def test_the_faults_of_sections_are_listed(
    log_in, people, parts: Exam, change: Callable[[], object], faults: list[str]
) -> None:
    """If sections and questions do not fit together, the exam lists why, and no paper is frozen from it."""
    doctor = log_in(people.doctor)
    assert doctor.get(EXAM).json()["faults"] == []
    change()
    listed = doctor.get(EXAM).json()["faults"]
    assert len(listed) == len(faults), listed
    assert [each.startswith(fault) for each, fault in zip(listed, faults, strict=True)] == [True] * len(faults), listed
    with pytest.raises(Problem) as refused:
        paper_freeze(exam=parts, permute=range)
    assert refused.value.kind is ProblemKind.PAPER_INVALID
    assert refused.value.extra["faults"] == listed


def test_a_section_of_another_exam_is_a_fault(log_in, people, parts: Exam) -> None:
    """If another program put a question in a section of another exam, that is a fault of both."""
    other = Exam.objects.create(slug="other", title="Other", level=people.year_1)
    foreign = Section.objects.create(exam=other, ident="foreign", position=0)
    Question.objects.filter(ident="last").update(section=foreign)
    faults = log_in(people.doctor).get(EXAM).json()["faults"]
    assert faults == ["section end has no questions", "question last is in a section of another exam"]


def test_doctors_see_sections_and_students_how_many_questions_they_get(log_in, people, parts: Exam) -> None:
    """If my exam has pools, I see its sections and all six questions; students see that they get five."""
    doctor = log_in(people.doctor)
    exam = doctor.get(EXAM).json()
    assert exam["sections"] == [
        {"id": "all", "title": "For all", "instructions": "**Read** first.", "draw": None, "shuffle": False},
        {"id": "pool", "title": "", "instructions": "", "draw": 2, "shuffle": True},
        {"id": "end", "title": "", "instructions": "", "draw": None, "shuffle": True},
    ]
    shown = [(item["id"], item["section"], item["shuffle"]) for item in exam["items"]]
    assert shown[:3] == [("first", "all", False), ("second", "all", False), ("x", "pool", True)]
    assert doctor.get(f"{EXAM}/questions/x").json()["section"] == "pool"
    assert doctor.get(f"{EXAM}/questions").json() == exam["items"]
    student = log_in(people.student)
    for reader, questions in ((doctor, 6), (student, 5)):
        [listed] = reader.get("/api/exams").json()["results"]
        assert listed["questions"] == reader.get(EXAM).json()["questions"] == questions
    answer = student.get(EXAM)
    assert answer.json().keys().isdisjoint({"sections", "items"})
    assert "Read" not in answer.content.decode()


def test_a_doctor_puts_questions_in_sections(log_in, people, parts: Exam) -> None:
    """If I send the section of a question, it is placed after the others; left out, section and order stay."""
    doctor = log_in(people.doctor)
    new = {"id": "w", "kind": "essay", "text": "W?", "weight": "2", "section": "pool", "shuffle": False}
    made = doctor.send("POST", f"{EXAM}/questions", new)
    assert (made.status_code, made.json()["section"], made.json()["shuffle"]) == (201, "pool", False)
    order = ["first", "second", "x", "y", "z", "w", "last"]
    assert [ident for ident, _ in placed()] == order
    assert doctor.get(EXAM).json()["faults"] == []
    changed = doctor.send("PUT", f"{EXAM}/questions/w", {"kind": "essay", "text": "Other?", "weight": "2"}).json()
    assert (changed["section"], changed["shuffle"], changed["text"]) == ("pool", False, "Other?")
    assert [ident for ident, _ in placed()] == order
    doctor.send("PUT", f"{EXAM}/questions/w", {"kind": "essay", "text": "W?", "section": "all", "shuffle": True})
    assert placed()[:4] == [("first", "all"), ("second", "all"), ("w", "all"), ("x", "pool")]
    assert doctor.get(EXAM).json()["faults"] == []
    doctor.send("PUT", f"{EXAM}/questions/w", {"kind": "essay", "text": "W?", "section": None})
    assert doctor.get(EXAM).json()["faults"][0] == "question w is in no section, though the exam has some"
    before = rows()
    refused = doctor.send("PUT", f"{EXAM}/questions/w", {"kind": "essay", "text": "W?", "section": "none"})
    assert (refused.status_code, refused.json()["detail"]) == (422, "section: parts has no section 'none'")
    assert rows() == before


def test_a_doctor_writes_sections(log_in, people, parts: Exam) -> None:
    """If I add, change and delete sections over the API, the exam has them; a student or another Doctor cannot."""
    doctor, before = log_in(people.doctor), rows()
    new = {"id": "new", "title": "New", "instructions": "*Go*", "draw": 2, "shuffle": False}
    for other, status in ((people.student, 403), (people.other_doctor, 404)):
        for method, path in (("POST", "sections"), ("PUT", "sections/pool"), ("DELETE", "sections/pool")):
            assert log_in(other).send(method, f"{EXAM}/{path}", new).status_code == status
    assert rows() == before
    made = doctor.send("POST", f"{EXAM}/sections", new)
    assert (made.status_code, made.json()) == (201, new)
    assert doctor.get(EXAM).json()["sections"][-1] == new
    assert doctor.get(EXAM).json()["faults"] == ["section new has no questions"]
    assert doctor.send("POST", f"{EXAM}/sections", new).status_code == 409
    changed = doctor.send("PUT", f"{EXAM}/sections/new", {"title": "Other"})
    assert changed.json() == {"id": "new", "title": "Other", "instructions": "", "draw": None, "shuffle": True}
    assert doctor.send("DELETE", f"{EXAM}/sections/new").status_code == 204
    assert doctor.send("DELETE", f"{EXAM}/sections/new").status_code == 404
    assert rows() == before
    for fault in ({"draw": 0}, {"draw": 501}, {"title": "t" * 201}, {"id": "a b"}):
        assert doctor.send("POST", f"{EXAM}/sections", new | fault).status_code == 422
    assert doctor.send("DELETE", f"{EXAM}/sections/end").status_code == 204
    assert doctor.get(EXAM).json()["faults"] == ["question last is in no section, though the exam has some"]


def test_sections_are_frozen_and_compared(parts: Exam, provision: Callable[..., Sitting]) -> None:
    """If I schedule an exam with sections, its paper has them; a change of them is shown on the sitting's page."""
    sitting = provision(exam="parts")
    paper = Paper(bytes(sitting.paper.body))
    assert [(part.questions, part.draw, part.shuffle) for part in paper.sections] == [
        ((0, 1), None, False),
        ((2, 3, 4), 2, True),
        ((5,), None, True),
    ]
    assert (paper.given, paper.questions[0].shuffle) == (5, False)
    assert paper.content["sections"][0]["instructions_html"] == "<p><strong>Read</strong> first.</p>"
    assert content_comparison(sitting).change is Change.NONE
    Section.objects.filter(ident="pool").update(draw=1)
    comparison = content_comparison(Sitting.objects.get())
    assert (comparison.change, comparison.detail) == (Change.PAPER, "the draw of section pool changed")
    Section.objects.filter(ident="pool").update(draw=2)
    Question.objects.filter(ident="last").update(section=None)
    comparison = content_comparison(Sitting.objects.get())
    assert (comparison.change, comparison.detail) == (Change.PAPER, "the sections and their questions changed")


def test_rows_of_an_earlier_release_are_shuffled_and_in_no_section(parts: Exam) -> None:
    """If a release without sections inserts a question, it is shuffled, and the exam says that it is in no section."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exams_question (exam_id, ident, position, kind, text, weight, tolerance)"
            " VALUES (%s, 'old', 99, 'essay', 'Old?', 1, 0)",
            [parts.pk],
        )
    old = Question.objects.get(ident="old")
    assert (old.shuffle, old.section) == (True, None)
    with pytest.raises(Problem, match="question old is in no section"):
        exam_authored(parts)


def test_graders_may_read_sections_and_solvers_may_not(parts: Exam) -> None:
    """A regrade reads the exam as the grader's role, which writes nothing of it; a solver reads no author's row."""
    environment = settings.ENVIRONMENT
    with connection.cursor() as cursor:
        for role, allowed in ((environment.grader_role, ["SELECT"]), (environment.solver_role, [])):
            found = []
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                cursor.execute("SELECT has_table_privilege(%s, 'exams_section', %s)", [role, privilege])
                found += [privilege] if cursor.fetchone() == (True,) else []
            assert found == allowed


def test_the_pages_of_exams_take_few_queries(log_in, people, parts: Exam, django_assert_max_num_queries) -> None:
    """A student's list reads the pools of all exams at once."""
    for number in range(3):
        text = DOCUMENT.replace("exam: parts", f"exam: parts-{number}")
        exam_import(document=read_exam(text, accept_image), author=None)
    student = log_in(people.student)
    with django_assert_max_num_queries(8):
        listed = student.get("/api/exams").json()["results"]
    assert [exam["questions"] for exam in listed] == [5] * 4
