"""Exams in the admin, saved as a browser saves them: line ends become CRLF, and every field of the page is posted."""

from decimal import Decimal
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from exam_core.authoring.exam import read_exam
from exam_core.paper import MAX_QUESTIONS
from exam_papers.images.acceptance import accept_image
from exam_web.exams.models import Choice, Exam, Question, Section
from exam_web.exams.services import exam_import
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

TEXT = "What does this print?\n\nfor n in 1 2 3\n  print n\n"
DOCUMENT = """
exam: printed
title: A question of several lines
level: year-1
questions:
  - id: loop
    kind: single
    text: |
      What does this print?

      for n in 1 2 3
        print n
    choices:
      - {id: a, text: "three\\nlines", correct: true}
      - {id: b, text: " one line "}
"""


class Form(HTMLParser):
    """The fields of a page's form as a browser submits them without an edit."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._textarea = ""
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a field."""
        attributes = {name: value or "" for name, value in attrs}
        name, kind = attributes.get("name", ""), attributes.get("type", "text")
        if tag == "textarea":
            self._textarea, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in attributes:
            self.fields[self._select] = attributes["value"]
        elif tag == "input" and name and (kind in {"text", "hidden", "number"} or "checked" in attributes):
            # A one-line field has no line ends, and a ticked box without a value posts «on».
            value = attributes.get("value", "on" if kind == "checkbox" else "")
            self.fields[name] = value.replace("\n", "")

    def handle_endtag(self, tag: str) -> None:
        """Convert line ends as a browser does."""
        if tag == "textarea":
            text = self.fields[self._textarea].removeprefix("\n")
            self.fields[self._textarea], self._textarea = text.replace("\n", "\r\n"), ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        """Collect a text area's content."""
        if self._textarea:
            self.fields[self._textarea] += data


@pytest.fixture
def question(people) -> Question:
    """A question of several lines, imported from YAML."""
    exam_import(document=read_exam(DOCUMENT, accept_image), author=people.doctor)
    return Question.objects.get()


def save(client, address: str, **changes: str) -> None:
    """Open a page of the admin, change some fields and save it."""
    fields = Form(client.get(address).content.decode()).fields
    answer = client.post(address, fields | changes)
    assert answer.status_code == 302, answer.content.decode()


@pytest.mark.parametrize("model", ["exam", "question"])
def test_saving_a_page_changes_no_text(client, people, question: Question, model: str) -> None:
    """If I correct a title or a key in the admin, the texts stay as they were, byte for byte."""
    client.force_login(people.doctor)
    pk = question.exam_id if model == "exam" else question.pk
    address = reverse(f"admin:exams_{model}_change", args=[pk])
    save(client, address, **({"title": "Corrected"} if model == "exam" else {"choices-0-correct": ""}))
    assert Question.objects.get().text == TEXT
    assert list(Choice.objects.order_by("position").values_list("text", flat=True)) == ["three\nlines", " one line "]
    if model == "exam":
        assert Exam.objects.get().title == "Corrected"


def test_an_author_names_namespaces_in_the_admin(client, people, question: Question) -> None:
    """I name the namespaces that may hold my exam on its page; a name that Kubernetes cannot have is an error there."""
    client.force_login(people.doctor)
    address = reverse("admin:exams_exam_change", args=[question.exam_id])
    save(client, address, namespaces="finals, exams")
    assert Exam.objects.get().namespaces == ["finals", "exams"]
    save(client, address, title="Corrected")
    assert Exam.objects.get().namespaces == ["finals", "exams"]
    fields = Form(client.get(address).content.decode()).fields
    answer = client.post(address, fields | {"namespaces": "Finals"})
    assert "is no name of a Kubernetes namespace" in answer.content.decode()
    save(client, address, namespaces="")
    assert Exam.objects.get().namespaces == []


