"""Everything that is refused says so in one form, and everything that is answered says how it may be used."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client

from exam_core.problems import BASE, ProblemKind
from exam_web.api import internal_api, public_api
from exam_web.common import clock
from exam_web.exams.models import Exam
from exam_web.settings import ENVIRONMENT

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SERVICE = {"Authorization": f"Bearer {ENVIRONMENT.service_token.get_secret_value()}"}


def problem(answer: Any) -> tuple[int, str]:
    """The status and the catalogue's name of a refusal, its form checked."""
    body = json.loads(answer.content)
    assert answer["Content-Type"] == "application/problem+json", answer.content
    assert body["status"] == answer.status_code
    assert {"type", "title", "detail"} <= set(body)
    kind = next(kind for kind in ProblemKind if kind.uri == body["type"])
    assert kind.title == body["title"]
    return answer.status_code, body["type"].removeprefix(BASE)


def test_a_wrong_method_says_which_are_right(people, log_in) -> None:
    """A method that an address does not take is a problem with the list of those it takes."""
    answer = log_in(people.doctor).send("DELETE", "/api/exams")
    assert problem(answer) == (405, "method-not-allowed")
    assert set(answer["Allow"].replace(" ", "").split(",")) == {"GET", "POST"}


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere", "/api/exams/none/nowhere", "/internal/nowhere", "/"])
def test_an_unknown_address_is_a_problem(people, path: str) -> None:
    """What is not there is 404 in the one form, under every prefix."""
    assert problem(Client().get(path)) == (404, "not-found")


