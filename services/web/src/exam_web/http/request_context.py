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
from exam_web.http.probes import PROBES

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

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
    logging.captureWarnings(capture=True)
    server = logging.getLogger("gunicorn.error")
    server.handlers, server.propagate = [], True
    # Refusals have their line in our access log; of Django's there remain the faults, with their traceback.
    logging.getLogger("django.request").setLevel(logging.ERROR)


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
            method = request.method if request.method in _METHODS else "other"
            metrics.REQUESTS.labels(method, _route(request), response.status_code).observe(seconds)
            if request.path not in PROBES:
                log.info(
                    "request",
                    method=request.method,
                    path=request.path,
                    status=response.status_code,
                    seconds=round(seconds, 4),
                )
        response["X-Request-ID"] = request_id
        return response


def _route(request: HttpRequest) -> str:
    """What to count a request under: the route, not the path, for paths have names in them and no bound."""
    if request.path in PROBES:
        return request.path
    return request.resolver_match.route if request.resolver_match else "unknown"