def test_an_author_selects_policies_in_the_admin(client, people, question: Question) -> None:
    """If I select rules of scoring, and what students may see, on my exam's page, they are stored, and kept."""
    client.force_login(people.doctor)
    address = reverse("admin:exams_exam_change", args=[question.exam_id])
    save(client, address, multiple="proportional", negative_total="on", review="degree")
    policy = {"format": 1, "multiple": "proportional", "negative_total": True}
    assert Exam.objects.values_list("policy", "review").get() == (policy, "degree")
    save(client, address, title="Other", multiple="all-or-nothing")
    policy = {"format": 1, "multiple": "all-or-nothing", "negative_total": True}
    assert Exam.objects.values_list("policy", "review").get() == (policy, "degree")
    viewer = User.objects.create(username="viewer", kind=User.Kind.STAFF, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_exam"))
    client.force_login(viewer)
    assert "all-or-nothing" in client.get(address).content.decode()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("3,14", "3.14"),
        ("\u22120,125", "-0.125"),
        ("٣\u066b٢٤", "3.24"),
        ("1e3", "1000"),
        ("1,234", None),
        ("1_0", None),
    ],
)
def test_the_admin_reads_numbers_as_students_type_them(client, people, typed: str, stored: str | None) -> None:
    """A key typed in the admin is the number that a student's answer would be; 1,234 is refused with both ways."""
    exam = Exam.objects.create(slug="sums", title="Sums", level=people.year_1, author=people.doctor)
    row = Question.objects.create(exam=exam, ident="q", position=0, kind="numeric", text="?", value=2, tolerance=0)
    client.force_login(people.doctor)
    address = reverse("admin:exams_question_change", args=[row.pk])
    fields = Form(client.get(address).content.decode()).fields
    assert (fields["value"], fields["tolerance"], fields["weight"]) == ("2", "0", "1")
    answer = client.post(address, fields | {"value": typed})
    row.refresh_from_db()
    if stored is None:
        assert answer.status_code == 200
        assert row.value == 2
        assert typed in Form(answer.content.decode()).fields["value"]
        expected = "write &#x27;1234&#x27; or &#x27;1.234&#x27;" if "," in typed else "is not a number"
        assert expected in answer.content.decode()
    else:
        assert answer.status_code == 302, answer.content.decode()
        assert row.value == Decimal(stored)


@pytest.fixture
def long_exam(people) -> Exam:
    """An exam with as many questions as an exam may have."""
    exam = Exam.objects.create(slug="long", title="Long", level=people.year_1, author=people.doctor)
    Question.objects.bulk_create(
        Question(exam=exam, ident=f"q{n}", position=n, kind="numeric", text="2 + 2", value=4)
        for n in range(MAX_QUESTIONS)
    )
    return exam


def idents(rows: QuerySet[Question] | QuerySet[Choice]) -> list[str]:
    """The ids of questions or choices in the order of their positions."""
    return list(rows.order_by("position").values_list("ident", flat=True))


def test_an_exam_of_500_questions_is_saved(client, people, long_exam: Exam) -> None:
    """If I change a title and reverse all 500 questions, the page is saved."""
    client.force_login(people.doctor)
    positions = {f"questions-{n}-position": str(MAX_QUESTIONS - 1 - n) for n in range(MAX_QUESTIONS)}
    save(client, reverse("admin:exams_exam_change", args=[long_exam.pk]), title="Longer", **positions)
    assert Exam.objects.get().title == "Longer"
    assert idents(Question.objects.all()) == [f"q{n}" for n in reversed(range(MAX_QUESTIONS))]


def test_an_exams_page_takes_the_same_queries_for_any_number_of_questions(client, people, long_exam: Exam) -> None:
    """The page of an exam with 500 questions takes as many queries as that of an exam with five."""
    client.force_login(people.doctor)
    counts = []
    for number in (MAX_QUESTIONS, 5):
        Question.objects.filter(position__gte=number).delete()
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse("admin:exams_exam_change", args=[long_exam.pk])).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_positions_are_swapped_in_one_save(client, people, question: Question, long_exam: Exam) -> None:
    """If I exchange the positions of two questions, or of two choices, and save once, they are exchanged."""
    client.force_login(people.doctor)
    Question.objects.filter(exam=long_exam, position__gte=3).delete()
    address = reverse("admin:exams_exam_change", args=[long_exam.pk])
    save(client, address, **{"questions-0-position": "2", "questions-2-position": "0"})
    assert idents(long_exam.questions.all()) == ["q2", "q1", "q0"]
    address = reverse("admin:exams_question_change", args=[question.pk])
    save(client, address, **{"choices-0-position": "1", "choices-1-position": "0"})
    assert idents(question.choices.all()) == ["b", "a"]


