"""Who may call what of the internal API: each caller its own routes, at a port of their own."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.test import Client

from exam_core.instants import HOUR
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.service_tokens import Caller, sign_service_token
from exam_harness.environments.processes.paths import REPOSITORY
from exam_web.api import internal_api
from exam_web.common.clock import database_now
from exam_web.internal.authentication import Callers
from exam_web.settings import ENVIRONMENT
from exam_web.users import authentication

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

TABLE = re.compile(
    r"^\| `(?P<method>[A-Z]+) (?P<path>/internal/[^`\[?]*)[^|]*\| (?P<callers>[a-z, ]+) \|", re.MULTILINE
)
NAMES = {"operator": Caller.OPERATOR, "solver": Caller.SOLVER, "tools": Caller.TOOLS}
Call = Callable[..., Any]


@pytest.fixture
def call(people, service_keys) -> Call:
    """Call the internal API as one of the callers."""
    keys = {caller: SigningKeys.read(path.read_text()) for caller, path in service_keys.items()}
    keys[Caller.TOOLS] = authentication.signing_keys()

    def _call(caller: Caller, method: str, path: str, body: object = None, *, token: str = "", **more: Any) -> Any:
        token = token or sign_service_token(caller, keys[caller], now=database_now())
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        more = {"SERVER_PORT": more.pop("port", ENVIRONMENT.internal_port)}
        return Client().generic(
            method, path, json.dumps(body), content_type="application/json", headers=headers, **more
        )

    return _call


def routes() -> Iterator[tuple[str, str, set[Caller]]]:
    """The method, path and callers of each route, by the code."""
    for prefix, router in internal_api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                (auth,) = operation.auth_callbacks
                assert isinstance(auth, Callers)
                for method in operation.methods:
                    yield method, f"/internal{prefix}{path}", set(auth.allowed)


def test_each_caller_calls_its_own_routes_only(call) -> None:
    """If a solver's key is stolen, it opens no route of the operator, and the operator's none of the solvers."""
    found = list(routes())
    assert len(found) >= 16
    for method, path, allowed in found:
        address = path.format(name="none", username="none", number=1)
        for caller in Caller:
            answer = call(caller, method, address)
            assert (answer.status_code == 403) is (caller not in allowed or _needs_namespace(answer)), (method, path)
            if caller not in allowed:
                assert answer.json()["detail"] == f"{caller} may not call {method} {address}"
    assert {path for _, path, allowed in found if Caller.SOLVER in allowed} == {"/internal/tokens/verify"}


def _needs_namespace(answer: Any) -> bool:
    return "Exam-Namespace" in answer.content.decode()


def test_the_documentation_lists_the_callers_of_each_route() -> None:
    """The table in docs/architecture.md has each route with the callers that the code permits."""
    text = (REPOSITORY / "docs/architecture.md").read_text()
    documented = {
        (match["method"], match["path"]): {NAMES[name] for name in match["callers"].split(", ")}
        for match in TABLE.finditer(text)
    }
    short = {"number": "n"}
    coded = {
        (method, re.sub(r"\{(\w+)\}", lambda name: f"{{{short.get(name[1], name[1])}}}", path)): allowed
        for method, path, allowed in routes()
    }
    assert documented == coded


def test_the_operator_names_the_namespace_that_it_acts_for(call, spec) -> None:
    """If the operator's key is stolen, it does not open exams as the platform itself, which only tools may do."""
    path = "/internal/sittings/x"
    refused = call(Caller.OPERATOR, "PUT", path, spec())
    assert (refused.status_code, "send Exam-Namespace" in refused.json()["detail"]) == (403, True)
    named = {"Exam-Namespace": "finals"}
    for answer in (call(Caller.OPERATOR, "PUT", path, spec(), headers=named), call(Caller.TOOLS, "PUT", path, spec())):
        assert "exam 'algebra-101' not found" in answer.json()["detail"]


def test_a_key_that_web_does_not_have_is_rejected(call) -> None:
    """A token that names the operator is rejected if another key has signed it, and so is a user's token."""
    stranger = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})
    token = sign_service_token(Caller.OPERATOR, stranger, now=database_now())
    answer = call(Caller.OPERATOR, "GET", "/internal/sittings/x", token=token)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_the_public_port_has_no_internal_paths(call, log_in, people) -> None:
    """If a request for an internal path gets past the gateway, the public port returns 404, whatever token it has."""
    for caller in Caller:
        answer = call(caller, "GET", "/internal/sittings/x", port="8000", headers={"Host": "localhost:8001"})
        assert answer.status_code == 404, caller
    assert call(Caller.SOLVER, "POST", "/internal/tokens/verify", {"token": "x"}, port="8000").status_code == 404
    assert call(Caller.SOLVER, "POST", "/api/auth/verify", {"token": "x"}, port="8000").status_code == 404
    assert log_in(people.student).get("/api/me").status_code == 200


@pytest.mark.parametrize("path", ["/api/me", "/admin/login/", "/.well-known/jwks.json", "/api/auth/verify"])
def test_the_internal_port_has_no_public_paths(call, path: str) -> None:
    """The internal port serves the internal API alone, and no page or login."""
    assert call(Caller.TOOLS, "GET", path).status_code == 404


def test_introspection_wants_a_solver(call, log_in, people) -> None:
    """A token is introspected for solvers alone, and not for whom it is shown to."""
    token = log_in(people.student).client.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    body = {"token": token}
    assert call(Caller.SOLVER, "POST", "/internal/tokens/verify", body).json()["sub"] == str(people.student.pk)
    assert call(Caller.SOLVER, "POST", "/internal/tokens/verify", body, token=token).status_code == 401
    assert call(Caller.OPERATOR, "POST", "/internal/tokens/verify", body).status_code == 403


def test_web_issues_tokens_to_tools(call, capsys) -> None:
    """If I may run web's commands, I get a token for the internal API that expires within the time that I name."""
    call_command("service_token", "--minutes", "30")
    token = capsys.readouterr().out.strip()
    assert call(Caller.TOOLS, "GET", "/internal/sittings/x", token=token).status_code == 404
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 30 * 60
    for minutes in ("0", "721"):
        with pytest.raises(CommandError, match="--minutes must be 1 to 720"):
            call_command("service_token", "--minutes", minutes)


def test_an_expired_token_is_rejected_with_the_time(call, service_keys) -> None:
    """If the operator's clock is an hour behind, the response has the time by which its next token is made."""
    keys = SigningKeys.read(service_keys[Caller.OPERATOR].read_text())
    token = sign_service_token(Caller.OPERATOR, keys, now=database_now() - HOUR)
    answer = call(Caller.OPERATOR, "GET", "/internal/sittings/x", token=token)
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("/token-expired")
    assert answer.json()["now"].endswith("Z")
