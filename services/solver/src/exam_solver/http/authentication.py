"""Authentication of requests: the bearer token's principal, and the token that a route requires."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Attempt, Role
from exam_solver.auth.authenticator import Authenticator, Principal, not_accepted
from exam_solver.http.errors import problem_response

OPENAPI = "/v1/openapi.json"
OPEN_PATHS = frozenset({"/v1/keys", OPENAPI})
"""Addresses under /v1/ that ask nobody who they are."""


class Authentication:
    """Pure ASGI: puts the principal into the request's state; routes say whom they want (`student`, `attempt`)."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/") and scope["path"] not in OPEN_PATHS:
            try:
                token = bearer(scope)
                if token is not None:
                    principal = await self._authenticator.principal(token)
                    scope.setdefault("state", {})["principal"] = principal
            except Problem as problem:
                await problem_response(problem, instance=scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)


def bearer(scope: Scope) -> str | None:
    """The request's bearer token, None without an Authorization header."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        return None
    scheme, _, token = given[0].partition(b" ")
    if len(given) > 1 or scheme.lower() != b"bearer":
        raise Problem(ProblemKind.UNAUTHENTICATED, 'send one header "Authorization: Bearer <token>"')
    return str(token.strip().decode("latin-1"))


def student(request: Request) -> Access:
    """The student an access token speaks for.

    Raises:
        Problem: UNAUTHENTICATED without an access token, FORBIDDEN for anybody but a student.
    """
    principal = _present(request)
    if not isinstance(principal, Access):
        raise not_accepted("an access token is needed here, as logging in gives it")
    if principal.role is not Role.STUDENT:
        raise Problem(ProblemKind.FORBIDDEN, f"students sit exams; this token speaks for a {principal.role.value}")
    return principal


def attempt(request: Request) -> Attempt:
    """The attempt at the sitting in the request's path.

    Raises:
        Problem: UNAUTHENTICATED without an attempt token, FORBIDDEN for another sitting's and for doctors.
    """
    principal = _present(request)
    if not isinstance(principal, Attempt):
        student(request)
        raise not_accepted("an attempt token is needed here, as starting the attempt gives it")
    if principal.sitting != request.path_params["sitting"]:
        raise Problem(ProblemKind.FORBIDDEN, f"the attempt token is for sitting {principal.sitting}")
    return principal


def student_or_attempt(request: Request) -> Principal:
    """Either of the two."""
    return attempt(request) if isinstance(_present(request), Attempt) else student(request)


def _present(request: Request) -> Principal:
    principal: Principal | None = request.scope.get("state", {}).get("principal")
    if principal is None:
        raise Problem(ProblemKind.UNAUTHENTICATED, 'send a token: "Authorization: Bearer <token>"')
    return principal