def test_a_position_that_is_taken_is_rejected(client, people, long_exam: Exam) -> None:
    """Two questions with one position are an error of the form, also if one was added since I opened the page."""
    client.force_login(people.doctor)
    Question.objects.filter(exam=long_exam, position__gte=3).delete()
    address = reverse("admin:exams_exam_change", args=[long_exam.pk])
    fields = Form(client.get(address).content.decode()).fields
    answer = client.post(address, fields | {"questions-0-position": "2"})
    assert "Please correct the duplicate data for position" in answer.content.decode()
    Question.objects.create(exam=long_exam, ident="meanwhile", position=3, kind="numeric", text="?")
    answer = client.post(address, fields | {"questions-0-position": "3"})
    assert "meanwhile has this position; it was added after you opened this page" in answer.content.decode()
    answer = client.post(address, fields | {"questions-0-ident": "q1", "questions-1-ident": "q0"})
    assert "q1 is the id of another row; to exchange ids, save another one first" in answer.content.decode()
    answer = client.post(address, fields | {"questions-0-ident": "meanwhile"})
    assert "meanwhile is the id of another row" in answer.content.decode()
    assert idents(long_exam.questions.all()) == ["q0", "q1", "q2", "meanwhile"]
    assert client.post(address, fields | {"questions-0-position": "99999999999"}).status_code == 200
    assert client.post(address, fields | {"questions-0-weight": "-1"}).status_code == 200


KINDS = """
exam: kinds
title: Every kind
level: year-1
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
    cap: 2/3
    choices: [{id: a, text: A, correct: true}, {id: b, text: " b", credit: -1/2}]
  - {id: number, kind: numeric, text: "How much?", unit: " m", accepted: ["3", {answer: "3±0.5", credit: 1/2}]}
  - {id: word, kind: text, text: "Who?", wildcards: true, case: true, accepted: ["P*s "], max_length: 20}
  - id: pairs
    kind: matching
    text: "Match"
    stems: [{id: one, text: "a\\nb", target: " 1\\n"}, {id: two, text: two, target: "2"}]
    distractors: ["3"]
  - {id: order, kind: ordering, text: "Sort", rule: pairs, items: [{id: x, text: first}, {id: y, text: second}]}
  - {id: long, kind: essay, text: "Why?", max_words: 300, template: "Dear\\n\\n  …\\n", notes: " Two reasons.\\n"}
"""


@pytest.fixture
def kinds(people) -> Exam:
    """An exam with a question of every kind."""
    return exam_import(document=read_exam(KINDS, accept_image), author=people.doctor)


def page_of(ident: str) -> str:
    """The address of a question's page."""
    return reverse("admin:exams_question_change", args=[Question.objects.get(ident=ident).pk])


def test_saving_a_question_of_any_kind_changes_nothing_else(client, people, kinds: Exam) -> None:
    """If I correct the text of a question, its settings, parts and all other texts stay, byte for byte."""
    client.force_login(people.doctor)
    for question in kinds.questions.all():
        parts = list(question.choices.values())
        save(client, page_of(question.ident), text="Corrected")
        stored = Question.objects.get(pk=question.pk)
        assert (stored.text, stored.settings, stored.format) == ("Corrected", question.settings, question.format)
        assert (stored.value, stored.tolerance, stored.max_choices) == (
            question.value,
            question.tolerance,
            question.max_choices,
        )
        assert list(question.choices.values()) == parts
    save(client, reverse("admin:exams_exam_change", args=[kinds.pk]), title="Other")
    assert Question.objects.get(ident="long").settings["template"] == "Dear\n\n  …\n"


