"""Problem responses, headers and the OpenAPI schema of both APIs."""

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

INTERNAL: dict[str, Any] = {"SERVER_PORT": ENVIRONMENT.internal_port}


def problem(answer: Any) -> tuple[int, str]:
    """The status and slug of a problem response; checks its form."""
    body = json.loads(answer.content)
    assert answer["Content-Type"] == "application/problem+json", answer.content
    assert body["status"] == answer.status_code
    assert {"type", "title", "detail"} <= set(body)
    kind = next(kind for kind in ProblemKind if kind.uri == body["type"])
    assert kind.title == body["title"]
    return answer.status_code, body["type"].removeprefix(BASE)


def test_a_wrong_method_returns_405_with_allow(people, log_in) -> None:
    """A method that a path does not support is a problem that lists the allowed ones."""
    answer = log_in(people.doctor).send("DELETE", "/api/exams")
    assert problem(answer) == (405, "method-not-allowed")
    assert set(answer["Allow"].replace(" ", "").split(",")) == {"GET", "POST"}


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere", "/api/exams/none/nowhere", "/internal/nowhere", "/"])
def test_an_unknown_path_returns_404(people, path: str) -> None:
    """Unknown paths are 404 in problem+json, under every prefix."""
    assert problem(Client().get(path)) == (404, "not-found")


