"""Problems as answers: the edge between the catalogue and HTTP."""

import json
from collections.abc import Callable

from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from psycopg_pool import PoolTimeout

from exam_core.problems import MEDIA_TYPE, Problem, ProblemKind

RETRY_SECONDS = 2
_BY_STATUS = {
    400: ProblemKind.MALFORMED,
    403: ProblemKind.FORBIDDEN,
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD_NOT_ALLOWED,
    413: ProblemKind.BODY_TOO_LARGE,
    415: ProblemKind.UNSUPPORTED_MEDIA_TYPE,
}
STORE_DOWN = (OperationalError, InterfaceError, PoolTimeout)
"""How PostgreSQL's absence shows."""


def problem_response(problem: Problem) -> HttpResponse:
    """A problem as RFC 9457 has it."""
    return HttpResponse(
        json.dumps(problem.body()), status=problem.kind.status, content_type=MEDIA_TYPE, headers=problem.headers
    )


def store_down() -> Problem:
    """PostgreSQL does not answer."""
    return Problem(
        ProblemKind.UNAVAILABLE, "the database does not answer now; try again soon", retry_after=RETRY_SECONDS
    )


def method_not_allowed(allowed: str) -> Problem:
    """The address is there and does not take the method."""
    return Problem(ProblemKind.METHOD_NOT_ALLOWED, f"this address takes {allowed}")


class ProblemsForMethods:
    """Middleware: the APIs answer a wrong method without an exception, so it becomes a problem here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        response = self.get_response(request)
        if response.status_code != ProblemKind.METHOD_NOT_ALLOWED.status or response["Content-Type"] == MEDIA_TYPE:
            return response
        allowed = response["Allow"]
        problem = problem_response(method_not_allowed(allowed))
        problem["Allow"] = allowed
        return problem


def answer_with_problems(api: NinjaAPI) -> None:
    """Let an API answer every refusal from the catalogue."""

    @api.exception_handler(Problem)
    def on_problem(_: HttpRequest, problem: Problem) -> HttpResponse:
        return problem_response(problem)

    @api.exception_handler(ValidationError)
    def on_validation(_: HttpRequest, error: ValidationError) -> HttpResponse:
        faults = [{"where": ".".join(map(str, e["loc"])), "reason": str(e["msg"])} for e in error.errors]
        detail = "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults)
        return problem_response(Problem(ProblemKind.INVALID, detail, faults=faults))

    @api.exception_handler(AuthenticationError)
    def on_unauthenticated(_: HttpRequest, __: AuthenticationError) -> HttpResponse:
        return problem_response(Problem(ProblemKind.UNAUTHENTICATED, "send a token as Authorization: Bearer …"))

    @api.exception_handler(HttpError)
    def on_http_error(_: HttpRequest, error: HttpError) -> HttpResponse:
        kind = _BY_STATUS.get(error.status_code, ProblemKind.MALFORMED)
        return problem_response(Problem(kind, error.message))

    @api.exception_handler(Http404)
    def on_missing(request: HttpRequest, _: Http404) -> HttpResponse:
        return problem_response(Problem(ProblemKind.NOT_FOUND, f"there is nothing at {request.path}"))

    @api.exception_handler(DataError)
    def on_unfit(_: HttpRequest, __: DataError) -> HttpResponse:
        # What no field's rule caught and PostgreSQL cannot hold: a NUL character in a text, a number beyond bounds.
        return problem_response(Problem(ProblemKind.INVALID, "a value has characters or a size that cannot be kept"))

    @api.exception_handler(IntegrityError)
    def on_race(_: HttpRequest, __: IntegrityError) -> HttpResponse:
        # Services check before they write; what only the database finds came in between.
        return problem_response(Problem(ProblemKind.CONFLICT, "somebody else changed it at the same time; look again"))

    for error in STORE_DOWN:
        api.add_exception_handler(error, lambda _request, _error: problem_response(store_down()))
