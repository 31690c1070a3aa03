"""Beat: periodic tasks are sent while workers process them, and an unavailable broker is retried."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from celery.beat import ScheduleEntry
from pydantic import PostgresDsn, RedisDsn

from exam_grader.broker.celery_app import CLOSE_DUE, create_app
from exam_grader.commands.beat import MAX_QUEUE_DEPTH, scheduler_class
from exam_grader.health.loop import LoopMonitor
from exam_grader.settings import GraderSettings

UNREACHABLE = GraderSettings(
    database_url=PostgresDsn("postgresql://user:none@127.0.0.1:1/none"),
    broker_url=RedisDsn("redis://127.0.0.1:1/0"),
)


@dataclass
class FakeBroker:
    """A broker with a fixed depth of every queue; None: unavailable."""

    depth: int | None = 0

    def queue_depth(self, _queue: str) -> int:
        """The depth, or a connection error."""
        if self.depth is None:
            raise redis.ConnectionError("connection refused")
        return self.depth


@dataclass
class Sent:
    """The names of the tasks that a scheduler sent."""

    names: list[str | None] = field(default_factory=list)

    def apply_async(self, entry: ScheduleEntry, **_: object) -> None:
        """Record the name."""
        self.names.append(entry.task)


@pytest.fixture
def sent() -> Sent:
    """No task yet."""
    return Sent()


def tick(broker: FakeBroker, sent: Sent, monitor: LoopMonitor | None = None) -> None:
    """Run one iteration of a new scheduler whose task is due."""
    # Any: two of its members are replaced, which its type declares as not assignable.
    scheduler: Any = scheduler_class(broker, monitor or LoopMonitor())(create_app(UNREACHABLE))  # type: ignore[arg-type]
    scheduler.producer = None
    scheduler.apply_async = sent.apply_async
    for entry in scheduler.schedule.values():
        entry.last_run_at = entry.last_run_at.replace(year=2000)
    scheduler.tick()


def test_the_close_due_task_is_sent(sent: Sent) -> None:
    """Sittings that are over are closed without an operator or a person."""
    tick(FakeBroker(), sent)
    assert sent.names == [CLOSE_DUE]


def test_no_task_is_sent_while_the_queue_is_full(sent: Sent) -> None:
    """A weekend without workers does not fill the broker with periodic tasks."""
    tick(FakeBroker(MAX_QUEUE_DEPTH), sent)
    assert sent.names == []


def test_an_unavailable_broker_does_not_end_beat(sent: Sent) -> None:
    """Beat skips its task while the broker is unavailable, and keeps running."""
    tick(FakeBroker(None), sent)
    assert sent.names == []


def test_each_tick_is_recorded_for_the_liveness_probe(sent: Sent) -> None:
    """Beat is alive while its loop runs."""
    monitor = LoopMonitor(expected=True)
    monitor.last_iteration = 0.0
    tick(FakeBroker(), sent, monitor)
    monitor.check()
    assert monitor.last_iteration > 0
