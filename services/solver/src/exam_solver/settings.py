"""The solver's settings.

Cassandra's variables (``EXAM_CASSANDRA_*``) belong to the answer log: `exam_answerlog.settings`.
"""

from pathlib import Path

from pydantic import Field, HttpUrl, PostgresDsn

from exam_runtime.settings import RedisSettings


class SolverSettings(RedisSettings):
    """Variables named ``EXAM_<FIELD>``."""

    lease_database_url: PostgresDsn
    """PostgreSQL, as the role that may execute the lease functions and nothing else."""
    web_url: HttpUrl
    """Web's base URL as this process reaches it, for its key set."""
    web_internal_url: HttpUrl
    """The base URL of web's internal API, for introspection."""
    solver_keys_file: Path
    """A private JWK set or PEM keys; the first signs attempt tokens and receipts, the others only verify."""
    solver_service_keys_file: Path
    """Keys of the same form, which web has too: the first signs requests to the internal API."""
    lease_ttl_ms: int = Field(30_000, ge=3_000, le=60_000)
    """How long the lease is valid without contact to PostgreSQL; closing a sitting may wait as long."""
    max_in_flight: int = Field(256, ge=1)
    """Requests served at once; more are refused with Retry-After instead of being queued."""
    max_in_flight_per_student: int = Field(16, ge=1)
    """Requests of one student served at once, on all devices together; a browser opens six connections."""
    max_body_bytes: int = Field(256 * 1024, ge=1024)
    """At least 12 bytes for each character of the longest essay, which JSON may escape."""
    rows_per_question: int = Field(25, ge=1)
    """An attempt may save this many rows per question of its paper, over all questions together."""
    attempts_in_memory: int = Field(4096, ge=1)
    """How many attempts are cached; others are read from the answer log at their next request."""
    images_in_memory_bytes: int = Field(32 * 1024 * 1024, ge=0)
    shutdown_drain_ms: int = Field(0, ge=0)
    """After SIGTERM, how long to keep serving while not ready, so that load balancers remove this process."""
    shutdown_grace_ms: int = Field(10_000, ge=0)
    """After that, how long requests may take to finish."""
