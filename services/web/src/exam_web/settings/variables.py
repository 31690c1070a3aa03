"""What web reads from its environment, in one place; a missing or wrong variable is named at start-up."""

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote

from pydantic import Field, PostgresDsn, RedisDsn, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

POSTGRES_PORT = 5432
MIN_SECRET = {"secret_key": 50, "service_token": 32}
"""Characters; Django warns of a shorter key."""


class WebSettings(BaseSettings):
    """Variables named ``EXAM_<FIELD>``. Spans carry their unit in their name."""

    model_config = SettingsConfigDict(env_prefix="EXAM_", extra="ignore", hide_input_in_errors=True)

    component: Literal["web", "grader"] = "web"
    """Who uses Django here: the grader works on web's models and is given none of web's secrets."""
    database_url: PostgresDsn
    redis_url: RedisDsn
    secret_key: SecretStr = SecretStr("")
    service_token: SecretStr = SecretStr("")
    """What operator and tools show at /internal/."""
    signing_keys_file: Path | None = None
    """A private JWK set or PEM keys; the first signs, the others are still honoured."""
    allowed_hosts: str = "localhost,127.0.0.1"
    csrf_trusted_origins: str = ""
    static_root: Path = Path("build/static")
    log_level: str = "INFO"
    debug: bool = False
    insecure_http: bool = False
    """For a gateway on the loopback alone: cookies travel without TLS, and no browser is told to insist on it."""
    access_token_seconds: int = Field(default=600, ge=30, le=3600)
    refresh_token_seconds: int = Field(default=12 * 3600, ge=600)
    revocation_seconds: int = Field(default=7 * 24 * 3600, ge=24 * 3600)
    """How long a revocation is kept: longer than any sitting, whose attempt tokens end with its deadlines alone."""
    lease_ttl_ms: int = Field(default=30_000, ge=1000, le=60_000)
    """The longest a solver may go without hearing of a change; solvers may be configured shorter."""
    lease_margin_ms: int = Field(default=2_000, ge=0)
    """How long after its expiry a lease still counts as live for the close: clock drift between boot clocks."""
    solver_role: str = Field(default="exam_solver", pattern=r"^[a-z_][a-z0-9_]*$")
    grader_role: str = Field(default="exam_grader", pattern=r"^[a-z_][a-z0-9_]*$")

    def database(self) -> dict[str, Any]:
        """PostgreSQL's address as Django takes it: all hosts (libpq tries them in order), and every parameter."""
        hosts = self.database_url.hosts()
        return {
            "NAME": unquote((self.database_url.path or "/").removeprefix("/")),
            "USER": unquote(hosts[0]["username"] or ""),
            "PASSWORD": unquote(hosts[0]["password"] or ""),
            "HOST": ",".join(host["host"] or "" for host in hosts),
            "PORT": ",".join(str(host["port"] or POSTGRES_PORT) for host in hosts),
            "OPTIONS": {"connect_timeout": 5}
            | dict(self.database_url.query_params())
            | {"pool": {"min_size": 1, "max_size": 12, "timeout": 2}},
        }

    @model_validator(mode="after")
    def _web_has_its_secrets(self) -> Self:
        if self.component == "web":
            for name, least in MIN_SECRET.items():
                if len(getattr(self, name).get_secret_value()) < least:
                    raise ValueError(f"EXAM_{name.upper()} must be set, to at least {least} characters")
            if self.signing_keys_file is None:
                raise ValueError("EXAM_SIGNING_KEYS_FILE must name a private JWK set")
        if self.revocation_seconds < self.refresh_token_seconds:
            raise ValueError("EXAM_REVOCATION_SECONDS must not be less than EXAM_REFRESH_TOKEN_SECONDS")
        return self
