"""Questions of every kind through the API and from documents, until a paper is frozen from them."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from exam_core.authoring.exam import read_exam
from exam_core.canonical import Json, canonical, digest_of
from exam_core.numbers import decimal_text
from exam_core.paper import Key, Paper
from exam_core.problems import Problem
from exam_core.questions.model import KindName
from exam_core.rekey import Change
from exam_papers.images.acceptance import accept_image
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.selectors import exam_authored
from exam_web.exams.services import exam_import
from exam_web.sittings.models import Paper as StoredPaper
from exam_web.sittings.models import PaperKey, Sitting
from exam_web.sittings.selectors import content_comparison
from exam_web.sittings.services.freezing import paper_freeze
from exam_web.sittings.services.revisions import key_current

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

DOCUMENT = """
exam: kinds
title: Every kind
level: year-1
instructions: "**Read** first."
questions:
  - id: single
    kind: single
    text: "One?"
    choices: [{id: a, text: "1", credit: 1/3}, {id: b, text: "2", correct: true}]
  - {id: statement, kind: true-false, text: "True?", answer: false, other_credit: -1/2}
  - id: several
    kind: multiple
    text: "Which?"
    rule: sum-of-credits
    floor: -1/2
    max_choices: 1
    choices: [{id: a, text: "1", correct: true}, {id: b, text: "2", credit: -1/2}]
  - {id: number, kind: numeric, text: "How much?", unit: m/s, accepted: ["3", {answer: "3±0.5", credit: 1/2}, "(4..5]"]}
  - id: word
    kind: text
    text: "Who?"
    wildcards: true
    max_length: 20
    accepted: ["P*s", {answer: Rome, credit: 0.25}]
  - id: pairs
    kind: matching
    text: "Match"
    stems: [{id: target-1, text: one, target: "1"}, {id: two, text: two, target: "2"}]
    distractors: ["3", "4"]
  - {id: order, kind: ordering, text: "Sort", rule: pairs, items: [{id: x, text: first}, {id: y, text: second}]}
  - {id: long, kind: essay, text: "Why?", format: plain, max_words: 300, template: "Dear …", notes: "Two reasons."}
"""

POSTED: dict[KindName, dict[str, Any]] = {
    KindName.SINGLE: {
        "choices": [{"id": "a", "text": "1", "credit": "1/3"}, {"id": "b", "text": "2", "correct": True}]
    },
    KindName.TRUE_FALSE: {"answer": False, "other_credit": "-1/2"},
    KindName.MULTIPLE: {
        "rule": "sum-of-credits",
        "floor": "-1/2",
        "cap": "1",
        "max_choices": 1,
        "choices": [{"id": "a", "text": "1", "correct": True}, {"id": "b", "text": "2", "credit": "-0.5"}],
    },
    KindName.NUMERIC: {
        "value": "3.14",
        "unit": "m/s",
        "choices": [{"id": "near", "text": "3±0.5", "credit": "1/2"}, {"id": "range", "text": "(4..5]"}],
    },
    KindName.TEXT: {"case": True, "choices": [{"id": "paris", "text": "Paris"}, {"id": "rome", "text": "Rome"}]},
    KindName.MATCHING: {
        "choices": [
            {"id": "one", "text": "one", "target": "1"},
            {"id": "two", "text": "two", "target": "2"},
            {"id": "left", "target": "3"},
        ]
    },
    KindName.ORDERING: {"rule": "pairs", "choices": [{"id": "x", "text": "first"}, {"id": "y", "text": "second"}]},
    KindName.ESSAY: {"max_words": 300, "template": " Dear …\n", "notes": "Two reasons."},
}


@pytest.fixture
def kinds(people) -> Exam:
    """An exam with a question of every kind, from a document."""
    return exam_import(document=read_exam(DOCUMENT, accept_image), author=people.doctor)


def rows() -> list[Any]:
    """Everything that is stored of all questions."""
    questions = Question.objects.order_by("pk").values()
    return [*questions, *Choice.objects.order_by("pk").values()]


def test_a_document_of_every_kind_is_stored_and_read_back(kinds: Exam) -> None:
    """If I import questions of every kind, the exam is the document's; imported again, no row changes."""
    document = read_exam(DOCUMENT, accept_image)
    authored, _ = exam_authored(kinds)
    assert authored == document.exam
    before = rows()
    assert exam_import(document=document, author=None).pk == kinds.pk
    assert rows() == before


