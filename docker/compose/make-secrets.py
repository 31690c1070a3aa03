"""Generate the secrets of every service into a volume of its own; do nothing if they exist."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path("/secrets")
KEYS = "keys.pem"
STATEMENT_KEYS = "statement-keys.pem"
SERVICE_KEYS = "solver-service-keys.pem"
COMPONENTS = ("web", "solver", "grader")
"""The services with a role in Cassandra."""
CREDENTIALS = ("EXAM_CASSANDRA_USERNAME", "EXAM_CASSANDRA_PASSWORD")


def _dsn(role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@postgres:5432/exam"


def _redis(server: str, user: str, passwords: dict[str, str]) -> str:
    return f"redis://{user}:{passwords[user]}@{server}:6379/0"


def environments() -> dict[str, dict[str, str]]:
    """Generate the environment variables of every service."""
    postgres, owner, web, solver, grader, cassandra = (secrets.token_urlsafe(24) for _ in range(6))
    redis = {user: secrets.token_urlsafe(24) for user in ("web", "solver", "grader", "probe")}
    stores = {
        "EXAM_CASSANDRA_HOSTS": "cassandra",
        "EXAM_CASSANDRA_USERNAME": "exam",
        "EXAM_CASSANDRA_PASSWORD": cassandra,
        "EXAM_CASSANDRA_REPLICATION": "1",
    }
    origins = {"http://localhost", f"http://localhost:{os.environ['HTTP_PORT']}"}
    return {
        "web": {
            **stores,
            "EXAM_REDIS_URL": _redis("redis", "web", redis),
            "EXAM_BROKER_URL": _redis("broker", "web", redis),
            "EXAM_DATABASE_URL": _dsn("exam_web", web),
            "EXAM_SECRET_KEY": secrets.token_urlsafe(48),
            "EXAM_SIGNING_KEYS_FILE": f"/secrets/{KEYS}",
            "EXAM_STATEMENT_KEYS_FILE": f"/secrets/{STATEMENT_KEYS}",
            "EXAM_SOLVER_SERVICE_KEYS_FILE": f"/secrets/{SERVICE_KEYS}",
            "EXAM_ALLOWED_HOSTS": "localhost,web",
            "EXAM_CSRF_TRUSTED_ORIGINS": ",".join(sorted(origins)),
            # No TLS on the loopback.
            "EXAM_INSECURE_HTTP": "1",
        },
        # With web's own, the environment of migrations.
        "migrate": {
            "EXAM_OWNER_DATABASE_URL": _dsn("exam_owner", owner),
            "EXAM_ADMIN_DATABASE_URL": _dsn("postgres", postgres),
        },
        "solver": {
            **stores,
            "EXAM_REDIS_URL": _redis("redis", "solver", redis),
            "EXAM_LEASE_DATABASE_URL": _dsn("exam_solver", solver),
            "EXAM_SOLVER_KEYS_FILE": f"/secrets/{KEYS}",
            "EXAM_SOLVER_SERVICE_KEYS_FILE": f"/secrets/{SERVICE_KEYS}",
            "EXAM_WEB_URL": "http://web:8000",
            "EXAM_WEB_INTERNAL_URL": "http://web:8001",
        },
        "grader": {
            **stores,
            "EXAM_BROKER_URL": _redis("broker", "grader", redis),
            "EXAM_DATABASE_URL": _dsn("exam_grader", grader),
            "EXAM_METRICS_PORT": "9100",
        },
        "postgres": {
            "POSTGRES_PASSWORD": postgres,
            "EXAM_WEB_PASSWORD": web,
            "EXAM_SOLVER_PASSWORD": solver,
            "EXAM_GRADER_PASSWORD": grader,
        },
        "broker": {f"REDIS_{user.upper()}_PASSWORD": redis[user] for user in ("web", "grader", "probe")},
        "redis": {f"REDIS_{user.upper()}_PASSWORD": redis[user] for user in ("web", "solver", "probe")},
    }


def main() -> None:
    """Write the secrets unless they exist; the last volume is written last and marks completion."""
    generated = environments()
    if (ROOT / list(generated)[-1] / "env").exists():
        add_keys(generated)
        add_owner(generated["migrate"])
        add_redis_users(generated)
    else:
        for service, variables in generated.items():
            if service in {"web", "solver"}:
                write_key(ROOT / service / KEYS)
            if service == "web":
                write_key(ROOT / service / STATEMENT_KEYS)
            _write(service, variables)
    share_service_keys()
    separate_cassandra_roles()


def separate_cassandra_roles() -> None:
    """Give Cassandra's superuser to the migrations alone, and each component a role; resumes if it was interrupted.

    Secrets that an earlier release generated have the superuser in the environment of every component.
    """
    migrate, web = _read("migrate"), _read("web")
    passwords = {each: f"EXAM_CASSANDRA_{each.upper()}_PASSWORD" for each in COMPONENTS}
    if not migrate.keys() >= set(passwords.values()):
        if web[CREDENTIALS[0]] != "exam":
            raise SystemExit("the volume secrets-migrate is lost, and with it the password of Cassandra's superuser")
        migrate |= {name: web[name] for name in CREDENTIALS}
        migrate |= {name: secrets.token_urlsafe(24) for name in passwords.values()}
        _write("migrate", migrate)
    for each, name in passwords.items():
        role = dict(zip(CREDENTIALS, (f"exam_{each}", migrate[name]), strict=True))
        present = _read(each)
        if present | role != present:
            _write(each, present | role)


def add_keys(generated: dict[str, dict[str, str]]) -> None:
    """Add the keys and addresses that the secrets of an earlier release lack."""
    if not (ROOT / "web" / STATEMENT_KEYS).exists():
        write_key(ROOT / "web" / STATEMENT_KEYS)
    added = ("EXAM_STATEMENT_KEYS_FILE", "EXAM_SOLVER_SERVICE_KEYS_FILE", "EXAM_WEB_INTERNAL_URL")
    for service in ("web", "solver"):
        env = ROOT / service / "env"
        present = env.read_text()
        missing = [name for name in added if name in generated[service] and f"{name}=" not in present]
        with env.open("a") as file:
            file.writelines(_line(name, generated[service][name]) for name in missing)


def share_service_keys() -> None:
    """Give web and solver the key that signs the solvers' requests to web, unless they have it."""
    one, other = (ROOT / service / SERVICE_KEYS for service in ("web", "solver"))
    if not one.exists():
        write_key(one)
    if not other.exists():
        other.write_bytes(one.read_bytes())


