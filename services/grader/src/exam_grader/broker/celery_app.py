"""The Celery app: how tasks are delivered. What they do is in `work`, their names are in `tasks`.

The broker may lose, repeat and reorder anything, so nothing is expected of it but speed: tasks are confirmed only when
they are done, there are no results, and what was lost is handed out again because the ledger misses it.
"""

from celery import Celery
from kombu import Exchange, Queue

from exam_grader.broker.redis_broker import CHUNKS, CONTROL, QUEUES, transport_options
from exam_grader.settings import GraderSettings

COORDINATE = "exam_grader.coordinate"
GRADE_CHUNK = "exam_grader.grade_chunk"
CLOSE_DUE = "exam_grader.close_due"

TASK_SECONDS = 600
"""A task that takes longer than this hangs: its process is replaced, and the ledger asks for the rest again."""

PERIODIC_EXPIRES = 30.0
"""Seconds after which a periodic task is not worth doing any more, for another one was sent long ago."""


def create_app(environment: GraderSettings) -> Celery:
    """An app on the environment's Redis, without tasks."""
    # No fixups: Celery's Django one puts the working directory on the path; the little it does else is in `tasks`.
    app = Celery("exam_grader", broker=str(environment.redis_url), fixups=[], set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        enable_utc=True,
        timezone="UTC",
        # Delivery: at least once, one at a time, and given back by workers that stop or die.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=environment.grader_shutdown_seconds,
        task_time_limit=TASK_SECONDS,
        broker_transport_options=transport_options(environment),
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Results: the ledger is the only one.
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # Queues have no exchange: a binding lives in Redis, and a publisher that declared it would not notice its loss.
        task_queues=[Queue(name, Exchange(""), routing_key=name) for name in QUEUES],
        task_default_queue=CONTROL,
        task_default_exchange="",
        task_default_routing_key=CONTROL,
        task_routes={GRADE_CHUNK: {"queue": CHUNKS}},
        task_create_missing_queues=False,
        # Nothing listens to these.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=60,
        beat_schedule={
            "close-due": {
                "task": CLOSE_DUE,
                "schedule": environment.close_poll_seconds,
                "options": {"expires": PERIODIC_EXPIRES},
            }
        },
    )
    return app
