"""Authenticate requests, and require the kind of token that a route needs."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Attempt, Role
from exam_solver.auth.authenticator import Authenticator, Principal
from exam_solver.auth.rejection import token_rejected
from exam_solver.http.errors import problem_response

OPENAPI = "/v1/openapi.json"
PUBLIC_PATHS = frozenset({"/v1/keys", OPENAPI})
"""Paths under /v1/ that need no token."""


class AuthenticationMiddleware:
    """Pure ASGI: puts the principal into the request's state. Routes require one by `require_student` and the like."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/") and scope["path"] not in PUBLIC_PATHS:
            try:
                token = bearer_token(scope)
                if token is not None:
                    principal = await self._authenticator.authenticate(token)
                    scope.setdefault("state", {})["principal"] = principal
            except Problem as problem:
                await problem_response(problem, instance=scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)


def bearer_token(scope: Scope) -> str | None:
    """The request's bearer token; None without an Authorization header.

    Raises:
        Problem: UNAUTHENTICATED for more than one header or another scheme.
    """
    headers = [value for name, value in scope["headers"] if name == b"authorization"]
    if not headers:
        return None
    scheme, _, token = headers[0].partition(b" ")
    if len(headers) > 1 or scheme.lower() != b"bearer":
        raise Problem(ProblemKind.UNAUTHENTICATED, 'send one header "Authorization: Bearer <token>"')
    return str(token.strip().decode("latin-1"))


def principal_of(scope: Scope) -> Principal | None:
    """The principal of an authenticated request."""
    principal: Principal | None = scope.get("state", {}).get("principal")
    return principal


def require_student(request: Request) -> Access:
    """The student that the request's access token is for.

    Raises:
        Problem: UNAUTHENTICATED without an access token, FORBIDDEN for other roles.
    """
    principal = _require_principal(request)
    if not isinstance(principal, Access):
        raise token_rejected("this route needs an access token, which logging in returns")
    if principal.role is not Role.STUDENT:
        raise Problem(ProblemKind.FORBIDDEN, f"only students sit exams; the token's role is {principal.role.value}")
    return principal


def require_attempt(request: Request) -> Attempt:
    """The attempt that the request's attempt token is for; its sitting must be the one in the path.

    Raises:
        Problem: UNAUTHENTICATED without an attempt token, FORBIDDEN for another sitting's and for other roles.
    """
    principal = _require_principal(request)
    if not isinstance(principal, Attempt):
        require_student(request)
        raise token_rejected("this route needs an attempt token, which starting the attempt returns")
    if principal.sitting != request.path_params["sitting"]:
        raise Problem(ProblemKind.FORBIDDEN, f"the attempt token is for sitting {principal.sitting}")
    return principal


def require_student_or_attempt(request: Request) -> Principal:
    """The student of an access token, or the attempt of an attempt token.

    Raises:
        Problem: UNAUTHENTICATED, FORBIDDEN.
    """
    is_attempt = isinstance(_require_principal(request), Attempt)
    return require_attempt(request) if is_attempt else require_student(request)


def _require_principal(request: Request) -> Principal:
    principal = principal_of(request.scope)
    if principal is None:
        raise Problem(ProblemKind.UNAUTHENTICATED, 'send a token: "Authorization: Bearer <token>"')
    return principal
