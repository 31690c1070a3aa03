"""What the solver reads from its environment, in one place; a missing or wrong variable is named at start-up.

Cassandra's variables (``EXAM_CASSANDRA_*``) are the answer log's own: `exam_answerlog.settings`.
"""

from pathlib import Path

from pydantic import Field, HttpUrl, PostgresDsn, RedisDsn
from pydantic_settings import BaseSettings, SettingsConfigDict


class SolverSettings(BaseSettings):
    """Variables named ``EXAM_<FIELD>``. Spans carry their unit in their name."""

    model_config = SettingsConfigDict(env_prefix="EXAM_", extra="ignore", frozen=True)

    lease_database_url: PostgresDsn
    """PostgreSQL as the role that may renew leases and nothing else."""
    redis_url: RedisDsn
    web_url: HttpUrl
    """Web as this process reaches it: key set and introspection."""
    solver_keys_file: Path
    """A private JWK set or PEM keys; the first signs attempt tokens and receipts, the others are still honoured."""
    lease_ttl_ms: int = Field(30_000, ge=3_000, le=60_000)
    """For how long this process may go on without hearing from PostgreSQL; closing a sitting may wait as long."""
    max_in_flight: int = Field(256, ge=1)
    """Requests served at once; more are told to come back instead of waiting in a queue."""
    max_body_bytes: int = Field(64 * 1024, ge=1024)
    rows_per_question: int = Field(25, ge=1)
    """An attempt may save this many rows per question of its paper, over all questions together."""
    attempts_in_memory: int = Field(4096, ge=1)
    """How many attempts are remembered; the others are read again from the answer log when they are heard of."""
    images_in_memory_bytes: int = Field(32 * 1024 * 1024, ge=0)
    shutdown_drain_ms: int = Field(0, ge=0)
    """After SIGTERM, how long to go on serving while readiness is off, so that balancers notice."""
    shutdown_grace_ms: int = Field(10_000, ge=0)
    """Then, how long requests may take to finish."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