def exact(answer: Any) -> dict[str, Any]:
    """A question in a response, each number in its one spelling."""
    question: dict[str, Any] = answer.json()
    numbers = {name: question[name] for name in ("weight", "value", "tolerance") if question[name] is not None}
    return question | {name: decimal_text(Decimal(text)) for name, text in numbers.items()}


@pytest.mark.parametrize("kind", KindName)
def test_a_doctor_writes_a_question_of_each_kind(log_in, people, algebra, kind: KindName) -> None:
    """If I send a question of any kind, I read it back as I sent it, can change it, and it has no fault."""
    doctor = log_in(people.doctor)
    posted = {"id": "new", "kind": kind.value, "text": "What?\n", "format": "plain"} | POSTED[kind]
    made = doctor.send("POST", "/api/exams/algebra-101/questions", posted)
    assert made.status_code == 201, made.content
    kept = exact(doctor.get("/api/exams/algebra-101/questions/new"))
    assert kept == exact(made)
    parts = posted.pop("choices", [])
    assert [{name: part[name] for name in sent} for part, sent in zip(kept["choices"], parts, strict=True)] == parts
    assert {name: kept[name] for name in posted} == posted
    assert doctor.get("/api/exams/algebra-101").json()["faults"] == []
    change = {name: value for name, value in kept.items() if name not in {"id", "choices"}} | {"text": "Which?"}
    changed = doctor.send("PUT", "/api/exams/algebra-101/questions/new", change)
    assert exact(changed) == kept | {"text": "Which?"}


def test_a_question_has_the_format_of_its_exam(log_in, people) -> None:
    """If I send no format, a new question has its exam's, and a changed one keeps its own."""
    doctor = log_in(people.doctor)
    exam = {"slug": "plain", "title": "Plain", "level": "year-1", "format": "plain"}
    assert doctor.send("POST", "/api/exams", exam).json()["format"] == "plain"
    essay = {"id": "q", "kind": "essay", "text": "*Why?*"}
    assert doctor.send("POST", "/api/exams/plain/questions", essay).json()["format"] == "plain"
    assert doctor.send("PATCH", "/api/exams/plain", {"format": "markdown"}).json()["format"] == "markdown"
    assert doctor.send("PUT", "/api/exams/plain/questions/q", essay).json()["format"] == "plain"


def test_a_refused_part_names_the_reason(log_in, people, kinds: Exam) -> None:
    """If a credit or an accepted number cannot be read, the API refuses it with the reason, and stores nothing."""
    doctor, before = log_in(people.doctor), rows()
    refused = {
        "single/choices": ({"id": "c", "text": "3", "credit": "2"}, "must be from -1 to 1"),
        "number/choices": ({"id": "c", "text": "about 3"}, "an accepted number is not a number"),
    }
    for path, (part, reason) in refused.items():
        answer = doctor.send("POST", f"/api/exams/kinds/questions/{path}", part)
        assert answer.status_code == 422
        assert reason in answer.json()["detail"]
    contradiction = {"text": "1", "credit": "-1/3", "correct": True}
    answer = doctor.send("PUT", "/api/exams/kinds/questions/single/choices/a", contradiction)
    assert "correct contradicts the credit" in answer.json()["detail"]
    assert rows() == before


def test_rows_that_cannot_be_read_are_faults(log_in, people, kinds: Exam, client) -> None:
    """If another program stored a credit, a number or a setting that makes no sense, I see faults and no error."""
    Choice.objects.filter(question__ident="single", ident="a").update(credit="a third")
    Choice.objects.filter(question__ident="number", ident="answer-1").update(text="three")
    Question.objects.filter(ident="long").update(settings={"max_words": "many", "colour": 1, "max_characters": 10**9})
    exam = log_in(people.doctor).get("/api/exams/kinds")
    assert exam.status_code == 200, exam.content
    assert exam.json()["faults"] == [
        "question single has a with a credit that is neither a fraction like 1/3 nor a decimal like 0.25",
        "question number has accepted value 1 that is not a number",
        "question long is of the kind essay, which has no member of this name in its settings",
        "question long has a value of max_words that is not a whole number",
        "question long has a limit of characters that is not from 1 to 20000",
    ]
    client.force_login(people.doctor)
    for question in Question.objects.all():
        assert client.get(f"/admin/exams/question/{question.pk}/change/").status_code == 200
    page = client.get(f"/admin/exams/exam/{kinds.pk}/change/").content.decode()
    assert "question single has a with a credit that is neither" in page


