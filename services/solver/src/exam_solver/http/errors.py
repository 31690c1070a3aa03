"""Responses for every refusal, those of the framework included, as ``application/problem+json``."""

from collections.abc import Mapping

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from exam_core.problems import Problem, ProblemKind
from exam_runtime.problems import ProblemResponse, kind_for_status


def problem_response(problem: Problem, *, instance: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response for a problem; `instance` is the request's path."""
    content = ProblemResponse.of(problem, instance=instance)
    return Response(
        content.body,
        status_code=content.status,
        media_type=content.media_type,
        headers={**content.headers, **(headers or {})},
    )


async def on_problem(request: Request, error: Exception) -> Response:
    """Handle a `Problem` that a route raised."""
    if not isinstance(error, Problem):
        raise error
    return problem_response(error, instance=request.url.path)


async def on_answer_log_unavailable(request: Request, error: Exception) -> Response:
    """Handle an answer log that did not respond, where no answer may have been written by the request."""
    problem = Problem(ProblemKind.UNAVAILABLE, "the answer store does not respond; try again", retry_after=1)
    problem.__cause__ = error
    return await on_problem(request, problem)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Handle a refusal by the framework: unknown path, unsupported method."""
    if not isinstance(error, HTTPException):
        raise error
    problem = Problem(kind_for_status(error.status_code), f"{request.method} {request.url.path}: {error.detail}")
    return problem_response(problem, instance=request.url.path, headers=error.headers)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Handle a path or parameter that the framework found invalid."""
    if not isinstance(error, RequestValidationError):
        raise error
    detail = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return await on_problem(request, Problem(ProblemKind.INVALID, detail))
