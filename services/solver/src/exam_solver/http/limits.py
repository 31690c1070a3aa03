"""Limits on concurrent requests and on the size of a body; what exceeds them is refused at once.

An unbounded queue would delay every student; a refusal with Retry-After delays one student by a second.
"""

from collections import Counter
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exam_core.problems import Problem, ProblemKind
from exam_core.tokens import Attempt
from exam_solver.http.authentication import principal_of
from exam_solver.http.errors import problem_response


class InFlightLimitMiddleware:
    """Pure ASGI: serves at most `limit` requests under /v1/ at once; probes and metrics are not limited.

    `on_change` is called with the number of requests in flight whenever it changes.
    """

    def __init__(self, app: ASGIApp, *, limit: int, on_change: Callable[[int], None]) -> None:
        self._app = app
        self._limit = limit
        self._on_change = on_change
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limit:
            problem = Problem(
                ProblemKind.OVERLOADED, f"the limit of {self._limit} requests in flight is reached", retry_after=1
            )
            await problem_response(problem, instance=scope["path"])(scope, receive, send)
            return
        self._add(1)
        try:
            await self._app(scope, receive, send)
        finally:
            self._add(-1)

    def _add(self, count: int) -> None:
        self._in_flight += count
        self._on_change(self._in_flight)


class StudentLimitMiddleware:
    """Pure ASGI, after authentication: serves at most `limit` requests of one student at once, on all devices together.

    Otherwise one student could use up the limit of requests in flight, and all others would be refused.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._in_flight: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        principal = principal_of(scope) if scope["type"] == "http" else None
        if principal is None:
            await self._app(scope, receive, send)
            return
        student = principal.student if isinstance(principal, Attempt) else principal.subject
        if self._in_flight[student] >= self._limit:
            problem = Problem(
                ProblemKind.TOO_MANY_REQUESTS,
                f"{self._limit} requests of this student are being served already; wait for their responses",
                retry_after=1,
            )
            await problem_response(problem, instance=scope["path"])(scope, receive, send)
            return
        self._in_flight[student] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight[student] -= 1
            if not self._in_flight[student]:
                del self._in_flight[student]


class BodyLimitMiddleware:
    """Pure ASGI: rejects bodies above `limit` bytes without buffering them.

    By Content-Length a body is rejected before any of it is read. A chunked body is counted while the route reads it,
    whose read then raises the `Problem`.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if length.isdigit() and int(length[:20]) > self._limit:
            await problem_response(self._problem(), instance=scope["path"])(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self._limit:
                    raise self._problem()
            return message

        await self._app(scope, receive_counted, send)

    def _problem(self) -> Problem:
        return Problem(ProblemKind.BODY_TOO_LARGE, f"a body may have at most {self._limit} bytes")