def test_texts_are_frozen_as_they_are_rendered(kinds: Exam) -> None:
    """If my texts have emphasis or formulas, the paper has them as HTML with MathML, and as plain text."""
    Question.objects.filter(ident="word").update(text=r"Who *found* \(x^2\)?")
    frozen, _ = paper_freeze(exam=kinds, permute=range)
    content = Paper(bytes(frozen.body)).content
    assert (content["instructions"], content["instructions_html"]) == (
        "Read first.",
        "<p><strong>Read</strong> first.</p>",
    )
    (word,) = [each for each in content["questions"] if each["kind"] == "text"]
    assert word["text"] == r"Who found \(x^2\)?"
    assert word["html"].startswith("<p>Who <em>found</em> <math><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup>")


def test_formulas_with_faults_are_listed(log_in, people, kinds: Exam, client) -> None:
    """If a formula of a text, a choice or the instructions has a fault, I read where, and no paper is frozen."""
    Exam.objects.update(instructions=r"\(\foo\)")
    Question.objects.filter(ident="word").update(text="One.\n\n" + r"\(\bar{x}\) and \(\baz\)")
    Choice.objects.filter(question__ident="single", ident="a").update(text=r"\(\frac{1}\)")
    faults = log_in(people.doctor).get("/api/exams/kinds").json()["faults"]
    places = [
        "instructions: line 1: ",
        "question single has a fault in 'a': line 1: ",
        "question word has a fault in text: line 3: ",
    ]
    assert [fault.startswith(place) for fault, place in zip(faults, places, strict=True)] == [True] * 3, faults
    with pytest.raises(Problem, match="question word has a fault in text: line 3: "):
        paper_freeze(exam=Exam.objects.get(), permute=range)
    client.force_login(people.doctor)
    question = Question.objects.get(ident="word")
    page = client.get(f"/admin/exams/question/{question.pk}/change/").content.decode()
    assert "has a fault in text: line 3: " in page


def test_warnings_are_listed(log_in, people, kinds: Exam) -> None:
    """If no answer earns all points, that is a warning, and the exam can be used."""
    Choice.objects.filter(question__ident="single", ident="b").update(credit="1/2", correct=True)
    exam = log_in(people.doctor).get("/api/exams/kinds").json()
    assert exam["faults"] == []
    assert "question single gives its best answer 1/2 of the weight" in exam["warnings"]


