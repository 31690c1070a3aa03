"""Exams take versions of the bank and give questions back; they and their papers stay independent of it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings

from exam_core.authored import AuthoredQuestion
from exam_core.authoring.exam import read_exam
from exam_core.canonical import canonical
from exam_core.problems import Problem, ProblemKind
from exam_harness.strategies.questions import QUESTIONS
from exam_papers.documents.questions import write_question
from exam_papers.images.acceptance import accept_image
from exam_web.bank import selectors
from exam_web.bank.models import BankQuestion, Category, Use, Version
from exam_web.bank.selectors import version_of
from exam_web.bank.services.categories import category_create
from exam_web.bank.services.questions import question_create, version_add
from exam_web.bank.services.uses import keep, take, update
from exam_web.exams.models import Exam, Image, Question
from exam_web.exams.schemas import ExamNew
from exam_web.exams.selectors import exam_authored
from exam_web.exams.services import exam_create, exam_import, question_delete, question_save, section_save
from exam_web.sittings.models import Sitting
from exam_web.users.models import Doctor

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

DOCUMENT = """
exam: kinds
title: Every kind
level: year-1
questions:
  - id: single
    kind: single
    text: "One?"
    weight: 2.5
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
CHOICES: list[dict[str, Any]] = [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}]
CONTENT = {"kind": "single", "text": "2 + 2 = ?", "choices": CHOICES}


@pytest.fixture
def doctor(people) -> Doctor:
    """The first Doctor."""
    return Doctor.objects.get(pk=people.doctor.pk)


@pytest.fixture
def maths(people) -> Category:
    """A category."""
    return category_create(slug="maths", name="Mathematics")


@pytest.fixture
def sum_of_two(doctor: Doctor, maths: Category) -> BankQuestion:
    """A question of the first Doctor, in its first version."""
    return question_create(by=doctor, ident="sum", category=maths, content=CONTENT).version.question


@pytest.fixture
def draft(doctor: Doctor) -> Exam:
    """An empty draft."""
    return exam_create(author=doctor, exam=ExamNew.model_validate({"slug": "sums", "title": "Sums", "level": "year-1"}))


@pytest.fixture
def kinds(doctor: Doctor) -> Exam:
    """An exam with a question of every kind."""
    return exam_import(document=read_exam(DOCUMENT, accept_image), author=doctor)


def refused(call: Callable[[], Any]) -> Problem:
    """Return the problem with which a call is refused."""
    with pytest.raises(Problem) as raised:
        call()
    return raised.value


def contents(exam: Exam) -> dict[str, bytes]:
    """The authored content of an exam's questions, in bytes."""
    return {each.id: canonical(write_question(each)) for each in exam_authored(exam)[0].questions}


def change(question: BankQuestion, by: Doctor, **members: Any) -> Version:
    """Add a version with other members."""
    return version_add(question=question, by=by, content=version_of(question).content | members).version


def test_every_kind_survives_the_bank(kinds: Exam, draft: Exam, doctor: Doctor, maths: Category) -> None:
    """If I keep questions of every kind and take them into another exam, their content is the same byte for byte."""
    for row in kinds.questions.order_by("position"):
        stored = keep(question=row, by=doctor, category=maths)
        assert (stored.created, stored.version.number) == (True, 1)
        take(version=stored.version, exam=draft)
    assert contents(draft) == contents(kinds)
    assert list(contents(draft)) == list(contents(kinds))
    assert [state.edited for state in selectors.use_states(draft)] == [False] * 8
    # Kept again, from either exam, nothing is added.
    for row in (*kinds.questions.all(), *draft.questions.all()):
        assert not keep(question=row, by=doctor).created
    assert Version.objects.count() == 8


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=QUESTIONS)
def test_any_question_survives_the_bank(
    draft: Exam, doctor: Doctor, maths: Category, question: AuthoredQuestion
) -> None:
    """Any question that is stored, taken and kept is the same byte for byte."""
    for digest in "ab":
        columns = {"content_type": "image/png", "width": 1, "height": 2, "data": b"x"}
        Image.objects.get_or_create(sha256=digest * 64, defaults=columns)
    body = write_question(question)
    try:
        stored = question_create(by=doctor, ident="q", category=maths, content=json.loads(json.dumps(body)))
        assert canonical(stored.version.content) == canonical(body)
        use = take(version=stored.version, exam=draft)
        assert contents(draft)["q"] == canonical(body)
        assert keep(question=use.question, by=doctor).version == stored.version
        copy = keep(question=use.question, by=doctor, category=maths, ident="copy")
        assert copy.version.digest == stored.version.digest
        assert copy.version.images.count() == stored.version.images.count()
    finally:
        draft.questions.all().delete()
        BankQuestion.objects.all().delete()


