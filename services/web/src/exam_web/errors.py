"""What an address outside the APIs answers when it cannot."""

import structlog
from django.http import HttpRequest, HttpResponse

from exam_core.problems import Problem, ProblemKind
from exam_web.problems import problem_response

log = structlog.get_logger(__name__)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """No such address."""
    del exception
    return problem_response(Problem(ProblemKind.NOT_FOUND, f"there is nothing at {request.path}"))


def internal(request: HttpRequest) -> HttpResponse:
    """A fault of ours; Django has logged it, the request id leads there."""
    del request
    return problem_response(Problem(ProblemKind.INTERNAL, "tell us the X-Request-ID of this answer"))
