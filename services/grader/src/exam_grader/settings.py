"""What the grader reads from its environment beside web's database and the answer log's Cassandra."""

import os

from pydantic import Field, PostgresDsn, RedisDsn
from pydantic_settings import BaseSettings, SettingsConfigDict


def _cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0))


class GraderSettings(BaseSettings):
    """Variables named ``EXAM_<FIELD>``; spans carry their unit in their name."""

    model_config = SettingsConfigDict(env_prefix="EXAM_", extra="ignore", env_ignore_empty=True)

    database_url: PostgresDsn
    redis_url: RedisDsn
    """The broker: its database number comes from the address, its keys carry a prefix of their own."""
    log_level: str = "INFO"
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Where /metrics, /healthz and /readyz are served; not set: nowhere."""
    grader_concurrency: int = Field(default_factory=_cores, ge=1)
    """How many chunks a worker grades at once, each in a process of its own."""
    grader_seal_parallelism: int = Field(default=4, ge=1)
    """How many buckets a coordinator seals at once."""
    grader_stall_seconds: float = Field(default=15.0, gt=0)
    """For how long a ledger may stand still before its missing chunks are handed out again."""
    grader_visibility_seconds: int = Field(default=60, ge=1)
    """After how long the broker hands a task that nobody confirmed to another worker."""
    grader_shutdown_seconds: float = Field(default=5.0, ge=0)
    """How long a worker that is told to stop waits for chunks in work before it gives them back."""
    close_poll_seconds: float = Field(default=5.0, gt=0)
    """How often sittings that are over are looked for."""
    request_id: str | None = None
    """What a coordinator's logs and tasks are known by; whoever starts a grading Job may pass its own on."""

    @property
    def database_dsn(self) -> str:
        """The database's address for connections beside Django's own."""
        return str(self.database_url)


def read_environment() -> GraderSettings:
    """The environment as it is now; a missing or wrong variable is named."""
    return GraderSettings()  # type: ignore[call-arg]  # pydantic fills it from the environment
