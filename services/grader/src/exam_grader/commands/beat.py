"""``python -m exam_grader beat``: sends the periodic tasks. Several instances only send them more often."""

import argparse
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler

from exam_answerlog.settings import CassandraSettings
from exam_grader.broker.celery_app import create_app, keep_logging_configuration
from exam_grader.broker.redis_broker import CONTROL, RedisBroker
from exam_grader.broker.request_ids import connect_request_ids
from exam_grader.errors import RETRYABLE_BROKER_ERRORS
from exam_grader.health.loop import LoopMonitor
from exam_grader.health.server import ProbeServer
from exam_grader.metrics import scrape
from exam_grader.settings import GraderSettings

log = structlog.get_logger(__name__)

MAX_QUEUE_DEPTH = 100


def run(_arguments: argparse.Namespace, settings: GraderSettings, _cassandra: CassandraSettings) -> int:
    """Send the periodic tasks until the process is asked to stop."""
    broker = RedisBroker(settings.verified_broker_url)
    monitor = LoopMonitor(expected=True)
    if settings.metrics_port is not None:
        ProbeServer(
            settings.metrics_port,
            metrics=scrape(broker),
            liveness={"loop": monitor.check},
            readiness={"broker": broker.ping},
        )
    connect_request_ids()
    keep_logging_configuration()
    app = create_app(settings)
    app.Beat(
        scheduler=scheduler_class(broker, monitor),  # type: ignore[arg-type]  # a name or a class
        max_interval=max(1, int(settings.close_poll_seconds)),
        loglevel=settings.log_level,
        quiet=True,
    ).run()
    return 0


def scheduler_class(broker: RedisBroker, monitor: LoopMonitor) -> type[Scheduler]:
    """A scheduler without a file: when the tasks were last sent need not survive a restart."""

    class MemoryScheduler(Scheduler):
        def tick(self, *args: Any, **options: Any) -> float:  # noqa: ANN401 - Celery's signature
            monitor.record_iteration()
            delay: float = super().tick(*args, **options)
            return delay

        def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:  # noqa: ANN401 - Celery's signature
            """Send a task unless no worker processes the queue, which would only grow."""
            try:
                depth = broker.queue_depth(CONTROL)
            except RETRYABLE_BROKER_ERRORS as error:
                log.warning("periodic_task_skipped", reason="the broker is unavailable", error=str(error))
                return
            if depth >= MAX_QUEUE_DEPTH:
                log.warning("periodic_task_skipped", reason="no worker processes control tasks", queue_depth=depth)
                return
            super().apply_entry(entry, producer=producer)

    return MemoryScheduler
