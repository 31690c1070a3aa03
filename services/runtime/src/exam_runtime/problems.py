"""`exam_core.problems` over HTTP: statuses of frameworks to kinds, problems to responses and back."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from exam_core.problems import MEDIA_TYPE, Problem, ProblemKind

_KIND_BY_STATUS: Final = {
    400: ProblemKind.MALFORMED,
    401: ProblemKind.UNAUTHENTICATED,
    403: ProblemKind.FORBIDDEN,
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD_NOT_ALLOWED,
    409: ProblemKind.CONFLICT,
    413: ProblemKind.BODY_TOO_LARGE,
    415: ProblemKind.UNSUPPORTED_MEDIA_TYPE,
    422: ProblemKind.INVALID,
    429: ProblemKind.TOO_MANY_REQUESTS,
    503: ProblemKind.UNAVAILABLE,
}
_KIND_BY_SLUG: Final = {kind.slug: kind for kind in ProblemKind}


def kind_for_status(status: int) -> ProblemKind:
    """The kind of a refusal that a framework made by itself and of which only the HTTP status is known."""
    default = ProblemKind.INTERNAL if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ProblemKind.MALFORMED
    return _KIND_BY_STATUS.get(status, default)


def internal_problem() -> Problem:
    """The problem for an unexpected exception: its cause is in the log alone, under the request's id."""
    return Problem(ProblemKind.INTERNAL, "the cause is in the service's log under this response's X-Request-ID")


@dataclass(frozen=True, slots=True)
class ProblemResponse:
    """A problem as an HTTP response, for any framework."""

    status: int
    headers: dict[str, str]
    body: bytes
    media_type: str = MEDIA_TYPE

    @classmethod
    def of(cls, problem: Problem, *, instance: str | None = None) -> Self:
        """The response for a problem; `instance` is the request's path. No cache may keep it."""
        return cls(
            status=problem.kind.status,
            headers={"Cache-Control": "no-store", **problem.headers},
            body=json.dumps(problem.body(instance=instance), separators=(",", ":")).encode(),
        )


@dataclass(frozen=True, slots=True)
class ReceivedProblem:
    """A problem that another service answered with.

    Attributes:
        slug: the last part of its type.
        detail: what was wrong.
        kind: the catalogue's entry; None when this release does not know the slug.
    """

    slug: str
    detail: str
    kind: ProblemKind | None

    @classmethod
    def parse(cls, body: bytes) -> Self | None:
        """Read the body of an error response; None when it is no problem document."""
        try:
            members = json.loads(body)
            slug, detail = members["type"].rpartition("/")[2], members["detail"]
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        return cls(slug=slug, detail=str(detail), kind=_KIND_BY_SLUG.get(slug))
