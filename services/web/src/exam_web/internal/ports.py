"""The two ports of web: the public API and the admin on one, the internal API on the other.

The gateway routes to the public port alone, so that no path, header or rule of a proxy leads to the internal API.
"""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from exam_core.instants import to_micros
from exam_web.common.clock import database_now
from exam_web.settings import ENVIRONMENT

INTERNAL_URLS: Final = "exam_web.internal_urls"
FORMER_URLS: Final = "exam_web.former_urls"
_FORMER_PATHS: Final = ("/internal/", "/api/auth/verify")


class Ports:
    """Middleware that selects the URLs of the port at which a request arrived; by default those of the public API."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        if is_internal(request):
            request.urlconf = INTERNAL_URLS
        elif request.path.startswith(_FORMER_PATHS) and _former_callers_accepted():
            request.urlconf = FORMER_URLS
        return self.get_response(request)


def is_internal(request: HttpRequest) -> bool:
    """Whether a request arrived at the internal port: that of the socket, which no header of a client can name."""
    return str(request.META["SERVER_PORT"]) == ENVIRONMENT.internal_port


def _former_callers_accepted() -> bool:
    until = ENVIRONMENT.former_callers_until
    return until is not None and database_now() < to_micros(until)
