"""Logs that a machine reads, a request id that travels, and metrics of every request."""

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from exam_web import metrics

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

log = structlog.get_logger("exam_web.access")


def configure_logs(level: str) -> None:
    """Everything, ours and libraries', as one JSON object a line on stderr."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


class Observe:
    """Middleware, outermost: gives each request its id, counts it and writes its line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
            seconds = time.perf_counter() - began
            # The route, not the path: paths have names in them and no bound.
            route = request.resolver_match.route if request.resolver_match else "unknown"
            metrics.REQUESTS.labels(request.method or "", route, response.status_code).observe(seconds)
            if request.path not in _QUIET:
                log.info(
                    "request",
                    method=request.method,
                    path=request.path,
                    status=response.status_code,
                    seconds=round(seconds, 4),
                )
        response["X-Request-ID"] = request_id
        return response
