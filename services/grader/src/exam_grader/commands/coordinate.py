"""``python -m exam_grader coordinate``: what the grading Job runs, and a person at a terminal."""

import argparse
import signal
import sys
import threading
import time

import structlog

from exam_answerlog.settings import CassandraSettings
from exam_core.problems import Problem
from exam_grader import metrics
from exam_grader.answerlog import cassandra_store
from exam_grader.broker.celery_app import create_app
from exam_grader.broker.redis_broker import Broker
from exam_grader.broker.request_ids import connect_propagation, ensure_request_id
from exam_grader.coordination.coordinator import Report
from exam_grader.coordination.lock import SittingLock
from exam_grader.coordination.progress import Progress
from exam_grader.coordination.run import RetryPolicy, TimedOutError, run_to_completion
from exam_grader.errors import HaltedError, SealDamagedError
from exam_grader.health.probes import ProbeServer
from exam_grader.logs import configure_logs
from exam_grader.service import Grader
from exam_grader.settings import GraderSettings
from exam_runtime.settings import load_settings

log = structlog.get_logger(__name__)

DONE, REFUSED, DAMAGED, NOT_DONE = 0, 3, 4, 75


def run(given: argparse.Namespace, environment: GraderSettings) -> int:
    """Coordinate one sitting; the exit code (see `exam_grader.__main__`)."""
    terminal = sys.stdout if sys.stdout.isatty() else None
    if terminal is not None:
        configure_logs("WARNING")  # a person reads the one line that moves
    ensure_request_id(environment.request_id)
    connect_propagation()
    halt = _halt_on_signals()
    store = cassandra_store(load_settings(CassandraSettings))
    broker = Broker(str(environment.redis_url))
    grader = Grader(environment, store, create_app(environment), broker)
    server = _serve(environment, broker)
    try:
        report = _see_through(grader, given, halt, Progress(terminal))
    except Problem as problem:
        return _failed("refused", problem.detail, REFUSED)
    except SealDamagedError as error:
        metrics.DAMAGED.inc()
        return _failed("a seal is damaged", str(error), DAMAGED)
    except (TimedOutError, HaltedError) as error:
        return _failed("not done", f"{error}; run it again, it goes on from there", NOT_DONE)
    finally:
        store.close()
        if server is not None:
            server.close()
    log.info("done", phase=report.phase.value)
    return DONE


def _see_through(grader: Grader, given: argparse.Namespace, halt: threading.Event, progress: Progress) -> Report:
    patience = RetryPolicy(clock=time.monotonic, wait=halt.wait, timeout=given.timeout)
    sitting = grader.find(given.sitting)
    structlog.contextvars.bind_contextvars(sitting=str(sitting), revision=given.revision)
    coordinator = grader.coordinator(
        sitting,
        given.revision,
        tell=progress,
        halt=halt.is_set,
        stop=given.stop,
        local=given.local,
        parallelism=given.parallelism,
    )
    with SittingLock(grader.environment.database_dsn, sitting) as lock:
        return run_to_completion(coordinator, lock, tell=progress, patience=patience)


def _halt_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: what is under way is finished, then the process ends."""
    halt = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: halt.set())
    return halt


def _serve(environment: GraderSettings, broker: Broker) -> ProbeServer | None:
    if environment.metrics_port is None:
        return None
    return ProbeServer(environment.metrics_port, metrics=metrics.exposition(broker), live={}, ready={})


def _failed(what: str, why: str, code: int) -> int:
    """Say what happened in the log and, for a person, in plain words."""
    log.error(what, why=why, exit_code=code)
    if sys.stderr.isatty():
        sys.stderr.write(f"\n{what}: {why}\n")
    return code
