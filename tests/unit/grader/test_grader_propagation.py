"""A request id goes out with every task and comes back into the log of whoever takes it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from celery.signals import before_task_publish, task_postrun, task_prerun

from exam_grader.broker.request_ids import connect_propagation, current_request_id, ensure_request_id


@pytest.fixture(autouse=True)
def connected() -> Iterator[None]:
    """Signals are connected; nothing is left bound."""
    connect_propagation()
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def published() -> dict[str, Any]:
    """The headers of a task that is sent now."""
    headers: dict[str, Any] = {}
    before_task_publish.send("exam_grader.grade_chunk", headers=headers)
    return headers


def test_a_task_carries_the_request_id_it_was_sent_under() -> None:
    """Everything that comes of my request is found under its id."""
    ensure_request_id("req-1")
    assert published() == {"request_id": "req-1"}


def test_a_task_sent_without_a_request_gets_an_id_of_its_own() -> None:
    """Periodic work can be followed too."""
    assert len(published()["request_id"]) == 36
    assert published() != published()


def test_a_worker_logs_under_the_id_of_the_task_and_forgets_it_after() -> None:
    """One task's id never shows in another's log lines."""
    task = SimpleNamespace(name="exam_grader.grade_chunk", request=SimpleNamespace(request_id="req-2"))
    task_prerun.send(None, task_id="t-1", task=task)
    assert current_request_id() == "req-2"
    assert structlog.contextvars.get_contextvars()["task_id"] == "t-1"
    task_postrun.send(None, task_id="t-1", task=task)
    assert current_request_id() is None


def test_an_id_that_is_there_is_kept() -> None:
    """A coordinator goes on under the id it was started with."""
    assert ensure_request_id("req-3") == "req-3"
    assert ensure_request_id() == "req-3"
