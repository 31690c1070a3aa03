"""Middleware for what every request has: an id, a log line, metrics."""

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from exam_runtime.access_log import log_request
from exam_runtime.metrics import method_label
from exam_runtime.request_id import HEADER, accept_request_id, bound_request_id
from exam_web import metrics
from exam_web.http.probes import PROBES

log = structlog.get_logger("exam_web.access")


class RequestContext:
    """Outermost middleware: binds the request's id, counts the request and logs it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        request_id = accept_request_id(request.headers.get(HEADER))
        started = time.perf_counter()
        with bound_request_id(request_id):
            response = self.get_response(request)
            seconds = time.perf_counter() - started
            labels = method_label(request.method), _route(request), response.status_code
            metrics.REQUESTS.labels(*labels).observe(seconds)
            log_request(
                log, method=request.method or "", path=request.path, status=response.status_code, seconds=seconds
            )
        response[HEADER] = request_id
        return response


def _route(request: HttpRequest) -> str:
    """The label ``route``: a route and not a path, because paths contain names and are unbounded."""
    if request.path in PROBES:
        return request.path
    return request.resolver_match.route if request.resolver_match else "unknown"
