"""The bank's API: Doctors and staff read all of it, students nothing; search, pages and OpenAPI."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exam_core.questions.model import KindName
from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.bank.models import BankQuestion, Category, Version
from exam_web.bank.services.categories import category_create
from exam_web.bank.services.questions import question_create
from exam_web.common.clock import database_now
from exam_web.exams.images import image_store
from exam_web.exams.models import Exam
from exam_web.users.authentication import signing_keys
from exam_web.users.models import User
from exam_web.users.services import Issuer, login

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

PASSWORD = "a long enough pass phrase"
CHOICES: list[dict[str, Any]] = [{"id": "a", "text": "4", "correct": True}, {"id": "b", "text": "5"}]
CONTENT = {"kind": "single", "text": "2 + 2 = ?", "choices": CHOICES}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080600000"
    "01f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def maths(people) -> Category:
    """A category."""
    return category_create(slug="maths", name="Mathematics")


@pytest.fixture
def sum_of_two(people, maths: Category) -> BankQuestion:
    """A question of the first Doctor, in its first version."""
    return question_create(by=people.doctor, ident="sum", category=maths, content=CONTENT).version.question


@pytest.fixture
def clerk(people) -> User:
    """Staff without permissions."""
    user = User(username="clerk", kind=User.Kind.STAFF, is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def token_of(user: User) -> str:
    """An access token of any user; the API's logins are for students and Doctors."""
    issuer = Issuer(keys=signing_keys(), now=database_now(), new_id=uuid4)
    return login(username=user.username, password=PASSWORD, kind=User.Kind(user.kind), issuer=issuer).access


def sender(user: User) -> Callable[..., Any]:
    """Sends requests of a user."""
    client = Client(headers={"Authorization": f"Bearer {token_of(user)}"})

    def _send(method: str, path: str, body: Any = None) -> Any:
        return client.generic(method, path, json.dumps(body), content_type="application/json")

    return _send


def test_a_question_from_its_first_version_to_an_exam(people, log_in, algebra: Exam, maths: Category) -> None:
    """I put a question into the bank, change it, take it into an exam, and another Doctor finds it."""
    api = log_in(people.doctor)
    created = api.send("POST", "/api/bank/categories", {"slug": "sums", "name": "Sums", "parent": "maths"})
    assert (created.status_code, created.json()) == (201, {"path": "maths/sums", "name": "Sums", "questions": 0})
    body = {"id": "sum", "category": "maths/sums", "tags": ["Easy"], "comment": "first", "content": CONTENT}
    stored = api.send("POST", "/api/bank/questions", body)
    assert stored.status_code == 201
    assert stored.json() | {"digest": "", "created_at": ""} == {
        "question": "sum",
        "number": 1,
        "digest": "",
        "author": "noor",
        "comment": "first",
        "created_at": "",
        "content": CONTENT,
        "created": True,
        "warnings": [],
    }
    taken = api.send("POST", "/api/bank/exams/algebra-101/take", {"question": "sum", "id": "opening", "position": 0})
    assert (taken.status_code, taken.json()) == (
        201,
        {"id": "opening", "question": "sum", "version": 1, "newer": None},
    )
    assert api.get("/api/exams/algebra-101/questions").json()[0]["id"] == "opening"
    changed = {"content": CONTENT | {"text": "2 + 3 = ?"}, "comment": "harder"}
    assert api.send("POST", "/api/bank/questions/sum/versions", changed).status_code == 201
    again = api.send("POST", "/api/bank/questions/sum/versions", changed)
    assert (again.status_code, again.json()["number"], again.json()["created"]) == (200, 2, False)
    uses = "/api/bank/exams/algebra-101/uses"
    listed = {"id": "opening", "question": "sum", "version": 1, "newer": 2, "edited": False}
    assert api.get(uses).json() == [listed]
    assert api.send("POST", f"{uses}/opening/update", {}).json()["version"] == 2
    kept = api.send("POST", "/api/bank/exams/algebra-101/keep", {"question": "opening"})
    assert (kept.status_code, kept.json()["number"]) == (200, 2)
    new = api.send(
        "POST", "/api/bank/exams/algebra-101/keep", {"question": "opening", "id": "new", "category": "maths"}
    )
    assert (new.status_code, new.json()["question"], new.json()["number"]) == (201, "new", 1)
    other = log_in(people.other_doctor)
    shown = other.get("/api/bank/questions/sum").json()
    assert [each["number"] for each in shown["versions"]] == [1, 2]
    assert (shown["content"]["text"], shown["tags"], shown["author"]) == ("2 + 3 = ?", ["easy"], "noor")
    assert other.get("/api/bank/questions/sum/versions/1").json()["content"] == CONTENT
    assert other.get("/api/bank/categories").json()["results"] == [
        {"path": "maths", "name": "Mathematics", "questions": 1},
        {"path": "maths/sums", "name": "Sums", "questions": 1},
    ]
    assert api.send("PATCH", "/api/bank/questions/sum", {"category": "maths"}).json()["category"] == "maths"
    assert api.send("DELETE", "/api/bank/questions/sum").status_code == 204


