"""What an address outside the APIs answers when it cannot; people in the admin get a page, programs a problem."""

import sys

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from exam_core.problems import Problem, ProblemKind
from exam_web.http.problems import STORE_DOWN, problem_response, store_down


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself refuses to read."""
    if isinstance(exception, RequestDataTooBig):
        return problem_response(Problem(ProblemKind.BODY_TOO_LARGE, "the body is larger than 5 MiB"))
    return problem_response(Problem(ProblemKind.MALFORMED, f"{request.path} cannot be served like this"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No such address."""
    if _for_a_person(request):
        return defaults.page_not_found(request, exception)
    return problem_response(Problem(ProblemKind.NOT_FOUND, f"there is nothing at {request.path}"))


def internal(request: HttpRequest) -> HttpResponse:
    """A fault of ours, which Django has logged with the request id; or PostgreSQL is away."""
    if isinstance(sys.exception(), STORE_DOWN):
        return problem_response(store_down())
    if _for_a_person(request):
        return defaults.server_error(request)
    return problem_response(Problem(ProblemKind.INTERNAL, "tell us the X-Request-ID of this answer"))


def _for_a_person(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")
