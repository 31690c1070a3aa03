"""The periodic task is sent while somebody takes it, and beat outlives its broker."""

from dataclasses import dataclass, field

import pytest
import redis
from celery.beat import ScheduleEntry
from pydantic import PostgresDsn, RedisDsn

from exam_grader.broker.celery_app import CLOSE_DUE, create_app
from exam_grader.commands.beat import MAX_WAITING, scheduler_class
from exam_grader.health.consumer import Pulse
from exam_grader.settings import GraderSettings

NOBODY = GraderSettings(
    database_url=PostgresDsn("postgresql://nobody:none@127.0.0.1:1/none"),
    redis_url=RedisDsn("redis://127.0.0.1:1/0"),
)


@dataclass
class FakeBroker:
    """A broker in which so many control tasks wait; None: away."""

    waiting: int | None = 0

    def depth(self, _queue: str) -> int:
        """So many, or no answer."""
        if self.waiting is None:
            raise redis.ConnectionError("connection refused")
        return self.waiting


@dataclass
class Sent:
    """What a scheduler sent."""

    names: list[str] = field(default_factory=list)

    def apply_async(self, entry: ScheduleEntry, **_: object) -> None:
        """Keep the name."""
        self.names.append(entry.task)


@pytest.fixture
def sent() -> Sent:
    """Nothing yet."""
    return Sent()


def tick(broker: FakeBroker, sent: Sent, pulse: Pulse | None = None) -> None:
    """Let a new scheduler run once, when its task is due."""
    scheduler = scheduler_class(broker, pulse or Pulse())(create_app(NOBODY))  # type: ignore[arg-type]
    scheduler.producer = None
    scheduler.apply_async = sent.apply_async
    for entry in scheduler.schedule.values():
        entry.last_run_at = entry.last_run_at.replace(year=2000)
    scheduler.tick()


def test_what_is_over_is_looked_for(sent: Sent) -> None:
    """Beat asks the workers to look for sittings that are over."""
    tick(FakeBroker(), sent)
    assert sent.names == [CLOSE_DUE]


def test_without_workers_the_queue_stays_short(sent: Sent) -> None:
    """A weekend without workers does not fill the broker with the same wish."""
    tick(FakeBroker(MAX_WAITING), sent)
    assert sent.names == []


def test_a_broker_that_is_away_is_waited_for(sent: Sent) -> None:
    """Beat goes on when the broker is away."""
    tick(FakeBroker(None), sent)
    assert sent.names == []


def test_each_turn_is_a_sign_of_life(sent: Sent) -> None:
    """Beat's health is that its loop turns."""
    pulse = Pulse(turning=True)
    pulse.last = 0.0
    tick(FakeBroker(), sent, pulse)
    pulse.check()
    assert pulse.last > 0
