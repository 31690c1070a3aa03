"""What an operator sees: a log line and a measurement of each request, and counters of what became of answers."""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exam_solver.health import Lifecycle
from exam_solver.http.errors import internal, problem_response
from exam_solver.metrics import Metrics

logger = structlog.get_logger(__name__)

HANG_UP: Final = 499
"""The status that a request is counted under when its client did not wait for one."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")


class RequestContext:
    """Pure ASGI, outermost: names each request, logs and measures it, and turns our faults into a problem.

    While the process drains it closes connections after their answer, so that nothing new comes in on them.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, lifecycle: Lifecycle) -> None:
        self._app = app
        self._metrics = metrics
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = HANG_UP
        answered = False

        async def named(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                if self._lifecycle.draining:
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            try:
                await self._app(scope, receive, named)
            except ClientDisconnect:
                logger.info("client_hung_up", path=scope["path"])
            except Exception:
                logger.exception("fault", method=scope["method"], path=scope["path"])
                if answered:
                    raise
                await problem_response(internal(), instance=scope["path"])(scope, receive, named)
            finally:
                self._ended(scope, status, time.perf_counter() - began)

    def _ended(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requested(method=_method(scope), route=route, status=status, seconds=seconds)
        # Probes come every few seconds from everywhere: they would bury what people do.
        say = logger.info if scope["path"].startswith("/v1/") else logger.debug
        say("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 2))


def _request_id(scope: Scope) -> bytes:
    """The id a proxy gave the request, if it is one; otherwise a new one."""
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex.encode()


def _method(scope: Scope) -> str:
    """The method as a label: strangers may invent methods, but not time series."""
    method: str = scope["method"]
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"
