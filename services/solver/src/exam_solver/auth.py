"""Who is asking: bearer tokens, checked once and remembered until they expire or are revoked.

Access tokens are web's, attempt tokens are ours. The platform's clock decides what has expired.
"""

from contextlib import suppress

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from exam_core.instants import rfc3339
from exam_core.keys import PublicKeySet
from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Access, Attempt, Role, TokenKind, UnknownKeyError, kind_of, read_access, read_attempt
from exam_solver.errors import problem_response
from exam_solver.leasing import LeaseKeeper
from exam_solver.lru import Lru
from exam_solver.revocations import Revocations
from exam_solver.web import Web

Principal = Access | Attempt
OPENAPI = "/v1/openapi.json"
OPEN_PATHS = frozenset({"/v1/keys", OPENAPI})
"""Addresses under /v1/ that ask nobody who they are."""


class Authenticator:
    """Tells whom a token speaks for.

    Args:
        keeper: the platform's time.
        revocations: what is honoured no longer.
        own: the keys of attempt tokens.
        web: the keys of access tokens.
        remembered: how many verified tokens are kept.
    """

    def __init__(
        self, *, keeper: LeaseKeeper, revocations: Revocations, own: PublicKeySet, web: Web, remembered: int = 10_000
    ) -> None:
        self._keeper = keeper
        self._revocations = revocations
        self._own = own
        self._web = web
        self._verified: Lru[str, Principal] = Lru(remembered)

    async def principal(self, token: str) -> Principal:
        """Whom the token speaks for.

        Raises:
            Problem: UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED; UNAVAILABLE when nobody can tell now.
        """
        principal = self._verified.get(token)
        if principal is None:
            principal = await self._verify(token)
            self._verified.put(token, principal)
        if isinstance(principal, Attempt):
            subject = principal.student
        else:
            subject = principal.subject
            if self._keeper.time() >= principal.expires_at:
                self._verified.drop(token)
                raise Problem(ProblemKind.TOKEN_EXPIRED, f"the token expired at {rfc3339(principal.expires_at)}")
        self._revocations.check(session=str(principal.session), subject=subject, issued_at=principal.issued_at)
        return principal

    async def _verify(self, token: str) -> Principal:
        try:
            match kind_of(token):
                case TokenKind.ACCESS:
                    return await self._verify_access(token)
                case TokenKind.ATTEMPT:
                    return read_attempt(token, self._own)
                case _:
                    raise _refused("a refresh token opens nothing here")
        except UnknownKeyError as error:
            raise _refused("no known key signed it") from error
        except (RecursionError, KeyError, TypeError, ValueError) as error:
            raise _refused("it cannot be read") from error

    async def _verify_access(self, token: str) -> Access:
        now = self._keeper.time()
        with suppress(UnknownKeyError):
            return read_access(token, self._web.keys, now=now)
        with suppress(UnknownKeyError):
            return read_access(token, await self._web.refresh(), now=now)
        return await self._web.introspect(token)


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
        raise _refused("an access token is needed here, as logging in gives it")
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
        raise _refused("an attempt token is needed here, as starting the attempt gives it")
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


def _refused(why: str) -> Problem:
    return Problem(ProblemKind.UNAUTHENTICATED, f"the token is not accepted: {why}")