def test_a_frozen_paper_keeps_its_version(
    algebra: Exam, provision: Callable[..., Sitting], sum_of_two: BankQuestion, doctor: Doctor
) -> None:
    """If the bank moves on, and even the exam, a sitting keeps the question that was frozen for it."""
    use = take(version=version_of(sum_of_two), exam=algebra)
    sitting = provision()
    frozen = bytes(sitting.paper.body), bytes(sitting.key.body)
    assert "2 + 2 = ?" in frozen[0].decode()
    change(sum_of_two, doctor, text="3 + 3 = ?", choices=[CHOICES[1] | {"correct": True}, {"id": "c", "text": "6"}])
    assert exam_authored(algebra)[0].questions[-1].text == "2 + 2 = ?"
    update(use=use)
    assert exam_authored(algebra)[0].questions[-1].text == "3 + 3 = ?"
    sitting = Sitting.objects.select_related("paper", "key").get(pk=sitting.pk)
    assert (bytes(sitting.paper.body), bytes(sitting.key.body)) == frozen


def test_a_newer_version_is_shown_and_taken_on_demand(draft: Exam, sum_of_two: BankQuestion, doctor: Doctor) -> None:
    """If the bank has a newer version, the exam shows it and changes when I say so; id and position stay."""
    first = take(version=version_of(sum_of_two), exam=draft, ident="opening")
    take(version=version_of(sum_of_two), exam=draft)
    assert list(selectors.outdated(draft)) == []
    change(sum_of_two, doctor, text="2 + 3 = ?", weight="2")
    assert [use.question.ident for use in selectors.outdated(draft)] == ["opening", "sum"]
    assert [state.newer for state in selectors.use_states(draft)] == [2, 2]
    updated = update(use=first)
    assert updated.version.number == 2
    row = Question.objects.get(pk=first.pk)
    assert (row.ident, row.position, row.text, row.weight, row.choices.count()) == (
        "opening",
        0,
        "2 + 3 = ?",
        Decimal(2),
        2,
    )
    assert [use.question.ident for use in selectors.outdated(draft)] == ["sum"]
    assert update(use=updated).version.number == 2


def test_an_edited_question_is_not_overwritten_by_accident(
    draft: Exam, sum_of_two: BankQuestion, doctor: Doctor
) -> None:
    """If I edited the question in the exam, a newer version replaces it only if I say so."""
    use = take(version=version_of(sum_of_two), exam=draft)
    question_save(exam=draft, ident="sum", fields={"text": "Edited"}, question=use.question)
    change(sum_of_two, doctor, text="2 + 3 = ?")
    assert [state.edited for state in selectors.use_states(draft)] == [True]
    problem = refused(lambda: update(use=use))
    assert problem.kind is ProblemKind.CONFLICT
    assert "keep it in the bank first, or overwrite it" in problem.detail
    assert Question.objects.get(pk=use.pk).text == "Edited"
    update(use=use, overwrite=True)
    assert Question.objects.get(pk=use.pk).text == "2 + 3 = ?"


def test_an_edited_question_is_kept_as_a_version_of_its_origin(
    draft: Exam, sum_of_two: BankQuestion, doctor: Doctor
) -> None:
    """If I keep a question that I took and edited, its origin gets a version, which the exam then has."""
    use = take(version=version_of(sum_of_two), exam=draft, ident="other")
    question_save(exam=draft, ident="other", fields={"text": "Edited"}, question=use.question)
    stored = keep(question=use.question, by=doctor, comment="clearer")
    assert (stored.version.question, stored.version.number, stored.version.comment) == (sum_of_two, 2, "clearer")
    assert Use.objects.get(pk=use.pk).version == stored.version
    assert list(selectors.outdated(draft)) == []


def test_a_question_of_another_doctor_is_kept_as_an_own_one(
    people, algebra: Exam, doctor: Doctor, maths: Category
) -> None:
    """If the origin is another Doctor's, I am shown to keep my edit under an id of its own, and can."""
    theirs = question_create(by=people.other_doctor, ident="sum", category=maths, content=CONTENT).version
    use = take(version=theirs, exam=algebra)
    question_save(exam=algebra, ident="sum", fields={"text": "Edited"}, question=use.question)
    problem = refused(lambda: keep(question=use.question, by=doctor))
    assert problem.kind is ProblemKind.FORBIDDEN
    assert "belongs to adel: keep your question under an id of its own instead" in problem.detail
    stored = keep(question=use.question, by=doctor, category=maths, ident="my-sum")
    assert stored.version.question.author_id == doctor.pk
    assert Use.objects.get(pk=use.pk).version == stored.version
    assert BankQuestion.objects.get(ident="sum").newest == 1