def test_a_row_of_an_earlier_release_has_plain_texts(kinds: Exam) -> None:
    """If a release without formats inserts rows, their texts are plain, and a correct choice earns the points."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exams_question (exam_id, ident, position, kind, text, weight, tolerance)"
            " VALUES (%s, 'old', 99, 'single', '2 * 3 * 4', 1, 0) RETURNING id",
            [kinds.pk],
        )
        [(question,)] = cursor.fetchall()
        cursor.execute(
            "INSERT INTO exams_choice (question_id, ident, position, text, correct)"
            " VALUES (%s, 'a', 0, '24', true), (%s, 'b', 1, '9', false)",
            [question, question],
        )
    authored, _ = exam_authored(kinds)
    old = next(each for each in authored.questions if each.id == "old")
    assert (old.format.value, [choice.credit for choice in old.interaction.choices]) == ("plain", [1, 0])  # type: ignore[attr-defined]


def test_every_kind_is_frozen_and_regraded(kinds: Exam, provision: Callable[..., Sitting]) -> None:
    """If I schedule every kind, its paper tells nothing of the key; a corrected key is used by another revision."""
    sitting = provision(exam="kinds")
    paper = Paper(bytes(sitting.paper.body))
    assert [question.half.kind for question in paper.questions] == [row.kind for row in kinds.questions.all()]
    for secret in ("credit", "accepted", "Two reasons", "Rome", "P*s", "floor"):
        assert secret not in json.dumps(paper.content)
    assert content_comparison(sitting).change is Change.NONE
    assert key_current(sitting).digest == sitting.key_id
    Choice.objects.filter(question__ident="word", ident="answer-2").update(credit="1/2")
    comparison = content_comparison(sitting)
    assert (comparison.change, comparison.detail) == (Change.KEY, "the key of question word changed")
    corrected = Key(bytes(key_current(sitting).body))
    before = Key(bytes(sitting.key.body))
    changed = [now.id for now, then in zip(corrected.entries(paper), before.entries(paper), strict=True) if now != then]
    assert changed == ["word"]


def test_the_order_of_an_ordering_question_is_part_of_the_key(kinds: Exam, provision: Callable[..., Sitting]) -> None:
    """If I correct the order of items or the targets of stems after freezing, students' papers stay the same."""
    sitting = provision(exam="kinds")
    first, second = Choice.objects.filter(question__ident="order").order_by("position")
    Choice.objects.filter(pk=first.pk).update(position=second.position)
    Choice.objects.filter(pk=second.pk).update(position=first.position)
    one, two = Choice.objects.filter(question__ident="pairs", ident__in=["target-1", "two"]).order_by("position")
    Choice.objects.filter(pk=one.pk).update(target=two.target)
    Choice.objects.filter(pk=two.pk).update(target=one.target)
    comparison = content_comparison(sitting)
    assert (comparison.change, comparison.detail) == (Change.KEY, "the key of questions pairs, order changed")
    assert key_current(sitting).digest != sitting.key_id
    Sitting.objects.all().delete()
    again = provision("again", exam="kinds")
    assert (again.paper_id, again.key_id) == (sitting.paper_id, key_current(again).digest)


def test_a_paper_of_an_earlier_release_is_compared_and_regraded(people, provision: Callable[..., Sitting]) -> None:
    """If a sitting has paper and key of format 1, the exam's page compares them, and a corrected key is used."""
    exam = Exam.objects.create(slug="old", title="Old", level=people.year_1, published=True, format="plain")
    question = Question.objects.create(exam=exam, ident="q", position=0, kind="single", text="2 + 2", format="plain")
    right = Choice.objects.create(question=question, ident="a", position=0, text="4", correct=True)
    Choice.objects.create(question=question, ident="b", position=1, text="5")
    sitting = provision(exam="old")
    shown: dict[str, Json] = {"kind": "single", "text": "2 + 2", "weight": "1", "max_choices": 1}
    body: dict[str, Json] = {"format": 1, "exam": "old", "title": "Old", "instructions": "", "questions": [shown]}
    shown["choices"] = [{"text": "5"}, {"text": "4"}]
    digest_1 = digest_of(body)
    paper = StoredPaper.objects.create(digest=digest_1, exam=exam, source="0" * 64, body=canonical(body))
    key: dict[str, Json] = {"format": 1, "paper": digest_1, "answers": [{"choices": [1]}]}
    sitting.paper, sitting.key = paper, PaperKey.objects.create(digest=digest_of(key), paper=paper, body=canonical(key))
    assert content_comparison(sitting).change is Change.NONE
    Choice.objects.filter(pk=right.pk).update(credit="1/2")
    assert content_comparison(sitting).change is Change.KEY
    [entry] = Key(bytes(key_current(sitting).body)).entries(Paper(bytes(paper.body)))
    assert entry.half.to_json()["credits"] == ["0", "1/2"]


def test_the_schema_documents_the_members_of_the_kinds(client) -> None:
    """If I read the API's description, it names the kinds, and for each member which kinds have it."""
    schemas = client.get("/api/openapi.json").json()["components"]["schemas"]
    question = schemas["QuestionNew"]["properties"]
    assert question["kind"]["enum"] == [kind.value for kind in KindName]
    assert question["template"]["description"].startswith("`essay`")
    assert "credit" in schemas["ChoiceNew"]["properties"]
    assert "accepted number" in schemas["ChoiceFields"]["description"]
