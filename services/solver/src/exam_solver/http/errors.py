"""Every refusal as ``application/problem+json``, those of the framework too."""

import json
from collections.abc import Mapping

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from exam_core.problems import MEDIA_TYPE, Problem, ProblemKind

_BY_STATUS = {
    400: ProblemKind.MALFORMED,
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD_NOT_ALLOWED,
    413: ProblemKind.BODY_TOO_LARGE,
    415: ProblemKind.UNSUPPORTED_MEDIA_TYPE,
    422: ProblemKind.INVALID,
}


def problem_response(problem: Problem, *, instance: str, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP form of a refusal; `instance` is the path that was asked for."""
    return Response(
        json.dumps(problem.body(instance=instance), separators=(",", ":")),
        status_code=problem.kind.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers, **(headers or {})},
    )


async def on_problem(request: Request, error: Exception) -> Response:
    """What a route refused."""
    if not isinstance(error, Problem):
        raise error
    return problem_response(error, instance=request.url.path)


async def on_store_down(request: Request, error: Exception) -> Response:
    """What the answer log could not do in time; where an answer hangs on it, `answering` has said so already."""
    problem = Problem(ProblemKind.UNAVAILABLE, "the answer store does not answer now; send it again", retry_after=1)
    problem.__cause__ = error
    return await on_problem(request, problem)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What the framework refused: no such address, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    kind = _BY_STATUS.get(error.status_code, ProblemKind.INTERNAL)
    problem = Problem(kind, f"{request.method} {request.url.path}: {error.detail}")
    return problem_response(problem, instance=request.url.path, headers=error.headers)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """What the framework found wrong with an address or a parameter."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return await on_problem(request, Problem(ProblemKind.INVALID, wrong))


def internal() -> Problem:
    """What a caller is told of a fault of ours: that it is one. The rest is in the log, under the request's id."""
    return Problem(ProblemKind.INTERNAL, "the fault is in our log under this answer's X-Request-ID")
