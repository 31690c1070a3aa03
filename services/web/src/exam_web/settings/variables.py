"""The environment variables that web reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import unquote

from pydantic import AwareDatetime, Field, PostgresDsn, RedisDsn, SecretStr, model_validator

from exam_core.bounds import MAX_SPAN_US
from exam_core.instants import SECOND
from exam_runtime.settings import CommaSeparated, ServiceSettings, unused_ca_files, verified_url

POSTGRES_PORT: Final = 5432
ADDRESS: Final = r"^(\[[0-9a-f:.]+\]|[^:\[\]]+):\d{1,5}$"
MIN_SECRET_KEY_LENGTH: Final = 50
"""In characters; Django warns of a shorter one."""
MIN_FORMER_TOKEN_LENGTH: Final = 32


class WebSettings(ServiceSettings):
    """Variables named ``EXAM_<FIELD>``."""

    component: Literal["web", "grader"] = "web"
    """The process that runs Django: the grader uses web's models and gets none of web's secrets."""
    bind: str = Field(default="0.0.0.0:8000", pattern=ADDRESS)
    """The address and port of the public API and the admin, to which the gateway routes; ``[::]:8000`` is every
    address, IPv4 and IPv6."""
    internal_bind: str = Field(default="0.0.0.0:8001", pattern=ADDRESS)
    """The address and port of the internal API, to which no gateway or Ingress routes."""
    web_threads: int = Field(default=8, ge=1)
    database_url: PostgresDsn
    """PostgreSQL, as a role that owns nothing: web's own or the grader's."""
    owner_database_url: PostgresDsn | None = None
    """PostgreSQL, as the role that owns the schema. A command that has it connects as that role; web does not start."""
    admin_database_url: PostgresDsn | None = None
    """PostgreSQL, as a superuser, for `create_owner`."""
    redis_url: RedisDsn | None = None
    """Redis as the cache, which may evict anything; the grader has none."""
    redis_ca_file: Path | None = None
    broker_url: RedisDsn | None = None
    """Redis as the broker, which evicts nothing: web counts failed logins there."""
    broker_ca_file: Path | None = None
    secret_key: SecretStr = SecretStr("")
    signing_keys_file: Path | None = None
    """A private JWK set or PEM keys: tokens are signed with the first and verified with any of them."""
    statement_keys_file: Path | None = None
    """Keys of the same form that sign nothing but statements about seals and degrees, which must verify for years."""
    operator_service_keys_file: Path | None = None
    """The keys that sign the operator's requests to the internal API; without them, no operator is accepted."""
    solver_service_keys_file: Path | None = None
    """The keys that sign the solvers' requests, likewise."""
    former_callers_until: AwareDatetime | None = None
    """Until when `bind` also serves the operators and solvers of the release before: during an upgrade from it."""
    service_token: SecretStr = SecretStr("")
    """The bearer token of these operators; of no use afterwards."""
    allowed_hosts: CommaSeparated = ("localhost", "127.0.0.1")
    csrf_trusted_origins: CommaSeparated = ()
    static_root: Path = Path("build/static")
    debug: bool = False
    insecure_http: bool = False
    """For a gateway on the loopback interface only: cookies travel without TLS and no HSTS header is sent."""
    access_token_seconds: int = Field(default=600, ge=30, le=3600)
    refresh_token_seconds: int = Field(default=12 * 3600, ge=600, le=30 * 24 * 3600)
    refresh_grace_seconds: int = Field(default=30, ge=0, le=600)
    """How long a used refresh token may be sent again, because its reply may have been lost; 0: never."""
    staff_second_factor: Literal["optional", "required"] = "optional"
    """Whether the admin shows staff without a second factor the page to enrol one, and nothing else."""
    admin_idle_seconds: int = Field(default=3600, ge=60, le=30 * 24 * 3600)
    """After how long without a request a session of the admin ends."""
    revocation_seconds: int = Field(default=7 * 24 * 3600, ge=2 * MAX_SPAN_US // SECOND, le=366 * 24 * 3600)
    """How long a revocation is kept: longer than any attempt, because its token expires only with its deadline, which a
    duration and extra time of 24 hours each allow."""
    lease_margin_ms: int = Field(default=2_000, ge=0)
    """How long after its expiry a lease still counts as live in a drain: the drift allowed between two clocks."""
    default_owner: str = ""
    """The Doctor who owns the exams that come by an Exam resource without `spec.owner`; empty: they are rejected."""
    solver_role: str = Field(default="exam_solver", pattern=r"^[a-z_][a-z0-9_]*$")
    grader_role: str = Field(default="exam_grader", pattern=r"^[a-z_][a-z0-9_]*$")

    @property
    def web_role(self) -> str:
        """Web's role in PostgreSQL; of the grader's processes, theirs."""
        return unquote(self.database_url.hosts()[0]["username"] or "")

    @property
    def verified_redis_url(self) -> str | None:
        """The cache's URL for clients, which verify the server's certificate."""
        return verified_url(self.redis_url, self.redis_ca_file) if self.redis_url else None

    @property
    def verified_broker_url(self) -> str | None:
        """The broker's URL for clients, which verify the server's certificate."""
        return verified_url(self.broker_url, self.broker_ca_file) if self.broker_url else None

    def database(self) -> dict[str, Any]:
        """The entry in Django's DATABASES: all hosts (libpq tries them in order) and every parameter of the URL."""
        url = self.owner_database_url or self.database_url
        hosts = url.hosts()
        return {
            "NAME": unquote((url.path or "/").removeprefix("/")),
            "USER": unquote(hosts[0]["username"] or ""),
            "PASSWORD": unquote(hosts[0]["password"] or ""),
            "HOST": ",".join(host["host"] or "" for host in hosts),
            "PORT": ",".join(str(host["port"] or POSTGRES_PORT) for host in hosts),
            "OPTIONS": {"connect_timeout": 5}
            | dict(url.query_params())
            | {"pool": {"min_size": 1, "max_size": 12, "timeout": 2}},
        }

    @property
    def port(self) -> str:
        """The port of the public API."""
        return self.bind.rpartition(":")[2]

    @property
    def internal_port(self) -> str:
        """The port of the internal API."""
        return self.internal_bind.rpartition(":")[2]

    @model_validator(mode="after")
    def _check_related_variables(self) -> Self:
        faults = list(self._faults())
        if faults:
            raise ValueError("\n  ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        if self.component == "web":
            if len(self.secret_key.get_secret_value()) < MIN_SECRET_KEY_LENGTH:
                yield f"EXAM_SECRET_KEY must be set, to at least {MIN_SECRET_KEY_LENGTH} characters"
            if self.former_callers_until and len(self.service_token.get_secret_value()) < MIN_FORMER_TOKEN_LENGTH:
                least = f"at least {MIN_FORMER_TOKEN_LENGTH} characters"
                yield f"EXAM_SERVICE_TOKEN must be set with EXAM_FORMER_CALLERS_UNTIL, to {least}"
            if self.port == self.internal_port:
                yield "EXAM_INTERNAL_BIND must have another port than EXAM_BIND, which the gateway routes to"
            for name in ("redis_url", "broker_url"):
                if getattr(self, name) is None:
                    yield f"EXAM_{name.upper()} is not set"
            for name in ("signing_keys_file", "statement_keys_file"):
                if getattr(self, name) is None:
                    yield f"EXAM_{name.upper()} must name a private JWK set"
        yield from unused_ca_files(self, "redis", "broker")
        if self.revocation_seconds < self.refresh_token_seconds:
            yield "EXAM_REVOCATION_SECONDS must not be less than EXAM_REFRESH_TOKEN_SECONDS"
