"""Files of questions through the API: imported into drafts, checked, and exported for their authors."""

import io
import json
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from exam_papers.documents.reading import read_document
from exam_papers.formats import FORMATS
from exam_papers.images.acceptance import DocumentImages
from exam_web.exams.models import Choice, Exam, Image, Question
from exam_web.exams.services import exam_import
from exam_web.users import services as users
from exam_web.users.api import _issuer
from exam_web.users.models import User

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

GIFT = "// [id:sum]\n::Sum:: One and one is {=2 ~3 ~%-50%4}\n\n::Yes:: Water is wet. {T}\n"
AIKEN = "What is half of one half?\nA) 1/4\nB) 1/2\nANSWER: A\n"
MOODLE = """<quiz><question type="truefalse"><name><text>Wet</text></name>
<questiontext format="html"><text>Water is wet.</text></questiontext><idnumber>wet</idnumber>
<answer fraction="100"><text>true</text></answer><answer fraction="0"><text>false</text></answer></question></quiz>"""
CSV = "id,kind,text,choice_a,choice_b,key\nhalf,single,Half of 1/2?,1/4,1/2,A\n"
DOCUMENT = """
exam: sums
title: Sums
level: year-1
instructions: Think.
review: key
questions:
  - {id: wet, kind: true-false, text: "Water is wet.", answer: true}
  - {id: third, kind: numeric, text: "1/3?", accepted: ["0.3333±0.01"]}
"""
NEW = {"title": "Sums", "level": "year-1"}
PASSWORD = "a long enough pass phrase"
DRAFT = "/api/exams/sums"


def post(
    api: Any, data: str | bytes, slug: str = "sums", /, content_type: str = "application/octet-stream", **query: Any
):
    """Import a file."""
    path = f"/api/exams/{slug}/import?{urlencode(query)}"
    return api.client.generic("POST", path, data, content_type=content_type)


def stored() -> list[Any]:
    """Everything that is stored of exams."""
    exams = Exam.objects.order_by("pk").values("slug", "title", "instructions", "published", "review")
    questions = Question.objects.order_by("exam", "position").values("ident", "text", "settings", "position")
    return [*exams, *questions, *Choice.objects.order_by("pk").values("ident", "text", "credit", "target")]


@pytest.fixture
def doctor(log_in, people):
    """The first Doctor's client."""
    return log_in(people.doctor)


@pytest.fixture
def staff(log_in, people):
    """A client of the administrator, whose logins have no endpoint of their own."""
    tokens = users.login(username="root", password=PASSWORD, kind=User.Kind.STAFF, issuer=_issuer())
    return type(log_in(people.doctor))(tokens.access)


@pytest.mark.parametrize(
    ("name", "data", "idents"),
    [
        ("gift", GIFT, ["sum", "q2"]),
        ("aiken", AIKEN, ["q1"]),
        ("moodle-xml", MOODLE, ["wet"]),
        ("csv", CSV, ["half"]),
        ("yaml", DOCUMENT, ["wet", "third"]),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["named", "recognised"])
def test_a_file_becomes_a_draft_of_its_author(doctor, people, name, data, idents, named) -> None:
    """I send a file in any format, named or not: it is a draft exam of mine, and I read which questions it has."""
    query = ({} if name == "yaml" else NEW) | ({"format": name} if named else {})
    answer = post(doctor, data, **query)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["format"], body["created"], body["stored"], body["faults"]) == (name, True, True, [])
    assert [question["id"] for question in body["questions"]] == idents
    exam = Exam.objects.get()
    assert (exam.title, exam.level.slug, exam.published, exam.author_id) == ("Sums", "year-1", False, people.doctor.pk)
    assert list(exam.questions.order_by("position").values_list("ident", flat=True)) == idents
    assert doctor.get(DRAFT).json()["faults"] == []


def test_what_an_exam_does_not_keep_is_listed(doctor) -> None:
    """What has no place here is in the answer: here the titles of two questions."""
    losses = post(doctor, GIFT, **NEW).json()["losses"]
    assert {"code": "labels", "feature": "titles of questions", "question": None, "count": 2} in losses


