"""Environment variables of each service on a local stack; every secret is generated for the run."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.keys import new_signing_jwk
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.postgres import OWNER, Postgres
from exam_harness.environments.processes.servers.redis import Redis


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Values that a deployment keeps in Secrets."""

    secret_key: str
    web_keys: Path
    statement_keys: Path
    solver_keys: Path
    operator_service_keys: Path
    solver_service_keys: Path

    @classmethod
    def new(cls, folder: Path) -> "Secrets":
        """Generate secrets; signing keys go into files that only the current user may read."""
        folder.mkdir(parents=True, mode=0o700)
        return cls(
            secret_key=secrets.token_urlsafe(48),
            web_keys=_new_key_file(folder / "web-keys.json"),
            statement_keys=_new_key_file(folder / "statement-keys.json"),
            solver_keys=_new_key_file(folder / "solver-keys.json"),
            operator_service_keys=_new_key_file(folder / "operator-service-keys.json"),
            solver_service_keys=_new_key_file(folder / "solver-service-keys.json"),
        )


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The servers that services connect to; `redis` is the cache."""

    postgres: Postgres
    redis: Redis
    broker: Redis
    cassandra: Cassandra


def web_environment(stores: Stores, secret: Secrets, *, static_root: Path, gateway_port: int) -> dict[str, str]:
    """Return the environment of web and its commands; browsers reach it through the gateway."""
    return (
        _common()
        | stores.cassandra.ring.variables("web")
        | {
            "DJANGO_SETTINGS_MODULE": "exam_web.settings",
            "EXAM_DATABASE_URL": stores.postgres.dsn("exam_web"),
            "EXAM_REDIS_URL": stores.redis.url_of("web"),
            "EXAM_BROKER_URL": stores.broker.url_of("web"),
            "EXAM_SECRET_KEY": secret.secret_key,
            "EXAM_OPERATOR_SERVICE_KEYS_FILE": str(secret.operator_service_keys),
            "EXAM_SOLVER_SERVICE_KEYS_FILE": str(secret.solver_service_keys),
            "EXAM_SIGNING_KEYS_FILE": str(secret.web_keys),
            "EXAM_STATEMENT_KEYS_FILE": str(secret.statement_keys),
            "EXAM_STATIC_ROOT": str(static_root),
            "EXAM_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "EXAM_CSRF_TRUSTED_ORIGINS": f"http://localhost:{gateway_port}",
            # The local gateway serves plain HTTP on the loopback interface.
            "EXAM_INSECURE_HTTP": "1",
        }
    )


def migration_environment(postgres: Postgres, web: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of `migrate`: web's, and the role that owns the schema."""
    return {**web, "EXAM_OWNER_DATABASE_URL": postgres.dsn(OWNER)}


def grader_environment(stores: Stores) -> dict[str, str]:
    """Return the environment of grader processes: no key."""
    return (
        _common()
        | stores.cassandra.ring.variables("grader")
        | {
            "DJANGO_SETTINGS_MODULE": "exam_web.settings",
            "EXAM_COMPONENT": "grader",
            "EXAM_DATABASE_URL": stores.postgres.dsn("exam_grader"),
            "EXAM_BROKER_URL": stores.broker.url_of("grader"),
        }
    )


def solver_environment(stores: Stores, secret: Secrets, *, web_url: str, web_internal_url: str) -> dict[str, str]:
    """Return the environment of a solver process."""
    return (
        _common()
        | stores.cassandra.ring.variables("solver")
        | {
            "EXAM_LEASE_DATABASE_URL": stores.postgres.dsn("exam_solver"),
            "EXAM_REDIS_URL": stores.redis.url_of("solver"),
            "EXAM_SOLVER_KEYS_FILE": str(secret.solver_keys),
            "EXAM_SOLVER_SERVICE_KEYS_FILE": str(secret.solver_service_keys),
            "EXAM_WEB_URL": web_url,
            "EXAM_WEB_INTERNAL_URL": web_internal_url,
        }
    )


def _common() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return inherited | {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONUNBUFFERED": "1", "EXAM_LOG_LEVEL": "INFO"}


def _new_key_file(path: Path) -> Path:
    path.touch(mode=0o600)
    path.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))
    return path