def add_owner(variables: dict[str, str]) -> None:
    """Add the role that owns the schema to secrets that an earlier release generated."""
    if not (ROOT / "migrate/env").exists():
        superuser = _dsn("postgres", _read("postgres")["POSTGRES_PASSWORD"])
        _write("migrate", variables | {"EXAM_ADMIN_DATABASE_URL": superuser})


def add_redis_users(generated: dict[str, dict[str, str]]) -> None:
    """Replace the one password of Redis in secrets that an earlier release generated, and add the broker's."""
    if (ROOT / "broker/env").exists():
        return
    for service in ("web", "solver", "grader", "redis"):
        kept = {
            name: value for name, value in _read(service).items() if name not in {"EXAM_REDIS_URL", "REDIS_PASSWORD"}
        }
        users = {name: value for name, value in generated[service].items() if name.endswith(("_URL", "_PASSWORD"))}
        _write(service, kept | {name: value for name, value in users.items() if "REDIS" in name or "BROKER" in name})
    _write("broker", generated["broker"])


def write_key(path: Path) -> None:
    """Generate a signing key."""
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write(service: str, variables: dict[str, str]) -> None:
    """Replace the variables of a service as a whole: an interruption leaves the former ones."""
    unfinished = ROOT / service / "env.new"
    unfinished.write_text("".join(_line(name, value) for name, value in variables.items()))
    unfinished.replace(ROOT / service / "env")


def _read(service: str) -> dict[str, str]:
    lines = (line.split("=", 1) for line in (ROOT / service / "env").read_text().splitlines())
    return {name: value.strip("'") for name, value in lines}


def _line(name: str, value: str) -> str:
    return f"{name}='{value}'\n"


if __name__ == "__main__":
    main()