def test_all_faults_are_one_problem_and_nothing_is_stored(doctor) -> None:
    """If a file has faults, I read each with file, line and reason, and no half of it is stored."""
    data = GIFT + "\n::Odd:: How many? {#abc}\n\n::Bad:: Which? {~%33%a ~b}\n"
    answer = post(doctor, data, file="sums.gift", **NEW)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"].endswith("/paper-invalid")
    places = [(fault["file"], fault["line"], fault["question"]) for fault in problem["faults"]]
    assert places[0] == ("sums.gift", 6, "Odd")
    assert ("sums.gift", 8, "Bad") in places
    assert all(fault["reason"] for fault in problem["faults"])
    assert "sums.gift, line 6: question «Odd»" in problem["detail"]
    assert stored() == []


def test_a_document_with_faults_lists_their_lines(doctor) -> None:
    """Faults of an exam document have the same form."""
    answer = post(doctor, DOCUMENT.replace("answer: true", "answer: maybe"), file="sums.yaml")
    assert answer.status_code == 422
    (fault,) = answer.json()["faults"]
    assert (fault["file"], fault["line"]) == ("sums.yaml", 8)
    assert "answer must be true or false" in fault["reason"]


def test_a_formula_that_cannot_be_shown_is_a_fault(doctor) -> None:
    """A text that no student could read is refused like any other fault."""
    answer = post(doctor, CSV.replace("Half of 1/2?", "\\(\\foo\\)"), **NEW)
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["question"] == "half"
    assert stored() == []


@pytest.mark.parametrize("data", [GIFT, "::Odd:: How many? {#abc}\n", "nothing known", DOCUMENT, "exam: sums\n"])
def test_a_dry_run_stores_nothing(doctor, data) -> None:
    """I check a file: I read faults, warnings and losses, and nothing is stored."""
    query = {} if data.startswith(("exam", "\nexam")) else NEW
    answer = post(doctor, data, dry_run=True, **query)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["stored"] is False
    assert bool(body["faults"]) == (data not in {GIFT, DOCUMENT})
    assert bool(body["questions"]) == (data in {GIFT, DOCUMENT})
    assert bool(body["losses"]) == (data == GIFT)
    assert stored() == []
    assert not Image.objects.exists()


def test_a_dry_run_finds_what_the_exam_cannot_take(doctor) -> None:
    """A check finds what an import into this draft would: an id that it has already."""
    post(doctor, GIFT, **NEW)
    before = stored()
    body = post(doctor, GIFT, dry_run=True).json()
    assert "has an id that a question of the exam has" in body["faults"][0]["reason"]
    assert stored() == before
    answer = post(doctor, CSV, dry_run=True)
    assert (answer.status_code, answer.json()["faults"], answer.json()["created"]) == (200, [], False)
    assert stored() == before


def test_questions_are_added_to_a_draft(doctor) -> None:
    """I import a second file: its questions come after those before, and one without a name gets a free one."""
    post(doctor, GIFT, **NEW)
    post(doctor, AIKEN)
    assert [each["id"] for each in doctor.get(DRAFT).json()["items"]] == ["sum", "q2", "q1"]
    answer = post(doctor, AIKEN)
    assert answer.status_code == 200
    assert [each["id"] for each in answer.json()["questions"]] == ["q3"]
    loss = answer.json()["losses"][-1]
    assert (loss["code"], loss["question"], loss["count"]) == ("identifier", "q1", 1)
    exam = doctor.get(DRAFT).json()
    assert [each["id"] for each in exam["items"]] == ["sum", "q2", "q1", "q3"]
    assert [choice["text"] for choice in exam["items"][3]["choices"]] == ["1/4", "1/2"]
    assert exam["faults"] == []


def test_names_that_the_draft_has_are_faults(doctor) -> None:
    """Importing the same file twice does not double its questions: their names are taken."""
    post(doctor, CSV, **NEW)
    before = stored()
    answer = post(doctor, CSV)
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["question"] == "half"
    assert stored() == before


def test_questions_of_a_draft_are_replaced_on_request(doctor) -> None:
    """With mode=replace the file's questions are all that the draft has; title and settings stay."""
    post(doctor, DOCUMENT)
    assert post(doctor, CSV, mode="replace").status_code == 200
    exam = doctor.get(DRAFT).json()
    assert [each["id"] for each in exam["items"]] == ["half"]
    assert (exam["title"], exam["instructions"], exam["review"]) == ("Sums", "Think.", "key")


def test_a_document_replaces_a_draft_only_on_request(doctor) -> None:
    """A document describes the whole exam: without mode=replace I am asked, with it the draft is the document's."""
    post(doctor, CSV, **NEW)
    before = stored()
    refused = post(doctor, DOCUMENT)
    assert refused.status_code == 422
    assert "mode=replace" in refused.json()["detail"]
    assert stored() == before
    assert post(doctor, DOCUMENT, mode="replace").status_code == 200
    assert [each["id"] for each in doctor.get(DRAFT).json()["items"]] == ["wet", "third"]


