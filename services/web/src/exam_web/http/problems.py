"""Exceptions of the APIs as problem+json responses."""

from collections.abc import Callable

from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from psycopg.errors import CheckViolation
from psycopg_pool import PoolTimeout

from exam_core.problems import MEDIA_TYPE, Problem, ProblemKind
from exam_runtime.problems import ProblemResponse, kind_for_status

RETRY_SECONDS = 2
DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeout)
"""Raised while PostgreSQL is not reachable."""


def problem_response(problem: Problem) -> HttpResponse:
    """The RFC 9457 response for a problem."""
    response = ProblemResponse.of(problem)
    return HttpResponse(
        response.body, status=response.status, content_type=response.media_type, headers=response.headers
    )


def database_unavailable() -> Problem:
    """The problem while PostgreSQL is not reachable."""
    return Problem(ProblemKind.UNAVAILABLE, "the database is not reachable; try again", retry_after=RETRY_SECONDS)


class MethodNotAllowedProblems:
    """Middleware that turns 405 responses into problems: the APIs return them without raising an exception."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        response = self.get_response(request)
        if response.status_code != ProblemKind.METHOD_NOT_ALLOWED.status or response["Content-Type"] == MEDIA_TYPE:
            return response
        allowed = response["Allow"]
        problem = problem_response(Problem(ProblemKind.METHOD_NOT_ALLOWED, f"allowed methods: {allowed}"))
        problem["Allow"] = allowed
        return problem


def register_problem_handlers(api: NinjaAPI) -> None:
    """Make an API respond to every exception with a problem."""

    @api.exception_handler(Problem)
    def on_problem(_: HttpRequest, problem: Problem) -> HttpResponse:
        return problem_response(problem)

    @api.exception_handler(ValidationError)
    def on_validation_error(_: HttpRequest, error: ValidationError) -> HttpResponse:
        faults = [{"where": ".".join(map(str, e["loc"])), "reason": str(e["msg"])} for e in error.errors]
        detail = "; ".join(f"{fault['where']}: {fault['reason']}" for fault in faults)
        return problem_response(Problem(ProblemKind.INVALID, detail, faults=faults))

    @api.exception_handler(AuthenticationError)
    def on_authentication_error(_: HttpRequest, __: AuthenticationError) -> HttpResponse:
        return problem_response(Problem(ProblemKind.UNAUTHENTICATED, "send a token as Authorization: Bearer …"))

    @api.exception_handler(HttpError)
    def on_http_error(_: HttpRequest, error: HttpError) -> HttpResponse:
        return problem_response(Problem(kind_for_status(error.status_code), error.message))

    @api.exception_handler(Http404)
    def on_not_found(request: HttpRequest, _: Http404) -> HttpResponse:
        return problem_response(Problem(ProblemKind.NOT_FOUND, f"{request.path} not found"))

    @api.exception_handler(DataError)
    @api.exception_handler(UnicodeEncodeError)
    def on_data_error(_: HttpRequest, __: DataError | UnicodeEncodeError) -> HttpResponse:
        # A value that passed the field's validation and that PostgreSQL cannot store: a NUL character or half of a
        # surrogate pair in a text, a number that is out of range.
        return problem_response(
            Problem(ProblemKind.INVALID, "a value has characters that cannot be stored or is out of range")
        )

    @api.exception_handler(IntegrityError)
    def on_integrity_error(_: HttpRequest, error: IntegrityError) -> HttpResponse:
        if isinstance(error.__cause__, CheckViolation):
            constraint = error.__cause__.diag.constraint_name
            return problem_response(Problem(ProblemKind.INVALID, f"a value is out of bounds (constraint {constraint})"))
        # Services check before they write, so only a concurrent change gets here.
        return problem_response(Problem(ProblemKind.CONFLICT, "changed concurrently; read it again and retry"))

    for error in DATABASE_ERRORS:
        api.add_exception_handler(error, lambda _request, _error: problem_response(database_unavailable()))
