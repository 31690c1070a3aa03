"""``python -m exam_grader worker``: processes tasks in a pool of forked processes."""

import argparse
import os
import signal
import socket
import warnings

from celery.exceptions import CPendingDeprecationWarning
from celery.signals import worker_shutting_down

from exam_answerlog.settings import CassandraSettings
from exam_grader.answerlog import cassandra_answerlog
from exam_grader.broker.celery_app import create_app, keep_logging_configuration
from exam_grader.broker.redis_broker import RedisBroker
from exam_grader.health.checks import check_cassandra, check_database
from exam_grader.health.consumer import (
    ConsumerMonitor,
    consumer_monitor_step,
    probe_server_step,
    track_acknowledgements,
)
from exam_grader.health.server import ProbeServer
from exam_grader.metrics import scrape
from exam_grader.service import GraderService
from exam_grader.settings import GraderSettings
from exam_grader.tasks import register_tasks


def run(_arguments: argparse.Namespace, settings: GraderSettings, cassandra: CassandraSettings) -> int:
    """Process tasks until asked to stop; returns 0 after SIGTERM, with unfinished tasks returned to the queue."""
    broker = RedisBroker(settings.verified_broker_url)
    app = create_app(settings)
    monitor = ConsumerMonitor()
    track_acknowledgements(app, monitor)
    register_tasks(app, GraderService(settings, cassandra_answerlog(cassandra), app, broker))
    app.steps["consumer"].add(consumer_monitor_step(monitor))
    if settings.metrics_port is not None:
        port = settings.metrics_port
        readiness = {
            "broker": broker.ping,
            "database": lambda: check_database(settings.database_dsn),
            "answerlog": lambda: check_cassandra(cassandra),
        }
        app.steps["worker"].add(
            probe_server_step(
                lambda: ProbeServer(port, metrics=scrape(broker), liveness={"loop": monitor.check}, readiness=readiness)
            )
        )
    # Celery warns on each lost connection that running tasks go on; `create_app` sets that on purpose.
    warnings.filterwarnings("ignore", r"\s*In Celery 5\.1 we introduced", CPendingDeprecationWarning)
    keep_logging_configuration()
    signals: list[str] = []
    worker_shutting_down.connect(lambda sig, **_: signals.append(sig), weak=False)
    worker = app.Worker(
        hostname=f"grader-{os.getpid()}@{socket.gethostname()}",
        pool="prefork",
        concurrency=settings.grader_concurrency,
        loglevel=settings.log_level,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return 0 if signal.SIGTERM.name in signals else int(worker.exitcode or 0)