def test_an_author_writes_every_member_in_the_admin(client, people, kinds: Exam) -> None:
    """If I enter settings, credits and targets on a question's page, they are stored as I entered them."""
    client.force_login(people.doctor)
    save(client, page_of("statement"), answer="true", other_credit="")
    save(client, page_of("several"), rule="all-or-nothing", floor="", cap="")
    save(client, page_of("word"), case="", max_length="30", **{"choices-0-credit": "1/2"})
    save(client, page_of("pairs"), **{"choices-2-target": "4"})
    save(client, page_of("long"), min_words="3", notes="Line\r\n")
    stored = dict(Question.objects.values_list("ident", "settings"))
    assert stored["statement"] == {"answer": True}
    assert stored["several"] == {"rule": "all-or-nothing"}
    assert stored["word"] == {"wildcards": True, "max_length": 30}
    assert stored["long"]["min_words"] == 3
    assert stored["long"]["notes"] == "Line\n"
    assert Choice.objects.get(question__ident="word").credit == "1/2"
    assert Choice.objects.get(question__ident="pairs", position=2).target == "4"


@pytest.mark.parametrize(
    ("ident", "changes", "reason"),
    [
        ("single", {"choices-0-credit": "a third"}, "is neither a fraction like 1/3 nor a decimal like 0.25"),
        ("single", {"choices-0-correct": ""}, "contradicts the credit"),
        ("number", {"choices-0-text": "about 3"}, "an accepted number is not a number"),
        ("statement", {"answer": ""}, "the question has no key: choose whether it is true or false"),
        ("statement", {"notes": "x"}, "a question of the kind true-false has no notes"),
        ("several", {"floor": "1/2"}, "the question has a floor that is not from -1 to 0"),
        ("several", {"rule": "pairs"}, "the question has a value of rule that is not one of sum-of-credits"),
        ("order", {"rule": "sum-of-credits"}, "the question has a value of rule that is not one of all-or-nothing"),
        ("word", {"max_length": "1001"}, "less than or equal to 1000"),
        ("long", {"min_words": "301"}, "the question has min_words above max_words"),
        ("number", {"unit": "m" * 51}, "at most 50 characters"),
    ],
)
def test_a_fault_is_shown_beside_its_field(client, people, kinds: Exam, ident: str, changes, reason: str) -> None:
    """If I enter what a member cannot be, the form says so beside the field, and nothing is stored."""
    client.force_login(people.doctor)
    fields = Form(client.get(page_of(ident)).content.decode()).fields
    before = [*Question.objects.order_by("pk").values(), *Choice.objects.order_by("pk").values()]
    answer = client.post(page_of(ident), fields | changes)
    assert answer.status_code == 200
    assert reason in answer.content.decode()
    assert [*Question.objects.order_by("pk").values(), *Choice.objects.order_by("pk").values()] == before


def test_a_stored_part_shows_its_faults(client, people, kinds: Exam) -> None:
    """If a stored part has a fault, or a warning, its row on the question's page says so."""
    Choice.objects.filter(question__ident="number").update(text="5..4")
    client.force_login(people.doctor)
    page = client.get(page_of("number")).content.decode()
    assert page.count("has accepted value 2, a range that contains no number") == 2
    for hint in ("numeric: shown beside the answer", "multiple: how many choices", "numeric: the first accepted"):
        assert hint in page


def test_staff_who_may_only_view_see_the_settings(client, people, kinds: Exam) -> None:
    """If I may view questions and not change them, the page shows the settings of the kind as they are stored."""
    viewer = User.objects.create(username="viewer", kind=User.Kind.STAFF, is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__in=["view_question", "view_choice", "view_exam"]))
    client.force_login(viewer)
    page = client.get(page_of("statement")).content.decode()
    assert "other_credit" in page
    assert "-1/2" in page


def test_a_new_question_on_an_exams_page_has_the_exams_format(client, people, question: Question) -> None:
    """If I add a question on the page of an exam with plain texts, its text is plain."""
    Exam.objects.update(format="plain")
    client.force_login(people.doctor)
    new = {"questions-TOTAL_FORMS": "2", "questions-1-position": "1", "questions-1-ident": "new"}
    more = {"questions-1-kind": "essay", "questions-1-text": "*Why?*", "questions-1-weight": "1"}
    save(client, reverse("admin:exams_exam_change", args=[question.exam_id]), **new, **more)
    assert Question.objects.get(ident="new").format == "plain"


