"""The introspection of the release before, whose solvers name no caller; see `exam_web.former_urls`."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from exam_core.problems import Problem, ProblemKind
from exam_web.http.problems import problem_response
from exam_web.users.authentication import introspect


@csrf_exempt
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Introspect the access token in the body."""
    try:
        token = json.loads(request.body)["token"]
    except (ValueError, TypeError, KeyError):
        token = None
    if not isinstance(token, str):
        return problem_response(Problem(ProblemKind.INVALID, "the body must be an object with a `token`"))
    return JsonResponse(introspect(token))