def test_ids_are_unique_in_the_exam(draft: Exam, sum_of_two: BankQuestion, doctor: Doctor, maths: Category) -> None:
    """If the exam has a question with the id, I am shown what to do, and nothing is copied."""
    take(version=version_of(sum_of_two), exam=draft)
    twice = refused(lambda: take(version=version_of(sum_of_two), exam=draft))
    assert twice.kind is ProblemKind.CONFLICT
    assert "sums has version 1 of 'sum': update it there, or choose another id" in twice.detail
    other = question_create(by=doctor, ident="other", category=maths, content=CONTENT).version
    clash = refused(lambda: take(version=other, exam=draft, ident="sum"))
    assert "sums already has a question 'sum': choose another id" in clash.detail
    assert refused(lambda: take(version=other, exam=draft, ident="no id")).kind is ProblemKind.INVALID
    assert draft.questions.count() == 1


def test_a_position_is_chosen(draft: Exam, sum_of_two: BankQuestion) -> None:
    """If I say after how many questions the new one comes, those behind it move."""
    for ident, position in (("a", None), ("b", None), ("c", 0), ("d", 2), ("e", 99)):
        take(version=version_of(sum_of_two), exam=draft, ident=ident, position=position)
    connection.check_constraints()
    assert [row.ident for row in draft.questions.order_by("position")] == ["c", "a", "d", "b", "e"]


def test_a_question_joins_the_section_where_it_is_put(draft: Exam, sum_of_two: BankQuestion, doctor: Doctor) -> None:
    """If my exam has sections, a question from the bank is in that of the question before it, and stays there."""
    first, last = (section_save(exam=draft, ident=ident, fields={}) for ident in ("first", "last"))
    version = version_of(sum_of_two)
    for ident, position, section in (("a", None, first), ("b", None, first), ("c", 1, first)):
        assert take(version=version, exam=draft, ident=ident, position=position).question.section == section
    draft.questions.filter(ident="b").update(section=last)
    use = take(version=version, exam=draft, ident="d")
    assert use.question.section == last
    assert list(draft.questions.order_by("position").values_list("ident", flat=True)) == ["a", "c", "b", "d"]
    version_add(question=sum_of_two, by=doctor, content={**CONTENT, "text": "2 + 2?"})
    assert update(use=use).question.section == last


def test_a_question_with_faults_is_not_kept(
    draft: Exam, sum_of_two: BankQuestion, doctor: Doctor, maths: Category
) -> None:
    """If my exam's question has faults, they are listed as the exam lists them, and nothing is stored."""
    use = take(version=version_of(sum_of_two), exam=draft)
    use.question.choices.update(correct=False)
    problem = refused(lambda: keep(question=use.question, by=doctor))
    assert problem.kind is ProblemKind.INVALID
    assert problem.detail.startswith("sum: ")
    assert refused(lambda: keep(question=use.question, by=doctor, category=maths, ident="new")).extra["faults"]
    assert [state.edited for state in selectors.use_states(draft)] == [True]
    assert Version.objects.count() == 1


def test_a_new_question_needs_a_category(algebra: Exam, doctor: Doctor) -> None:
    """If a question is new in the bank and I name no category, I am shown to choose one."""
    row = algebra.questions.first()
    assert row is not None
    assert "choose its category" in refused(lambda: keep(question=row, by=doctor)).detail


def test_a_deleted_question_forgets_its_origin(draft: Exam, sum_of_two: BankQuestion) -> None:
    """If I delete a question that was taken, or its exam, the bank's question stays."""
    use = take(version=version_of(sum_of_two), exam=draft)
    question_delete(question=use.question)
    take(version=version_of(sum_of_two), exam=draft)
    draft.delete()
    assert not Use.objects.exists()
    assert Version.objects.count() == 1


def test_the_uses_of_an_exam_take_the_same_queries(draft: Exam, sum_of_two: BankQuestion) -> None:
    """However much an exam has taken, the state of all takes the same queries."""
    counts = []
    for idents in (["a"], ["b", "c", "d", "e", "f", "g"]):
        for ident in idents:
            take(version=version_of(sum_of_two), exam=draft, ident=ident)
        with CaptureQueriesContext(connection) as captured:
            states = selectors.use_states(draft)
        assert states
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 3
