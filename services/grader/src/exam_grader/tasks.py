"""The Celery tasks: each parses its message, calls the service and counts the outcome."""

import time
from uuid import UUID

import structlog
from celery import Celery
from celery.signals import task_postrun, worker_process_init
from django.db import close_old_connections

from exam_core.problems import Problem
from exam_grader import metrics
from exam_grader.broker.celery_app import CLOSE_DUE, COORDINATE, GRADE_CHUNK, PERIODIC_EXPIRES_SECONDS
from exam_grader.broker.request_ids import connect_request_ids
from exam_grader.errors import SealDamagedError
from exam_grader.service import GraderService

log = structlog.get_logger(__name__)


def register_tasks(app: Celery, service: GraderService) -> None:
    """Register the three tasks, and the signal handlers that manage connections in worker processes."""

    @app.task(name=GRADE_CHUNK)
    def grade_chunk(sitting: str, number: int, chunk: int) -> None:
        """Grade one chunk of a revision; idempotent under repeated delivery."""
        structlog.contextvars.bind_contextvars(sitting=sitting, revision=number, chunk=chunk)
        started, outcome = time.monotonic(), "failed"
        try:
            outcome = "graded" if service.grade_chunk(UUID(sitting), number, chunk) else "repeated"
        except SealDamagedError:
            metrics.DAMAGED.inc()
            raise
        finally:
            metrics.CHUNKS_GRADED.labels(outcome).inc()
            metrics.GRADE_SECONDS.observe(time.monotonic() - started)
        if outcome == "graded" and service.is_ledger_complete(UUID(sitting), number):
            app.send_task(COORDINATE, (sitting, number))

    @app.task(name=COORDINATE)
    def coordinate(sitting: str, number: int) -> None:
        """Advance a sitting as far as possible now; does nothing while another coordinator holds its lock."""
        structlog.contextvars.bind_contextvars(sitting=sitting, revision=number)
        phase = "failed"
        try:
            report = service.coordinate(UUID(sitting), number)
            phase = report.phase.value
        except SealDamagedError:
            metrics.DAMAGED.inc()
            raise
        except Problem as problem:
            phase = "refused"
            log.warning("coordination_rejected", detail=problem.detail)
        finally:
            metrics.PASSES.labels(phase).inc()

    @app.task(name=CLOSE_DUE)
    def close_due() -> None:
        """Close sittings that are over, and enqueue a coordinate task for each unfinished revision."""
        for sitting, number in service.close_due():
            app.send_task(COORDINATE, (str(sitting), number), expires=PERIODIC_EXPIRES_SECONDS)

    connect_request_ids()
    task_postrun.connect(_close_old_connections, weak=False, dispatch_uid="exam_grader.close_old_connections")
    worker_process_init.connect(lambda **_: service.connect(), weak=False, dispatch_uid="exam_grader.connect")


def _close_old_connections(**_: object) -> None:
    close_old_connections()
