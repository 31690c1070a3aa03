"""Responses for every refusal, those of the framework included, as ``application/problem+json``."""

import re
from collections.abc import Mapping
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from exam_core.problems import Problem, ProblemKind
from exam_runtime.problems import ProblemResponse, kind_for_status

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


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
    detail = f"{request.method} {request.url.path}: {_not_an_id(request.url.path) or error.detail}"
    problem = Problem(kind_for_status(error.status_code), detail)
    return problem_response(problem, instance=request.url.path, headers=error.headers)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Handle a path or parameter that the framework found invalid."""
    if not isinstance(error, RequestValidationError):
        raise error
    detail = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
    return await on_problem(request, Problem(ProblemKind.INVALID, detail))


def _not_an_id(path: str) -> str | None:
    """Why no route has a path below a sitting that is not given by its id; None for other paths."""
    match path.split("/")[1:]:
        case ["v1", "sittings", sitting, _, *_] if not _UUID.fullmatch(sitting):
            return f"{sitting!r} is not the id of a sitting; web's GET /api/sittings lists each name with its id"
    return None
