"""The outermost middleware: request id, access log, metrics, and a problem for each unexpected exception."""

import time
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exam_runtime.access_log import log_request
from exam_runtime.metrics import method_label
from exam_runtime.problems import internal_problem
from exam_runtime.request_id import accept_request_id, bound_request_id
from exam_solver.health import Lifecycle
from exam_solver.http.errors import problem_response
from exam_solver.metrics import Metrics

logger = structlog.get_logger(__name__)

CLIENT_CLOSED_REQUEST: Final = 499
"""The status that is recorded when the client disconnected before a response."""


class RequestContextMiddleware:
    """Pure ASGI: binds the request id, logs and measures the request, and answers an exception with INTERNAL.

    While the process drains, each response closes its connection, so that no new request arrives on it.
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
        status = CLIENT_CLOSED_REQUEST
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                if self._lifecycle.draining:
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        began = time.perf_counter()
        with bound_request_id(request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                logger.info("client_disconnected", path=scope["path"])
            except Exception:
                logger.exception("request_failed", method=scope["method"], path=scope["path"])
                if started:
                    raise
                await problem_response(internal_problem(), instance=scope["path"])(scope, receive, send_with_id)
            finally:
                self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = method_label(scope["method"])
        self._metrics.observe_request(method=method, route=route, status=status, seconds=seconds)
        log_request(logger, method=scope["method"], path=scope["path"], status=status, seconds=seconds)


def _request_id(scope: Scope) -> str:
    """The request id of the gateway if it is well-formed, otherwise a new one."""
    received: bytes | None = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
    return accept_request_id(None if received is None else received.decode("latin-1"))