def test_the_documented_question_is_stored(people, log_in, maths: Category) -> None:
    """If I send the question that the documentation shows, it is stored as it is shown."""
    text = (REPOSITORY / "docs/bank.md").read_text()
    body = json.loads(text.split("```json\n")[1].split("```")[0])
    category_create(slug="fractions", name="Fractions", parent="maths")
    answer = log_in(people.doctor).send("POST", "/api/bank/questions", body)
    assert (answer.status_code, answer.json()["content"]) == (201, body["content"])


def requests(exam: Exam) -> list[tuple[str, str, Any]]:
    """Every operation of the bank's API."""
    question, uses = "/api/bank/questions/sum", f"/api/bank/exams/{exam.slug}"
    return [
        ("GET", "/api/bank/categories", None),
        ("POST", "/api/bank/categories", {"slug": "new", "name": "New"}),
        ("PATCH", "/api/bank/categories/maths", {"name": "Maths"}),
        ("DELETE", "/api/bank/categories/maths", None),
        ("GET", "/api/bank/questions", None),
        ("POST", "/api/bank/questions", {"id": "new", "category": "maths", "content": CONTENT}),
        ("GET", question, None),
        ("PATCH", question, {"tags": []}),
        ("DELETE", question, None),
        ("POST", f"{question}/versions", {"content": CONTENT}),
        ("GET", f"{question}/versions/1", None),
        ("GET", f"{question}/images/{'0' * 64}", None),
        ("GET", f"{uses}/uses", None),
        ("POST", f"{uses}/take", {"question": "sum"}),
        ("POST", f"{uses}/keep", {"question": "q01", "category": "maths"}),
        ("POST", f"{uses}/uses/q01/update", {}),
    ]


def test_the_list_of_operations_is_complete(algebra: Exam) -> None:
    """Every documented operation of the bank is among those of which the permissions are tested."""
    schema = Client().get("/api/openapi.json").json()
    documented = {
        (method.upper(), path.replace("{slug}", algebra.slug).count("/"))
        for path, operations in schema["paths"].items()
        if path.startswith("/api/bank/")
        for method in operations
    }
    assert documented == {(method, path.count("/")) for method, path, _ in requests(algebra)}
    operations = [
        operation
        for path, each in schema["paths"].items()
        if path.startswith("/api/bank/")
        for operation in each.values()
    ]
    assert len(operations) == len(requests(algebra))
    assert all(operation["description"] or operation["summary"] for operation in operations)


def test_students_reach_nothing_of_the_bank(people, log_in, algebra: Exam, sum_of_two: BankQuestion) -> None:
    """If I am a student, every request is forbidden; without a login, none is authenticated."""
    before = Version.objects.count(), Category.objects.count()
    student = log_in(people.student)
    for method, path, body in requests(algebra):
        answer = student.send(method, path, body)
        assert answer.status_code == 403, (method, path, answer.content)
        assert CHOICES[0]["text"] not in answer.json()["detail"]
        assert Client().generic(method, path).status_code == 401
    assert (Version.objects.count(), Category.objects.count()) == before


def test_staff_read_the_bank_by_permission(people, clerk: User, algebra: Exam, sum_of_two: BankQuestion) -> None:
    """If I am staff, the permission to view the bank shows it to me, and no more; superusers may change it."""
    send = sender(clerk)
    assert {send(*request).status_code for request in requests(algebra)} == {403}
    clerk.user_permissions.add(Permission.objects.get(codename="view_bankquestion"))
    assert send("GET", "/api/bank/questions/sum/versions/1").status_code == 200
    changing = [request for request in requests(algebra) if request[0] != "GET"]
    assert {send(*request).status_code for request in changing} <= {403, 404}
    root = sender(people.admin)
    assert root("PATCH", "/api/bank/questions/sum", {"tags": ["checked"]}).json()["tags"] == ["checked"]
    assert root("PATCH", "/api/bank/categories/maths", {"slug": "mathematics"}).json()["path"] == "mathematics"
    assert root("POST", f"/api/bank/exams/{algebra.slug}/take", {"question": "sum"}).status_code == 201


def test_doctors_change_their_own_alone(people, log_in, algebra: Exam, sum_of_two: BankQuestion) -> None:
    """If a question or an exam is another Doctor's, I read the one and not the other, and change neither."""
    other = log_in(people.other_doctor)
    assert other.get("/api/bank/questions/sum").status_code == 200
    question = "/api/bank/questions/sum"
    for method, path, body in (
        ("PATCH", question, {"tags": []}),
        ("DELETE", question, None),
        ("POST", f"{question}/versions", {"content": CONTENT | {"text": "?"}}),
        ("PATCH", "/api/bank/categories/maths", {"name": "?"}),
        ("DELETE", "/api/bank/categories/maths", None),
    ):
        assert other.send(method, path, body).status_code == 403, path
    for method, path, body in requests(algebra)[-4:]:
        assert other.send(method, path, body).status_code == 404, path
    assert BankQuestion.objects.get().newest == 1