def test_a_person_in_the_admin_gets_a_page(people) -> None:
    """Somebody who mistypes an address in the admin reads a page, not JSON."""
    browser = Client()
    browser.force_login(people.admin)
    answer = browser.get("/admin/exams/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("body", [b"{", b"", b"[1, 2", b"\xff\xfe", b"nonsense"])
def test_a_body_that_is_no_json_is_malformed(people, client, body: bytes) -> None:
    """Broken JSON is told apart from JSON with wrong content."""
    answer = client.generic("POST", "/api/auth/verify", body, content_type="application/json")
    assert problem(answer) in {(400, "malformed"), (422, "invalid")}


def test_a_body_beyond_all_bounds_is_refused(people, client) -> None:
    """More than five megabytes are not read."""
    answer = client.generic("POST", "/api/auth/verify", b" " * (5 * 1024 * 1024 + 1), content_type="application/json")
    assert problem(answer) == (413, "body-too-large")


@pytest.mark.parametrize("title", ["bad \0 character", "", "x" * 201])
def test_a_text_that_cannot_be_kept_is_invalid(people, log_in, title: str) -> None:
    """A text with a character that PostgreSQL cannot hold, an empty and a long one are refused by their content."""
    answer = log_in(people.doctor).send("POST", "/api/exams", {"slug": "x", "title": title, "level": "year-1"})
    assert problem(answer) == (422, "invalid")
    assert not Exam.objects.exists()


def test_an_address_with_a_nul_finds_nothing(people, log_in) -> None:
    """A name that no exam can have is refused, not an error."""
    assert problem(log_in(people.doctor).get("/api/exams/a%00b"))[0] in {404, 422}


def test_a_body_is_judged_field_by_field(people, log_in) -> None:
    """Every wrong field is listed with its place and reason, so that a form can show it there."""
    body = {"slug": "No Slug", "title": "", "level": 7}
    answer = log_in(people.doctor).send("POST", "/api/exams", body)
    assert problem(answer) == (422, "invalid")
    places = {fault["where"].rsplit(".", 1)[1] for fault in answer.json()["faults"]}
    assert places == {"slug", "title", "level"}


def test_an_upload_without_a_file_is_invalid(people, log_in, algebra) -> None:
    """Forgetting the file is a problem like any other."""
    doctor = log_in(people.doctor)
    assert problem(doctor.client.post("/api/exams/algebra-101/images", {})) == (422, "invalid")
    large = SimpleUploadedFile("x.png", b"\x89PNG" + bytes(3_000_000), content_type="image/png")
    assert problem(doctor.client.post("/api/exams/algebra-101/images", {"file": large})) == (422, "invalid")


def test_a_fault_of_ours_is_told_without_its_reason(people, log_in, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody thought of is a problem with the request's id, and nothing of its inside."""
    client = log_in(people.doctor)
    client.client.raise_request_exception = False

    def broken(*_: object) -> None:
        raise LookupError("the inside of it")

    monkeypatch.setattr("exam_web.exams.selectors.exams_visible_to", broken)
    answer = client.get("/api/exams/algebra-101")
    assert problem(answer) == (500, "internal")
    assert "inside" not in answer.content.decode()
    assert answer["X-Request-ID"]


@pytest.mark.parametrize("path", ["/api/me", "/api/auth/verify", "/internal/sittings/x"])
def test_a_store_that_is_away_is_503(people, log_in, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """While PostgreSQL is away every call says when to come back."""
    client = log_in(people.student).client if path == "/api/me" else Client(headers=SERVICE)

    def away() -> None:
        raise OperationalError("connection refused")

    for module in ("users.authentication", "users.api", "sittings.selectors"):
        monkeypatch.setattr(f"exam_web.{module}.database_now", away)
    monkeypatch.setattr(clock, "database_now", away)
    monkeypatch.setattr("exam_web.sittings.selectors.sitting_named", lambda _: away())
    method = "POST" if path.endswith("verify") else "GET"
    answer = client.generic(method, path, b'{"token": "x.y.z"}', content_type="application/json")
    assert problem(answer) == (503, "unavailable")
    assert int(answer["Retry-After"]) > 0


def test_a_request_id_travels_when_it_is_one(people) -> None:
    """A sane request id comes back; anything else is replaced."""
    for given in ("abcdef12-3456", "A" * 64):
        assert Client(headers={"X-Request-ID": given}).get("/api/me")["X-Request-ID"] == given
    seen = set()
    for given in ("short", "x" * 65, "with space in", "läng-genug", 'quote"quote'):
        answer = Client(headers={"X-Request-ID": given}).get("/api/me")
        assert answer["X-Request-ID"] != given
        seen.add(answer["X-Request-ID"])
    assert len(seen) == 5


@pytest.mark.parametrize("path", ["/api/me", "/admin/login/", "/nowhere", "/api/docs"])
def test_pages_may_do_nothing_that_we_do_not_need(people, path: str) -> None:
    """No page of ours runs foreign scripts, is framed, or is guessed at."""
    answer = Client().get(path)
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert "Server" not in answer


def test_the_api_describes_itself(people) -> None:
    """The description lists every address; its page needs nothing from elsewhere."""
    described = Client().get("/api/openapi.json").json()
    assert {"/api/auth/students/login", "/api/exams/{slug}", "/api/degrees", "/api/sittings"} <= set(described["paths"])
    refusal = described["paths"]["/api/me"]["get"]["responses"]["default"]["content"]
    assert refusal == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "detail" in described["components"]["schemas"]["Problem"]["required"]
    page = Client().get("/api/docs").content.decode()
    assert "/static/ninja/swagger-ui-bundle.js" in page
    assert "http" not in page.replace("https://www.w3.org", "")


def test_every_operation_has_a_name_of_its_own(people) -> None:
    """Clients are generated from the description, so no two operations share a name."""
    for api in (public_api, internal_api):
        operations = [each for path in api.get_openapi_schema()["paths"].values() for each in path.values()]
        names = [operation["operationId"] for operation in operations]
        assert len(set(names)) == len(names)
        assert all(operation.get("description") or operation.get("summary") for operation in operations)


def test_nothing_internal_is_described_or_open(people, log_in) -> None:
    """The internal calls have no description, and take neither no token nor a person's."""
    anyone, person = Client(), log_in(people.doctor).client
    assert anyone.get("/internal/openapi.json").status_code == 404
    assert anyone.get("/internal/docs").status_code == 404
    for path, operations in internal_api.get_openapi_schema()["paths"].items():
        for method in operations:
            for client in (anyone, person, Client(headers={"Authorization": "Bearer wrong"})):
                asked = client.generic(method.upper(), path.format(name="x", username="sara", number=1), b"{}")
                assert problem(asked) == (401, "unauthenticated"), (method, path)
                assert asked["WWW-Authenticate"] == "Bearer"


def test_every_public_call_but_the_door_wants_a_token(people) -> None:
    """Without a token only logging in, refreshing, logging out and verifying are possible."""
    doors = {f"/api/auth/{door}" for door in ("students/login", "doctors/login", "refresh", "logout", "verify")}
    names = {"slug": "x", "ident": "x", "choice": "x", "sha256": "x"}
    for path, operations in public_api.get_openapi_schema()["paths"].items():
        for method in operations:
            answer = Client().generic(method.upper(), path.format(**names), b"{}", content_type="application/json")
            assert answer.status_code == (422 if path in doors else 401), (method, path)
