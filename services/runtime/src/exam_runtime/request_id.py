"""The request id: given by the gateway or made here, logged with every event, passed on with every call."""

import re
from contextlib import AbstractContextManager
from typing import Final
from uuid import uuid4

import structlog

HEADER: Final = "X-Request-ID"
FIELD: Final = "request_id"
"""The field of log events and of Celery's message headers."""
_VALID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


def new_request_id() -> str:
    """A random request id."""
    return uuid4().hex


def accept_request_id(value: str | None) -> str:
    """The caller's request id if it is well-formed, otherwise a new one.

    Anything else could forge log lines or fill them.
    """
    return value if value is not None and _VALID.fullmatch(value) else new_request_id()


def current_request_id() -> str | None:
    """The request id that events are logged under now."""
    value: str | None = structlog.contextvars.get_contextvars().get(FIELD)
    return value


def bound_request_id(request_id: str) -> AbstractContextManager[object]:
    """Log under a request id inside the block."""
    return structlog.contextvars.bound_contextvars(**{FIELD: request_id})


def request_id_headers() -> dict[str, str]:
    """The headers that pass the current request id on to another service; none outside a request."""
    request_id = current_request_id()
    return {} if request_id is None else {HEADER: request_id}
