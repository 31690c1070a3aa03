"""The grader's settings, beside those of web's database and of the answer log."""

import os
from typing import Final

from pydantic import Field, PostgresDsn

from exam_runtime.settings import BrokerSettings

SERVICE: Final = "grader"
"""The value of the field ``service`` in logs."""


def _usable_cores() -> int:
    """The number of CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0))


class GraderSettings(BrokerSettings):
    """Variables named ``EXAM_<FIELD>``; durations have their unit in their name.

    The broker is a Redis: its URL selects the database; all keys have a prefix.
    """

    database_url: PostgresDsn
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """The port of /metrics, /healthz and /readyz; without it they are not served."""
    grader_concurrency: int = Field(default_factory=_usable_cores, ge=1)
    """How many chunks a worker grades concurrently, each in its own process."""
    grader_seal_parallelism: int = Field(default=4, ge=1)
    """How many buckets a coordinator seals concurrently."""
    grader_stall_seconds: float = Field(default=15.0, gt=0)
    """After how long without a new ledger entry the missing chunks are enqueued again."""
    grader_visibility_seconds: int = Field(default=60, ge=1)
    """After how long the broker delivers an unacknowledged task to another worker."""
    grader_shutdown_seconds: float = Field(default=5.0, ge=0)
    """How long a worker waits for running chunks on SIGTERM before it returns them to the queue."""
    close_poll_seconds: float = Field(default=5.0, gt=0)
    """The interval between searches for sittings that are over."""
    request_id: str | None = None
    """The request id of a coordinator's logs and tasks; the creator of a grading Job may pass its own."""

    @property
    def database_dsn(self) -> str:
        """The database's URL, for connections that Django does not manage."""
        return str(self.database_url)
