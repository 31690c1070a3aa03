"""The Celery app: how tasks are delivered. `tasks` implements them.

The broker may lose, repeat and reorder messages: tasks are acknowledged after they ran, there is no result backend, and
a lost task is enqueued again because the ledger misses its chunk.
"""

from celery import Celery
from celery.signals import setup_logging
from kombu import Exchange, Queue

from exam_grader.broker.redis_broker import CHUNKS, CONTROL, QUEUES, transport_options
from exam_grader.settings import GraderSettings

COORDINATE = "exam_grader.coordinate"
GRADE_CHUNK = "exam_grader.grade_chunk"
CLOSE_DUE = "exam_grader.close_due"

TASK_TIME_LIMIT_SECONDS = 600
"""A task that takes longer hangs: Celery replaces its process, and the ledger still misses the chunk."""

PERIODIC_EXPIRES_SECONDS = 30.0
"""Periodic tasks expire after this time; by then the next one has been sent."""


def create_app(settings: GraderSettings) -> Celery:
    """Create an app that uses the settings' broker and has no tasks yet."""
    # No fixups: Celery's Django fixup adds the working directory to sys.path; `tasks` closes old connections itself.
    app = Celery("exam_grader", broker=settings.verified_broker_url, fixups=[], set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        enable_utc=True,
        timezone="UTC",
        # Delivery: at least once, one task per process, requeued when a worker stops or dies.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=settings.grader_shutdown_seconds,
        task_time_limit=TASK_TIME_LIMIT_SECONDS,
        broker_transport_options=transport_options(settings),
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Results: the ledger has them.
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # Queues without exchange: bindings live in Redis, and a publisher would not notice that its binding was lost.
        task_queues=[Queue(name, Exchange(""), routing_key=name) for name in QUEUES],
        task_default_queue=CONTROL,
        task_default_exchange="",
        task_default_routing_key=CONTROL,
        task_routes={GRADE_CHUNK: {"queue": CHUNKS}},
        task_create_missing_queues=False,
        # Events and remote control have no consumer.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=60,
        beat_schedule={
            "close-due": {
                "task": CLOSE_DUE,
                "schedule": settings.close_poll_seconds,
                "options": {"expires": PERIODIC_EXPIRES_SECONDS},
            }
        },
    )
    return app


def keep_logging_configuration() -> None:
    """Keep Celery from configuring logging: it does not once the signal `setup_logging` has a receiver."""
    setup_logging.connect(_keep_logging, weak=False, dispatch_uid="exam_grader.keep_logging")


def _keep_logging(**_: object) -> None:
    """Do nothing; being connected is enough."""
