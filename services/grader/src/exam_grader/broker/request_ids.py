"""The request id travels with each task, so that one search finds all that came of one request."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from celery.signals import before_task_publish, task_postrun, task_prerun

if TYPE_CHECKING:
    from celery import Task

HEADER = "request_id"


def connect_propagation() -> None:
    """Pass the request id on with every task this process sends, and log under the one that a task came with."""
    before_task_publish.connect(_send_along, weak=False, dispatch_uid="exam_grader.send_along")
    task_prerun.connect(_take_up, weak=False, dispatch_uid="exam_grader.take_up")
    task_postrun.connect(_let_go, weak=False, dispatch_uid="exam_grader.let_go")


def ensure_request_id(given: str | None = None) -> str:
    """Log under a request id from here on: the given one, the one there is, or a new one."""
    request_id = given or current_request_id() or str(uuid4())
    structlog.contextvars.bind_contextvars(**{HEADER: request_id})
    return request_id


def current_request_id() -> str | None:
    """The request id that this process logs under now."""
    found: str | None = structlog.contextvars.get_contextvars().get(HEADER)
    return found


def _send_along(headers: dict[str, Any], **_: object) -> None:
    headers[HEADER] = current_request_id() or str(uuid4())


def _take_up(task_id: str, task: "Task[..., object]", **_: object) -> None:
    structlog.contextvars.clear_contextvars()
    request = vars(task.request)
    structlog.contextvars.bind_contextvars(**{HEADER: request.get(HEADER) or task_id}, task=task.name, task_id=task_id)


def _let_go(**_: object) -> None:
    structlog.contextvars.clear_contextvars()