def test_404_in_the_admin_is_html(people) -> None:
    """If I mistype a URL of the admin, I get an HTML page."""
    browser = Client()
    browser.force_login(people.admin)
    answer = browser.get("/admin/exams/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("body", [b"{", b"", b"[1, 2", b"\xff\xfe", b"nonsense"])
def test_invalid_json_is_rejected(people, client, body: bytes) -> None:
    """A body that is not JSON is 400 or 422."""
    answer = client.generic("POST", "/api/auth/refresh", body, content_type="application/json")
    assert problem(answer) in {(400, "malformed"), (422, "invalid")}


def test_an_oversized_body_returns_413(people, client) -> None:
    """A body of more than 5 MiB is rejected."""
    answer = client.generic("POST", "/api/auth/refresh", b" " * (5 * 1024 * 1024 + 1), content_type="application/json")
    assert problem(answer) == (413, "body-too-large")


@pytest.mark.parametrize("title", ["bad \0 character", "", "x" * 201])
def test_a_text_that_cannot_be_stored_returns_422(people, log_in, title: str) -> None:
    """A text with a NUL character, an empty and an oversized one are 422."""
    answer = log_in(people.doctor).send("POST", "/api/exams", {"slug": "x", "title": title, "level": "year-1"})
    assert problem(answer) == (422, "invalid")
    assert not Exam.objects.exists()


@pytest.mark.parametrize("offset", [-1, 10**20, "nan"])
def test_an_offset_out_of_range_is_named(people, log_in, offset: object) -> None:
    """An offset that no list has is 422 with the parameter's name and bound."""
    answer = log_in(people.doctor).get("/api/exams", offset=offset)
    assert problem(answer) == (422, "invalid")
    assert "offset" in answer.json()["detail"]


def test_a_path_with_nul_is_rejected(people, log_in) -> None:
    """A slug that no exam can have is a client error and not 500."""
    assert problem(log_in(people.doctor).get("/api/exams/a%00b"))[0] == 400


def test_every_invalid_field_is_reported(people, log_in) -> None:
    """Every invalid field is listed with its place and reason, so that a form can show it there."""
    body = {"slug": "No Slug", "title": "", "level": 7}
    answer = log_in(people.doctor).send("POST", "/api/exams", body)
    assert problem(answer) == (422, "invalid")
    places = {fault["where"].rsplit(".", 1)[1] for fault in answer.json()["faults"]}
    assert places == {"slug", "title", "level"}


def test_an_upload_without_a_valid_file_returns_422(people, log_in, algebra) -> None:
    """A missing or oversized file is 422."""
    doctor = log_in(people.doctor)
    assert problem(doctor.client.post("/api/exams/algebra-101/images", {})) == (422, "invalid")
    large = SimpleUploadedFile("x.png", b"\x89PNG" + bytes(3_000_000), content_type="image/png")
    assert problem(doctor.client.post("/api/exams/algebra-101/images", {"file": large})) == (422, "invalid")


def test_an_unexpected_exception_returns_500_without_details(people, log_in, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is a problem with the request's id and without its message."""
    client = log_in(people.doctor)
    client.client.raise_request_exception = False

    def broken(*_: object) -> None:
        raise LookupError("a secret detail")

    monkeypatch.setattr("exam_web.exams.selectors.exams_visible_to", broken)
    answer = client.get("/api/exams/algebra-101")
    assert problem(answer) == (500, "internal")
    assert "secret detail" not in answer.content.decode()
    assert answer["X-Request-ID"]


@pytest.mark.parametrize("path", ["/api/me", "/api/auth/refresh", "/internal/sittings/x"])
def test_without_the_database_requests_return_503(people, log_in, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """While PostgreSQL is down every request is 503 with Retry-After."""
    client = log_in(people.student).client if path == "/api/me" else Client(headers={"Authorization": "Bearer x.y.z"})

    def unavailable() -> None:
        raise OperationalError("connection refused")

    for module in ("users.authentication", "users.api", "sittings.selectors", "internal.authentication"):
        monkeypatch.setattr(f"exam_web.{module}.database_now", unavailable)
    monkeypatch.setattr(clock, "database_now", unavailable)
    method = "POST" if path.endswith("refresh") else "GET"
    port = INTERNAL if path.startswith("/internal/") else {}
    answer = client.generic(method, path, b'{"refresh": "x.y.z"}', content_type="application/json", **port)
    assert problem(answer) == (503, "unavailable")
    assert int(answer["Retry-After"]) > 0


def test_a_valid_request_id_is_returned(people) -> None:
    """A valid request id is returned; an invalid one is replaced."""
    for request_id in ("abcdef12-3456", "A" * 64):
        assert Client(headers={"X-Request-ID": request_id}).get("/api/me")["X-Request-ID"] == request_id
    seen = set()
    for request_id in ("short", "x" * 65, "with space in", "läng-genug", 'quote"quote'):
        answer = Client(headers={"X-Request-ID": request_id}).get("/api/me")
        assert answer["X-Request-ID"] != request_id
        seen.add(answer["X-Request-ID"])
    assert len(seen) == 5


@pytest.mark.parametrize("path", ["/api/me", "/admin/login/", "/nowhere", "/api/docs", "/api/docs/solver"])
def test_security_headers(people, path: str) -> None:
    """Pages allow no foreign scripts, no framing and no content sniffing."""
    answer = Client().get(path)
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert "Server" not in answer


def test_the_openapi_schema(people) -> None:
    """The schema lists the paths and the problem response; its page loads nothing from other hosts."""
    schema = Client().get("/api/openapi.json").json()
    assert {"/api/auth/students/login", "/api/exams/{slug}", "/api/degrees", "/api/sittings"} <= set(schema["paths"])
    refusal = schema["paths"]["/api/me"]["get"]["responses"]["default"]["content"]
    assert refusal == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "detail" in schema["components"]["schemas"]["Problem"]["required"]
    for path, address in (("/api/docs", "/api/openapi.json"), ("/api/docs/solver", "/v1/openapi.json")):
        page = Client().get(path).content.decode()
        assert f'"url": "{address}"' in page
        assert "/static/ninja/swagger-ui-bundle.js" in page
        assert "http" not in page.replace("https://www.w3.org", "")


def test_operation_ids_are_unique(people) -> None:
    """Clients are generated from the schema, so no two operations share an id."""
    for api, prefix in ((public_api, "/api/"), (internal_api, "/internal/")):
        paths = api.get_openapi_schema(path_prefix=prefix)["paths"]
        operations = [each for path in paths.values() for each in path.values()]
        names = [operation["operationId"] for operation in operations]
        assert len(set(names)) == len(names)
        assert all(operation.get("description") or operation.get("summary") for operation in operations)


def test_the_internal_api_has_no_schema_and_needs_the_service_token(people, log_in) -> None:
    """The internal API publishes no schema and accepts no requests without a token or with a user's."""
    anyone, person = Client(), log_in(people.doctor).client
    assert anyone.get("/internal/openapi.json", **INTERNAL).status_code == 404
    assert anyone.get("/internal/docs", **INTERNAL).status_code == 404
    for path, operations in internal_api.get_openapi_schema(path_prefix="/internal/")["paths"].items():
        for method in operations:
            for client in (anyone, person, Client(headers={"Authorization": "Bearer wrong"})):
                response = client.generic(
                    method.upper(), path.format(name="x", username="sara", number=1), b"{}", **INTERNAL
                )
                assert problem(response) == (401, "unauthenticated"), (method, path)
                assert response["WWW-Authenticate"] == "Bearer"


def test_public_paths_need_a_token_except_logins(people) -> None:
    """Without a token only login, refresh, logout, verify and reads of keys and signed statements are possible."""
    unauthenticated = {
        f"/api/auth/{name}" for name in ("students/login", "doctors/login", "refresh", "logout", "verify")
    }
    public = {"/api/keys": 200, "/api/sittings/{name}/seal": 404, "/api/sittings/{name}/degrees": 404}
    names = dict.fromkeys(("slug", "ident", "choice", "sha256", "name", "path"), "x") | {"number": "1"}
    for path, operations in public_api.get_openapi_schema()["paths"].items():
        for method in operations:
            answer = Client().generic(method.upper(), path.format(**names), b"{}", content_type="application/json")
            expected = public.get(path, 422 if path in unauthenticated else 401)
            assert answer.status_code == expected, (method, path)
