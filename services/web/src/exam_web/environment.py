"""What web reads from its environment, in one place; a missing or wrong variable is named at start-up."""

from pathlib import Path

from pydantic import Field, PostgresDsn, RedisDsn, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """Variables named ``EXAM_<FIELD>``. Spans carry their unit in their name."""

    model_config = SettingsConfigDict(env_prefix="EXAM_", extra="ignore")

    database_url: PostgresDsn
    redis_url: RedisDsn
    secret_key: SecretStr = Field(min_length=32)
    service_token: SecretStr = Field(min_length=32)
    """What operator and tools show at /internal/."""
    signing_keys_file: Path
    """A private JWK set; the first key signs, the others are still honoured."""
    allowed_hosts: str = "localhost,127.0.0.1"
    csrf_trusted_origins: str = ""
    static_root: Path = Path("build/static")
    log_level: str = "INFO"
    debug: bool = False
    access_token_seconds: int = 600
    refresh_token_seconds: int = 12 * 3600
    lease_ttl_ms: int = 30_000
    """The longest a solver may go without hearing of a change; solvers may be configured shorter."""
    lease_margin_ms: int = 2_000
    """How long after its expiry a lease still counts as live for the close: clock drift between boot clocks."""
    solver_role: str = "exam_solver"
    grader_role: str = "exam_grader"
