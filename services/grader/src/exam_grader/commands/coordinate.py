"""``python -m exam_grader coordinate``: coordinates one sitting, in a grading Job or at a terminal.

Log events go to standard output. At a terminal, progress and errors are printed to standard error as plain text.
"""

import argparse
import signal
import sys
import threading
import time

import structlog

from exam_answerlog.settings import CassandraSettings
from exam_core.problems import Problem
from exam_grader import metrics
from exam_grader.answerlog import cassandra_answerlog
from exam_grader.broker.celery_app import create_app
from exam_grader.broker.redis_broker import RedisBroker
from exam_grader.broker.request_ids import connect_request_ids, ensure_request_id
from exam_grader.coordination.lock import SittingLock
from exam_grader.coordination.port import Report
from exam_grader.coordination.progress import Progress
from exam_grader.coordination.run import RetryPolicy, TimedOutError, run_to_completion
from exam_grader.errors import SealDamagedError, StopRequestedError
from exam_grader.health.server import ProbeServer
from exam_grader.service import GraderService
from exam_grader.settings import SERVICE, GraderSettings
from exam_runtime.logging import configure_logging

log = structlog.get_logger(__name__)

DONE, REJECTED, DAMAGED, NOT_FINISHED = 0, 3, 4, 75


def run(arguments: argparse.Namespace, settings: GraderSettings, cassandra: CassandraSettings) -> int:
    """Coordinate one sitting and return the exit code (see `exam_grader.__main__`)."""
    terminal = sys.stderr if sys.stderr.isatty() else None
    if terminal is not None and sys.stdout.isatty():
        configure_logging(service=SERVICE, level="WARNING")  # the terminal shows the progress instead
    ensure_request_id(settings.request_id)
    connect_request_ids()
    stop = _stop_on_signals()
    answerlog = cassandra_answerlog(cassandra)
    broker = RedisBroker(settings.verified_broker_url)
    service = GraderService(settings, answerlog, create_app(settings), broker)
    server = _serve_probes(settings, broker)
    try:
        report = _coordinate(service, arguments, stop, Progress(terminal))
    except Problem as problem:
        return _fail("coordination_rejected", problem.detail, REJECTED)
    except SealDamagedError as error:
        metrics.DAMAGED.inc()
        return _fail("seal_damaged", str(error), DAMAGED)
    except (TimedOutError, StopRequestedError) as error:
        return _fail("coordination_interrupted", f"{error}; the command is resumable", NOT_FINISHED)
    finally:
        answerlog.close()
        if server is not None:
            server.close()
    log.info("coordination_finished", phase=report.phase.value)
    return DONE


def _coordinate(
    service: GraderService, arguments: argparse.Namespace, stop: threading.Event, progress: Progress
) -> Report:
    sitting = service.find_sitting(arguments.sitting)
    structlog.contextvars.bind_contextvars(sitting=str(sitting), revision=arguments.revision)
    coordinator = service.coordinator(
        sitting,
        arguments.revision,
        on_report=progress,
        stop_requested=stop.is_set,
        stop=arguments.stop,
        local=arguments.local,
        parallelism=arguments.parallelism,
    )
    retry = RetryPolicy(clock=time.monotonic, wait=stop.wait, timeout=arguments.timeout)
    with SittingLock(service.settings.database_dsn, sitting) as lock:
        return run_to_completion(coordinator, lock, on_report=progress, retry=retry)


def _stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; the current part of a step is completed before the process exits."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _serve_probes(settings: GraderSettings, broker: RedisBroker) -> ProbeServer | None:
    if settings.metrics_port is None:
        return None
    return ProbeServer(settings.metrics_port, metrics=metrics.scrape(broker), liveness={}, readiness={})


def _fail(event: str, detail: str, code: int) -> int:
    """Log an error, print it if standard error is a terminal, and return the exit code."""
    log.error(event, detail=detail, exit_code=code)
    if sys.stderr.isatty():
        sys.stderr.write(f"\nerror: {detail}\n")
    return code
