"""Generate the secrets of every service into a volume of its own; do nothing if they exist."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path("/secrets")
KEYS = "keys.pem"
STATEMENT_KEYS = "statement-keys.pem"
COMPONENTS = ("web", "solver", "grader")
"""The services with a role in Cassandra."""
CREDENTIALS = ("EXAM_CASSANDRA_USERNAME", "EXAM_CASSANDRA_PASSWORD")


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
            "EXAM_STATEMENT_KEYS_FILE": f"/secrets/{STATEMENT_KEYS}",
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
    """Write the secrets unless they exist; Redis' are written last and mark completion."""
    generated = environments()
    if (ROOT / "redis/env").exists():
        add_statement_keys(generated["web"])
    else:
        for service, variables in generated.items():
            if service in {"web", "solver"}:
                write_key(ROOT / service / KEYS)
            if service == "web":
                write_key(ROOT / service / STATEMENT_KEYS)
            write_env(service, variables)
    separate_cassandra_roles()


def separate_cassandra_roles() -> None:
    """Give Cassandra's superuser to the migrations alone, and each component a role; resumes if it was interrupted.

    Secrets that an earlier release generated have the superuser in the environment of every component.
    """
    if not (ROOT / "migrate/env").exists():
        web = read_env("web")
        superuser = {name: web[name] for name in CREDENTIALS}
        passwords = {f"EXAM_CASSANDRA_{each.upper()}_PASSWORD": secrets.token_urlsafe(24) for each in COMPONENTS}
        write_env("migrate", superuser | passwords)
    passwords = read_env("migrate")
    for each in COMPONENTS:
        password = passwords[f"EXAM_CASSANDRA_{each.upper()}_PASSWORD"]
        role = dict(zip(CREDENTIALS, (f"exam_{each}", password), strict=True))
        present = read_env(each)
        if present | role != present:
            write_env(each, present | role)


def read_env(service: str) -> dict[str, str]:
    """The variables of a service."""
    lines = (ROOT / service / "env").read_text().splitlines()
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def write_env(service: str, variables: dict[str, str]) -> None:
    """Write the variables of a service; never a part of them."""
    unfinished = ROOT / service / "env.new"
    unfinished.write_text("".join(_line(name, value) for name, value in variables.items()))
    unfinished.replace(ROOT / service / "env")


def add_statement_keys(variables: dict[str, str]) -> None:
    """Add the keys of statements to secrets that an earlier release generated."""
    env, key, name = ROOT / "web/env", ROOT / "web" / STATEMENT_KEYS, "EXAM_STATEMENT_KEYS_FILE"
    if not key.exists():
        write_key(key)
    if name not in env.read_text():
        with env.open("a") as file:
            file.write(_line(name, variables[name]))


def write_key(path: Path) -> None:
    """Generate a signing key."""
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _line(name: str, value: str) -> str:
    return f"{name}='{value}'\n"


if __name__ == "__main__":
    main()
