"""Django's error handlers, for URLs outside the APIs: HTML pages in the admin, problems everywhere else."""

import sys

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from exam_core.problems import Problem, ProblemKind
from exam_runtime.problems import internal_problem
from exam_web.http.problems import DATABASE_ERRORS, database_unavailable, problem_response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, or 413 for a body that is too large."""
    if isinstance(exception, RequestDataTooBig):
        return problem_response(Problem(ProblemKind.BODY_TOO_LARGE, "the body is larger than 5 MiB"))
    return problem_response(Problem(ProblemKind.MALFORMED, f"the request for {request.path} is not valid"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    if _in_admin(request):
        return defaults.page_not_found(request, exception)
    return problem_response(Problem(ProblemKind.NOT_FOUND, f"{request.path} not found"))


def internal(request: HttpRequest) -> HttpResponse:
    """500 for an exception that Django has logged with the request id; 503 while the database is unavailable."""
    if isinstance(sys.exception(), DATABASE_ERRORS):
        return problem_response(database_unavailable())
    if _in_admin(request):
        return defaults.server_error(request)
    return problem_response(internal_problem())


def _in_admin(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")
