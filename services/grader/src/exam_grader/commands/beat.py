"""``python -m exam_grader beat``: has sittings that are over looked for. Two at once only look twice."""

import argparse
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler
from celery.signals import setup_logging

from exam_grader.broker.celery_app import create_app
from exam_grader.broker.redis_broker import CONTROL, Broker
from exam_grader.broker.request_ids import connect_propagation
from exam_grader.errors import RETRYABLE_BROKER_ERRORS
from exam_grader.health.consumer import Pulse
from exam_grader.health.probes import ProbeServer
from exam_grader.metrics import exposition
from exam_grader.settings import GraderSettings

log = structlog.get_logger(__name__)

MAX_WAITING = 100


def run(_given: argparse.Namespace, environment: GraderSettings) -> int:
    """Send the periodic tasks until told to stop."""
    broker = Broker(str(environment.redis_url))
    pulse = Pulse(turning=True)
    if environment.metrics_port is not None:
        ProbeServer(
            environment.metrics_port,
            metrics=exposition(broker),
            live={"loop": pulse.check},
            ready={"broker": broker.ping},
        )
    connect_propagation()
    setup_logging.connect(_keep_ours, weak=False)
    app = create_app(environment)
    app.Beat(
        scheduler=scheduler_class(broker, pulse),  # type: ignore[arg-type]  # a name or a class, says Celery
        max_interval=max(1, int(environment.close_poll_seconds)),
        loglevel=environment.log_level.upper(),
        quiet=True,
    ).run()
    return 0


def scheduler_class(broker: Broker, pulse: Pulse) -> type[Scheduler]:
    """A scheduler that keeps nothing on disk: what it would remember, when it last looked, is worth nothing."""

    class MemoryScheduler(Scheduler):
        def tick(self, *args: Any, **options: Any) -> float:  # noqa: ANN401 - Celery's own
            pulse.beat()
            delay: float = super().tick(*args, **options)
            return delay

        def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:  # noqa: ANN401 - Celery's own
            """Send a task, unless no worker takes any: then the queue would only grow."""
            try:
                waiting = broker.depth(CONTROL)
            except RETRYABLE_BROKER_ERRORS as error:
                log.warning("the broker is away: nothing is sent now", error=str(error))
                return
            if waiting >= MAX_WAITING:
                log.warning("no worker takes control tasks: nothing is sent now", waiting=waiting)
                return
            super().apply_entry(entry, producer=producer)

    return MemoryScheduler


def _keep_ours(**_: object) -> None:
    """Celery leaves the logs as they are when somebody answers this signal."""