def test_faults_are_listed_with_their_places(people, log_in, maths: Category) -> None:
    """If my content has faults, the response lists each with its place."""
    body = {"id": "q", "category": "maths", "content": CONTENT | {"weight": "heavy", "choices": CHOICES[:1]}}
    answer = log_in(people.doctor).send("POST", "/api/bank/questions", body)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert {fault["where"] for fault in answer.json()["faults"]} >= {"content.weight"}
    missing = log_in(people.doctor).send("POST", "/api/bank/questions", body | {"category": "no/such"})
    assert (missing.status_code, missing.json()["detail"]) == (404, "category 'no/such' not found")


def test_images_are_shown_with_their_question(people, log_in, maths: Category) -> None:
    """If a version has an image, I get it with the question, and no other question shows it."""
    image = image_store(data=PIXEL)
    api = log_in(people.doctor)
    body = {"id": "q", "category": "maths", "content": CONTENT | {"image": image.sha256}}
    assert api.send("POST", "/api/bank/questions", body).status_code == 201
    api.send("POST", "/api/bank/questions", body | {"id": "plain", "content": CONTENT})
    shown = log_in(people.other_doctor).get(f"/api/bank/questions/q/images/{image.sha256}")
    assert (shown.status_code, shown["Content-Type"], shown.content) == (200, "image/png", bytes(image.data))
    assert api.get(f"/api/bank/questions/plain/images/{image.sha256}").status_code == 404


@pytest.fixture
def library(people) -> Callable[[range], None]:
    """Puts questions of two kinds, categories and authors into the bank, one for each number."""
    for slug, parent in (("maths", None), ("algebra", "maths"), ("maths-2", None)):
        category_create(slug=slug, name=slug, parent=parent)
    categories = [Category.objects.get(path=path) for path in ("maths", "maths/algebra", "maths-2")]

    def _fill(numbers: range) -> None:
        for n in numbers:
            essay = {"kind": "essay", "text": f"Why {n} PERCENT%?"}
            question_create(
                by=people.doctor if n % 2 else people.other_doctor,
                ident=f"q{n:04}",
                category=categories[n % 3],
                tags=["even" if n % 2 == 0 else "odd", f"t{n}"],
                content=essay if n % 5 == 0 else CONTENT,
            )

    return _fill


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, range(12)),
        ({"category": "maths"}, (0, 1, 3, 4, 6, 7, 9, 10)),
        ({"category": "maths/algebra"}, (1, 4, 7, 10)),
        ({"tag": "EVEN"}, range(0, 12, 2)),
        ({"tag": "t7"}, (7,)),
        ({"kind": KindName.ESSAY.value}, (0, 5, 10)),
        ({"text": "percent%"}, (0, 5, 10)),
        ({"text": "per_ent"}, ()),
        ({"author": "Noor"}, range(1, 12, 2)),
        ({"author": "noor", "kind": "essay", "category": "maths-2"}, (5,)),
    ],
)
def test_questions_are_found(people, log_in, library, query: dict[str, str], numbers: Any) -> None:
    """I find questions by category with all within it, tag, kind, text and author, and by several at once."""
    library(range(12))
    found = log_in(people.doctor).get("/api/bank/questions", **query).json()
    assert [each["id"] for each in found["results"]] == [f"q{n:04}" for n in numbers]
    assert found["count"] == len(numbers)


def test_a_search_for_what_does_not_exist_says_so(people, log_in, library) -> None:
    """If I mistype a category, an author or a kind, I am shown so, instead of an empty list."""
    api = log_in(people.doctor)
    assert api.get("/api/bank/questions", category="math").status_code == 404
    assert api.get("/api/bank/questions", author="nor").status_code == 404
    assert api.get("/api/bank/questions", kind="riddle").status_code == 422
    assert api.get("/api/bank/questions/none").status_code == 404
    assert api.get("/api/bank/questions", tag="none").json()["results"] == []


def test_pages_take_the_same_queries(people, log_in, library) -> None:
    """However many questions the bank has, a page takes the same queries, and reads no content."""
    api = log_in(people.doctor)
    counts = []
    for numbers in (range(2), range(2, 40)):
        library(numbers)
        for path in ("/api/bank/questions", "/api/bank/categories"):
            with CaptureQueriesContext(connection) as captured:
                page = api.get(path, limit=30).json()
            assert page["count"] >= 2
            assert not [query for query in captured if '"content"' in query["sql"]]
            counts.append(len(captured))
    assert counts[:2] == counts[2:]
    page = api.get("/api/bank/questions", limit=30, offset=30).json()
    assert (page["count"], page["next"], len(page["results"])) == (40, None, 10)