@pytest.mark.parametrize(
    ("data", "query", "detail"),
    [
        (GIFT, {}, "title and level"),
        (GIFT, {"title": "Sums"}, "level"),
        (GIFT, NEW | {"level": "year-9"}, "level 'year-9' does not exist"),
        (GIFT, NEW | {"format": "word"}, "format"),
        (GIFT, NEW | {"mode": "merge"}, "mode"),
        (GIFT, NEW | {"format": "csv"}, "column"),
        (DOCUMENT, NEW, "an exam document has its own"),
        (DOCUMENT.replace("exam: sums", "exam: other"), {}, "the slug 'other', expected 'sums'"),
        (DOCUMENT, {"format": "gift"}, ""),
        ("", NEW, ""),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_reason(doctor, data, query, detail) -> None:
    """If a parameter is missing, wrong or does not apply, I read which; nothing is stored."""
    answer = post(doctor, data, **query)
    assert answer.status_code == 422, answer.content
    assert detail in answer.json()["detail"]
    assert stored() == []


def test_a_name_that_no_address_can_have_is_refused(doctor) -> None:
    """The exam's name in the address follows the rules of documents."""
    assert post(doctor, GIFT, "Not-A-Slug", **NEW).status_code == 422
    assert stored() == []


def test_sections_are_stored_and_take_what_is_added(doctor) -> None:
    """A document's sections are exported as they were; questions that a file adds come to the last one."""
    node = yaml.safe_load(DOCUMENT)
    questions = node.pop("questions")
    pool = {"id": "pool", "draw": 1, "questions": questions}
    node["sections"] = [pool, {"id": "rest", "questions": [{**questions[0], "id": "other"}]}]
    answer = post(doctor, yaml.safe_dump(node, allow_unicode=True), format="yaml")
    assert answer.status_code == 201, answer.content
    assert post(doctor, CSV).status_code == 200
    exported = yaml.safe_load(doctor.get(f"{DRAFT}/export", format="yaml").content)["sections"]
    assert [(each["id"], each.get("draw")) for each in exported] == [("pool", 1), ("rest", None)]
    first, last = ([question["id"] for question in each["questions"]] for each in exported)
    assert first == [question["id"] for question in questions]
    assert last[0] == "other"
    assert len(last) > 1


def test_published_exams_and_those_of_others_are_not_imported_into(doctor, log_in, people, algebra) -> None:
    """An exam that students see is not changed by a file, nor one of another Doctor."""
    before = stored()
    published = post(doctor, CSV, "algebra-101")
    assert published.status_code == 409
    assert "published" in published.json()["detail"]
    other = post(log_in(people.other_doctor), CSV, "algebra-101", **NEW)
    assert (other.status_code, other.json()["detail"]) == (409, "exam 'algebra-101' already exists")
    assert stored() == before


def test_at_most_500_questions(doctor) -> None:
    """An exam has at most 500 questions, those that it had before included."""
    rows = "".join(f"n{number},true-false,Wet?,TRUE\n" for number in range(500))
    assert post(doctor, f"id,kind,text,key\n{rows}", **NEW).status_code == 201
    before = len(stored())
    answer = post(doctor, CSV)
    assert answer.status_code == 422
    assert "1 to 500 questions and has 501" in answer.json()["detail"]
    assert len(stored()) == before


def test_a_body_that_is_too_large_is_refused_by_its_declared_length(doctor) -> None:
    """A file over 5 MiB is refused before it is read."""

    class Unread(io.BytesIO):
        """A body that must not be read."""

        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

    path = f"/api/exams/sums/import?{urlencode(NEW)}"
    doctor.client.raise_request_exception = False
    answer = doctor.client.generic(
        "POST", path, b"", **{"wsgi.input": Unread(), "CONTENT_LENGTH": str(5 * 1024 * 1024 + 1)}
    )
    assert answer.status_code == 413, answer.content
    assert stored() == []


@pytest.mark.parametrize("kind", ["ratio", "entities"])
def test_bombs_are_refused(doctor, kind) -> None:
    """An archive or a document that expands without bound is a fault, not a load."""
    if kind == "ratio":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("imsmanifest.xml", b" " * 20_000_000)
        data, reason = stream.getvalue(), "compressed too much"
    else:
        entity = '<!DOCTYPE quiz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        data, reason = f"{entity}<quiz>&b;</quiz>".encode(), "declares entities"
    answer = post(doctor, data, format="qti" if kind == "ratio" else "moodle-xml", **NEW)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]
    assert stored() == []


def test_forms_are_refused_with_advice(doctor) -> None:
    """If I send a form instead of the file, I read how to send it."""
    answer = post(doctor, "--x--\r\n", content_type="multipart/form-data; boundary=x", **NEW)
    assert answer.status_code == 422
    assert "--data-binary" in answer.json()["detail"]


@pytest.mark.parametrize("name", [*FORMATS, "yaml"])
def test_an_exam_is_exported_in_each_format_and_read_again(doctor, algebra, name) -> None:
    """I download my exam in any format, with a file name; what the format does not state is counted and listed."""
    answer = doctor.get("/api/exams/algebra-101/export", format=name)
    assert answer.status_code == 200, answer.content
    losses = doctor.get("/api/exams/algebra-101/export/losses", format=name).json()
    assert answer["Content-Disposition"] == f'attachment; filename="{losses["file"]}"'
    assert losses["file"].startswith("algebra-101.")
    assert int(answer["Exam-Losses"]) == len(losses["losses"])
    assert answer["Link"] == f'</api/exams/algebra-101/export/losses?format={name}>; rel="describedby"'
    assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert doctor.get("/api/exams/algebra-101/export", format=name).content == answer.content
    if name == "yaml":
        assert answer["Content-Type"] == "application/yaml"
        assert losses["losses"] == []
        return
    assert losses["losses"]
    again = post(doctor, answer.content, "again", format=name, dry_run=True, **NEW)
    assert again.json()["faults"] == []
    left_out = sum(loss["code"] == "not-written" for loss in losses["losses"])
    assert len(again.json()["questions"]) == algebra.questions.count() - left_out


def test_an_exported_document_is_the_exam(doctor, algebra) -> None:
    """The exported document has everything of my exam: imported again, no row changes."""
    text = doctor.get("/api/exams/algebra-101/export", format="yaml").content.decode()
    before = stored()
    exam_import(document=read_document(text, DocumentImages()), author=None)
    assert stored() == before


def test_only_authors_and_staff_export(log_in, staff, people, algebra, over) -> None:
    """A student never gets a file with keys, not even after the sitting; another Doctor does not find the exam."""
    for path in ("export", "export/losses"):
        url = f"/api/exams/algebra-101/{path}"
        assert log_in(people.student).get(url, format="gift").status_code == 403
        assert log_in(people.other_student).get(url, format="gift").status_code == 403
        assert log_in(people.other_doctor).get(url, format="gift").status_code == 404
        assert log_in(people.doctor).get(url, format="gift").status_code == 200
        assert staff.get(url, format="gift").status_code == 200
        assert type(log_in(people.doctor))().get(url, format="gift").status_code == 401


def test_only_doctors_import(log_in, staff, people) -> None:
    """A student, staff and a stranger cannot import."""
    for api in (log_in(people.student), staff):
        for dry_run in (True, False):
            assert post(api, GIFT, dry_run=dry_run, **NEW).status_code == 403
    assert post(type(log_in(people.doctor))(), GIFT, **NEW).status_code == 401
    assert stored() == []


def test_a_draft_with_faults_is_not_exported(doctor) -> None:
    """A draft that cannot be held cannot be exported; I read why."""
    doctor.send("POST", "/api/exams", {"slug": "empty", "title": "Empty", "level": "year-1"})
    answer = doctor.get("/api/exams/empty/export", format="gift")
    assert answer.status_code == 422
    assert "needs 1 to 500 questions" in answer.json()["detail"]


def test_the_operations_are_described(doctor) -> None:
    """The API's description has the parameters, the body and the media types."""
    paths = json.loads(doctor.get("/api/openapi.json").content)["paths"]
    body = paths["/api/exams/{slug}/import"]["post"]
    assert {each["name"] for each in body["parameters"]} == {
        "slug",
        "format",
        "file",
        "title",
        "level",
        "mode",
        "dry_run",
    }
    assert "application/octet-stream" in body["requestBody"]["content"]
    assert "application/zip" in paths["/api/exams/{slug}/export"]["get"]["responses"]["200"]["content"]
    assert "default" in body["responses"]
