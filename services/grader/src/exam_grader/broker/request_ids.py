"""Passes the request id with each task, so that all log events of one request can be found by it."""

from typing import TYPE_CHECKING, Any

import structlog
from celery.signals import before_task_publish, task_postrun, task_prerun

from exam_runtime.request_id import FIELD, current_request_id, new_request_id

if TYPE_CHECKING:
    from celery import Task


def connect_request_ids() -> None:
    """Send the current request id with every task, and log under a task's request id while it runs."""
    before_task_publish.connect(_add_header, weak=False, dispatch_uid="exam_grader.add_request_id")
    task_prerun.connect(_bind_context, weak=False, dispatch_uid="exam_grader.bind_request_id")
    task_postrun.connect(_clear_context, weak=False, dispatch_uid="exam_grader.clear_request_id")


def ensure_request_id(request_id: str | None = None) -> str:
    """Bind a request id to all further log events: the argument, else the current one, else a new one."""
    bound = request_id or current_request_id() or new_request_id()
    structlog.contextvars.bind_contextvars(**{FIELD: bound})
    return bound


def _add_header(headers: dict[str, Any], **_: object) -> None:
    headers[FIELD] = current_request_id() or new_request_id()


def _bind_context(task_id: str, task: "Task[..., object]", **_: object) -> None:
    structlog.contextvars.clear_contextvars()
    headers = vars(task.request)
    structlog.contextvars.bind_contextvars(**{FIELD: headers.get(FIELD) or task_id}, task=task.name, task_id=task_id)


def _clear_context(**_: object) -> None:
    structlog.contextvars.clear_contextvars()
