"""The tasks, thin: parse the message, call one function of `work`, count what came of it."""

import time
from uuid import UUID

import structlog
from celery import Celery
from celery.signals import task_postrun, worker_process_init
from django.db import close_old_connections

from exam_core.problems import Problem
from exam_grader import metrics
from exam_grader.broker.celery_app import CLOSE_DUE, COORDINATE, GRADE_CHUNK, PERIODIC_EXPIRES
from exam_grader.broker.request_ids import connect_propagation
from exam_grader.errors import SealDamagedError
from exam_grader.service import Grader

log = structlog.get_logger(__name__)


def register_tasks(app: Celery, grader: Grader) -> None:
    """Teach an app the three tasks, and its children to keep connections of their own."""

    @app.task(name=GRADE_CHUNK)
    def grade_chunk(sitting: str, number: int, chunk: int) -> None:
        """Grade one chunk of a revision; once, however often this is delivered."""
        structlog.contextvars.bind_contextvars(sitting=sitting, revision=number, chunk=chunk)
        began, outcome = time.monotonic(), "failed"
        try:
            outcome = "graded" if grader.grade_chunk(UUID(sitting), number, chunk) else "repeated"
        except SealDamagedError:
            metrics.DAMAGED.inc()
            raise
        finally:
            metrics.CHUNKS_GRADED.labels(outcome).inc()
            metrics.GRADE_SECONDS.observe(time.monotonic() - began)
        if outcome == "graded" and grader.ledger_full(UUID(sitting), number):
            app.send_task(COORDINATE, (sitting, number))

    @app.task(name=COORDINATE)
    def coordinate(sitting: str, number: int) -> None:
        """Carry a sitting as far as it goes now; quietly nothing while another coordinator is at it."""
        structlog.contextvars.bind_contextvars(sitting=sitting, revision=number)
        phase = "failed"
        try:
            report = grader.coordinate(UUID(sitting), number)
            phase = report.phase.value
        except SealDamagedError:
            metrics.DAMAGED.inc()
            raise
        except Problem as problem:
            phase = "refused"
            log.warning("not graded", why=problem.detail)
        finally:
            metrics.PASSES.labels(phase).inc()

    @app.task(name=CLOSE_DUE)
    def close_due() -> None:
        """Close what is over, and send a coordinator to everything that is closed and not graded."""
        for sitting, number in grader.close_due():
            app.send_task(COORDINATE, (str(sitting), number), expires=PERIODIC_EXPIRES)

    connect_propagation()
    task_postrun.connect(_give_back_connections, weak=False, dispatch_uid="exam_grader.give_back_connections")
    worker_process_init.connect(lambda **_: grader.begin(), weak=False, dispatch_uid="exam_grader.begin")


def _give_back_connections(**_: object) -> None:
    close_old_connections()