SECTIONS = """
exam: parts
title: In parts
level: year-1
sections:
  - id: all
    title: For all
    instructions: "Line one.\\n\\n  Line two.\\n"
    questions: [{id: a, kind: essay, text: A, shuffle: false}]
  - id: pool
    draw: 1
    shuffle: false
    questions: [{id: b, kind: essay, text: B}, {id: c, kind: essay, text: C}]
"""


@pytest.fixture
def parts(people) -> Exam:
    """An exam in two sections, of which one draws."""
    return exam_import(document=read_exam(SECTIONS, accept_image), author=people.doctor)


def test_saving_an_exam_with_sections_changes_nothing_else(client, people, parts: Exam) -> None:
    """If I correct a title or a question, sections and their questions stay as they were, byte for byte."""
    client.force_login(people.doctor)
    before = [list(Section.objects.values()), list(Question.objects.values())]
    save(client, reverse("admin:exams_exam_change", args=[parts.pk]), title="Corrected")
    for question in parts.questions.all():
        save(client, page_of(question.ident))
    assert [list(Section.objects.values()), list(Question.objects.values())] == before


def test_an_author_writes_sections_in_the_admin(client, people, parts: Exam) -> None:
    """If I add a section on my exam's page and put a question in it, the exam has it; faults are listed meanwhile."""
    client.force_login(people.doctor)
    address = reverse("admin:exams_exam_change", args=[parts.pk])
    new = {"position": "2", "ident": "end", "title": "The end", "instructions": "", "draw": "2", "shuffle": "on"}
    save(client, address, **{"sections-TOTAL_FORMS": "3"} | {f"sections-2-{name}": new[name] for name in new})
    assert "section end has no questions" in client.get(address).content.decode()
    end = Section.objects.get(ident="end")
    assert (end.exam_id, end.position, end.title, end.draw, end.shuffle) == (parts.pk, 2, "The end", 2, True)
    save(client, page_of("c"), section=str(end.pk), shuffle="")
    assert Question.objects.values_list("section__ident", "shuffle").get(ident="c") == ("end", False)
    assert "section end draws 2 of 1 questions" in client.get(address).content.decode()
    save(client, address, **{"sections-2-draw": "", "questions-0-section": str(end.pk)})
    faults = "section end has question c apart from its others: give them positions in a row"
    assert faults in client.get(address).content.decode()
    fields = Form(client.get(address).content.decode()).fields
    answer = client.post(address, fields | {"sections-0-draw": "0"})
    assert "greater than or equal to 1" in answer.content.decode()


def test_a_question_is_in_a_section_of_its_own_exam(client, people, question: Question, parts: Exam) -> None:
    """If a form is forged to put a question in a section of another exam, it is refused."""
    client.force_login(people.doctor)
    foreign = str(Section.objects.get(ident="all").pk)
    for address, name in (
        (page_of("loop"), "section"),
        (reverse("admin:exams_exam_change", args=[question.exam_id]), "questions-0-section"),
    ):
        fields = Form(client.get(address).content.decode()).fields
        answer = client.post(address, fields | {name: foreign})
        assert answer.status_code == 200
        assert "Select a valid choice" in answer.content.decode()
    assert Question.objects.get(pk=question.pk).section is None


def test_a_deleted_section_leaves_its_questions(client, people, parts: Exam) -> None:
    """If I delete a section, its questions stay, and the exam's page says that they are in none."""
    client.force_login(people.doctor)
    address = reverse("admin:exams_exam_change", args=[parts.pk])
    save(client, address, **{"sections-1-DELETE": "on"})
    assert [row.ident for row in Section.objects.all()] == ["all"]
    assert idents(parts.questions.all()) == ["a", "b", "c"]
    page = client.get(address).content.decode()
    assert "question b is in no section, though the exam has some" in page
    save(client, address, **{"sections-0-DELETE": "on"})
    assert "in no section" not in client.get(address).content.decode()
