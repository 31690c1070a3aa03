"""Request ids: sent with every task, and bound to the log events of the worker that runs it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from celery.signals import before_task_publish, task_postrun, task_prerun

from exam_grader.broker.request_ids import connect_request_ids, ensure_request_id
from exam_runtime.request_id import current_request_id


@pytest.fixture(autouse=True)
def connected() -> Iterator[None]:
    """The signal handlers are connected, and no request id is bound before and after."""
    connect_request_ids()
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def published_headers() -> dict[str, Any]:
    """The headers of a task that is sent now."""
    headers: dict[str, Any] = {}
    before_task_publish.send("exam_grader.grade_chunk", headers=headers)
    return headers


def test_a_task_carries_the_current_request_id() -> None:
    """All log events that my request causes have its id."""
    ensure_request_id("req-1")
    assert published_headers() == {"request_id": "req-1"}


def test_a_task_sent_outside_a_request_gets_a_new_id() -> None:
    """The log events of a periodic task can be found by an id too."""
    assert len(published_headers()["request_id"]) == 32
    assert published_headers() != published_headers()


def test_a_worker_binds_the_request_id_only_while_the_task_runs() -> None:
    """One task's id never appears in the log events of another."""
    task = SimpleNamespace(name="exam_grader.grade_chunk", request=SimpleNamespace(request_id="req-2"))
    task_prerun.send(None, task_id="t-1", task=task)
    assert current_request_id() == "req-2"
    assert structlog.contextvars.get_contextvars()["task_id"] == "t-1"
    task_postrun.send(None, task_id="t-1", task=task)
    assert current_request_id() is None


def test_a_bound_request_id_is_kept() -> None:
    """A coordinator keeps the id that it was started with."""
    assert ensure_request_id("req-3") == "req-3"
    assert ensure_request_id() == "req-3"
