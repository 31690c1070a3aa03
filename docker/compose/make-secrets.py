"""Generate the secrets of every service into a volume of its own; do nothing if they exist."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path("/secrets")
KEYS = "keys.pem"


def _dsn(role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@postgres:5432/exam"


def environments() -> dict[str, dict[str, str]]:
    """Generate the environment variables of every service."""
    postgres, web, solver, grader, redis, cassandra = (secrets.token_urlsafe(24) for _ in range(6))
    stores = {
        "EXAM_REDIS_URL": f"redis://:{redis}@redis:6379/0",
        "EXAM_CASSANDRA_HOSTS": "cassandra",
        "EXAM_CASSANDRA_USERNAME": "exam",
        "EXAM_CASSANDRA_PASSWORD": cassandra,
        "EXAM_CASSANDRA_REPLICATION": "1",
    }
    origins = {"http://localhost", f"http://localhost:{os.environ['HTTP_PORT']}"}
    return {
        "web": {
            **stores,
            "EXAM_DATABASE_URL": _dsn("exam_web", web),
            "EXAM_SECRET_KEY": secrets.token_urlsafe(48),
            "EXAM_SERVICE_TOKEN": secrets.token_urlsafe(32),
            "EXAM_SIGNING_KEYS_FILE": f"/secrets/{KEYS}",
            "EXAM_ALLOWED_HOSTS": "localhost,web",
            "EXAM_CSRF_TRUSTED_ORIGINS": ",".join(sorted(origins)),
            # No TLS on the loopback.
            "EXAM_INSECURE_HTTP": "1",
        },
        "solver": {
            **stores,
            "EXAM_LEASE_DATABASE_URL": _dsn("exam_solver", solver),
            "EXAM_SOLVER_KEYS_FILE": f"/secrets/{KEYS}",
            "EXAM_WEB_URL": "http://web:8000",
        },
        "grader": {**stores, "EXAM_DATABASE_URL": _dsn("exam_grader", grader), "EXAM_METRICS_PORT": "9100"},
        "postgres": {
            "POSTGRES_PASSWORD": postgres,
            "EXAM_WEB_PASSWORD": web,
            "EXAM_SOLVER_PASSWORD": solver,
            "EXAM_GRADER_PASSWORD": grader,
        },
        "redis": {"REDIS_PASSWORD": redis},
    }


def main() -> None:
    """Write the secrets unless they exist; the last volume is written last and marks completion."""
    generated = environments()
    if (ROOT / list(generated)[-1] / "env").exists():
        return
    for service, variables in generated.items():
        if service in {"web", "solver"}:
            key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (ROOT / service / KEYS).write_bytes(key)
        lines = "".join(f"{name}='{value}'\n" for name, value in variables.items())
        (ROOT / service / "env").write_text(lines)


if __name__ == "__main__":
    main()
