"""Exams in the admin, saved as a browser saves them: line ends become CRLF, and every field of the page is posted."""

from html.parser import HTMLParser

import pytest
from django.urls import reverse

from exam_core.authoring import read_exam
from exam_web.exams.images import accept_image
from exam_web.exams.models import Choice, Exam, Question
from exam_web.exams.services import exam_import

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
            # A one-line field has no line ends.
            self.fields[name] = attributes.get("value", "").replace("\n", "")

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
