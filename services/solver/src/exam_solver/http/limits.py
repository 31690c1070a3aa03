"""How much is taken on: requests at once, bytes of a body. What is too much is refused at the door.

A queue without bound would make everybody late; a refusal with Retry-After costs one student a second.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exam_core.problems import Problem, ProblemKind
from exam_solver.http.errors import problem_response


class InFlightLimit:
    """Pure ASGI: serves so many requests under /v1/ at once; probes and metrics always get through.

    `gauge` is told the number whenever it changes.
    """

    def __init__(self, app: ASGIApp, *, limit: int, gauge: Callable[[int], None]) -> None:
        self._app = app
        self._limit = limit
        self._gauge = gauge
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limit:
            problem = Problem(
                ProblemKind.OVERLOADED, f"{self._limit} requests are in flight here; try again", retry_after=1
            )
            await problem_response(problem, instance=scope["path"])(scope, receive, send)
            return
        self._change(1)
        try:
            await self._app(scope, receive, send)
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._in_flight += by
        self._gauge(self._in_flight)


class BodyLimit:
    """Pure ASGI: refuses bodies above `limit` bytes, announced or not, without keeping them.

    An announced length is refused before a byte is read. A chunked body is counted as it is read by the route, whose
    read then raises the `Problem`.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced[:20]) > self._limit:
            await problem_response(self._problem(), instance=scope["path"])(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._limit:
                    raise self._problem()
            return message

        await self._app(scope, counted, send)

    def _problem(self) -> Problem:
        return Problem(ProblemKind.BODY_TOO_LARGE, f"a body may have {self._limit} bytes")
