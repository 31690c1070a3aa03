"""``python -m exam_grader worker``: takes tasks in a pool of forked processes."""

import argparse
import os
import signal
import socket
import warnings

from celery.exceptions import CPendingDeprecationWarning
from celery.signals import setup_logging, worker_shutting_down

from exam_answerlog.settings import CassandraSettings
from exam_grader.answerlog import cassandra_store
from exam_grader.broker.celery_app import create_app
from exam_grader.broker.redis_broker import Broker
from exam_grader.health.consumer import Pulse, attend_to_confirmations, probe_step, pulse_step
from exam_grader.health.probes import ProbeServer, check_cassandra, check_database
from exam_grader.metrics import exposition
from exam_grader.service import Grader
from exam_grader.settings import GraderSettings
from exam_grader.tasks import register_tasks
from exam_runtime.settings import load_settings


def run(_given: argparse.Namespace, environment: GraderSettings) -> int:
    """Work until told to stop; 0 after a SIGTERM, whatever was still in work was given back."""
    cassandra = load_settings(CassandraSettings)
    broker = Broker(str(environment.redis_url))
    app = create_app(environment)
    pulse = Pulse()
    attend_to_confirmations(app, pulse)
    register_tasks(app, Grader(environment, cassandra_store(cassandra), app, broker))
    app.steps["consumer"].add(pulse_step(pulse))
    if environment.metrics_port is not None:
        port = environment.metrics_port
        ready = {
            "broker": broker.ping,
            "database": lambda: check_database(environment.database_dsn),
            "answerlog": lambda: check_cassandra(cassandra),
        }
        app.steps["worker"].add(
            probe_step(lambda: ProbeServer(port, metrics=exposition(broker), live={"loop": pulse.check}, ready=ready))
        )
    # Celery asks at each lost connection whether tasks in work should not be ended; they go on, `create_app` says so.
    warnings.filterwarnings("ignore", r"\s*In Celery 5\.1 we introduced", CPendingDeprecationWarning)
    asked: list[str] = []
    setup_logging.connect(_keep_ours, weak=False)
    worker_shutting_down.connect(lambda sig, **_: asked.append(sig), weak=False)
    worker = app.Worker(
        hostname=f"grader-{os.getpid()}@{socket.gethostname()}",
        pool="prefork",
        concurrency=environment.grader_concurrency,
        loglevel=environment.log_level.upper(),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return 0 if signal.SIGTERM.name in asked else int(worker.exitcode or 0)


def _keep_ours(**_: object) -> None:
    """Celery leaves the logs as they are when somebody answers this signal."""
