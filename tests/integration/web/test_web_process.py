"""Web as it is deployed: a gunicorn process, with and without its stores."""

import json
import os
import pty
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.service_tokens import Caller, sign_service_token
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess, HarnessError
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.environments.processes.stack import run_python
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration

POD = {"Host": "10.42.0.17:8000"}
"""The Host header of Kubernetes and Prometheus, which call a pod by its address."""


class Web:
    """A running web process."""

    def __init__(self, child: ChildProcess, port: int, internal_port: int) -> None:
        self.child = child
        self.port = port
        self.internal = httpx.Client(
            base_url=f"http://127.0.0.1:{internal_port}", trust_env=False, timeout=20, headers={"Host": "localhost"}
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET, by default under the host that is allowed."""
        return self.http.get(path, headers={"Host": "localhost"} | headers)

    def post(self, path: str, **body: str) -> httpx.Response:
        """POST a JSON body."""
        return self.http.post(path, json=body, headers={"Host": "localhost"})

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log, parsed as JSON."""
        return [json.loads(line) for line in self.child.log.read_text().splitlines()]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of web while neither PostgreSQL nor Redis is running."""
    postgres_port, redis_port, broker_port = free_ports(3)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]}))
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "DJANGO_SETTINGS_MODULE": "exam_web.settings",
        "EXAM_DATABASE_URL": f"postgresql://exam_web:x@127.0.0.1:{postgres_port}/exam",
        "EXAM_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "EXAM_BROKER_URL": f"redis://127.0.0.1:{broker_port}/0",
        "EXAM_SECRET_KEY": secrets.token_urlsafe(48),
        "EXAM_SIGNING_KEYS_FILE": str(keys),
        "EXAM_STATEMENT_KEYS_FILE": str(keys),
        "EXAM_STATIC_ROOT": str(tmp_path),
    }


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Web]]:
    """Start web under gunicorn as its image does."""
    started: list[Web] = []

    def _serve(env: dict[str, str], host: str = "127.0.0.1") -> Web:
        port, internal_port = free_ports(2)
        bound = {"EXAM_BIND": f"{host}:{port}", "EXAM_INTERNAL_BIND": f"{host}:{internal_port}"}
        words = ("-m", "gunicorn", "--config", "python:exam_web.gunicorn", "exam_web.wsgi:application")
        argv = [sys.executable, *words]
        child = ChildProcess("web", argv, log=tmp_path / "web.log", env=env | bound)
        web = Web(child, port, internal_port)
        started.append(web)

        def healthy() -> bool:
            try:
                return web.http.get("/healthz", headers=POD).status_code == 200
            except httpx.TransportError:
                return False

        child.start()
        child.await_ready(healthy, seconds=30)
        return web

    yield _serve
    for web in started:
        web.http.close()
        web.internal.close()
        web.child.stop()


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    """The URL of a new database without tables; dropped at the end."""
    with postgres.new_database() as name:
        yield postgres.dsn("exam_web", name)


@pytest.fixture
def migrate(postgres: Postgres) -> Callable[[dict[str, str]], str]:
    """Runs ``migrate`` for the database of an environment, as the role that owns the schema."""

    def _migrate(env: dict[str, str]) -> str:
        owner = postgres.dsn("exam_owner", env["EXAM_DATABASE_URL"].rsplit("/", 1)[1])
        return run_python(["-m", "exam_web", "migrate", "--verbosity", "0"], env | {"EXAM_OWNER_DATABASE_URL": owner})

    return _migrate


def test_web_runs_without_its_stores(environment, serve) -> None:
    """With PostgreSQL and Redis down web runs, is not ready, and returns 503 with Retry-After."""
    web = serve(environment)
    ready = web.get("/readyz", **POD)
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "failing",
        "checks": {
            "database": {"ok": False, "required": True, "detail": "not reachable"},
            "cache": {"ok": False, "required": False, "detail": "not reachable"},
        },
    }
    assert web.get("/healthz", **POD).json() == {"status": "ok", "checks": {}}
    refused = web.post("/api/auth/students/login", username="sara", password="x")
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert int(refused.headers["retry-after"]) > 0
    assert web.get("/admin/login/").status_code == 200
    assert web.get("/.well-known/jwks.json").json()["keys"]


@pytest.fixture
def callers(environment: dict[str, str], tmp_path: Path) -> dict[Caller, SigningKeys]:
    """The keys of operator and solvers, which web's environment names."""
    keys = {}
    for caller, name in ((Caller.OPERATOR, "OPERATOR"), (Caller.SOLVER, "SOLVER")):
        keys[caller] = new_keys()
        environment[f"EXAM_{name}_SERVICE_KEYS_FILE"] = str(write_keys(tmp_path / f"{name}.pem", keys[caller]))
    return keys


def new_keys() -> SigningKeys:
    """A new key."""
    return SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})


def write_keys(path: Path, *keys: SigningKeys) -> Path:
    """Write keys to a file of PEM blocks, as the platform's Secret has them; the first one signs."""
    blocks = (key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) for key in keys)
    path.write_bytes(b"".join(blocks))
    return path


@pytest.fixture
def migrated(
    environment: dict[str, str],
    empty_database: str,
    redis_server: Redis,
    migrate: Callable[[dict[str, str]], str],
) -> dict[str, str]:
    """The environment of web with its stores, migrated."""
    environment |= {"EXAM_DATABASE_URL": empty_database, "EXAM_REDIS_URL": redis_server.url_of("web")}
    migrate(environment)
    return environment


def bearer(caller: Caller, keys: SigningKeys) -> dict[str, str]:
    """The header of a caller's request."""
    return {"Authorization": f"Bearer {sign_service_token(caller, keys, now=time.time_ns() // 1_000)}"}


def test_the_internal_api_is_at_its_own_port_alone(migrated, callers, serve) -> None:
    """If a request for the internal API arrives at the public port, it gets 404, also if it names the other port."""
    web = serve(migrated)
    headers = bearer(Caller.OPERATOR, callers[Caller.OPERATOR])
    port = str(web.internal.base_url.port)
    forged = {"Host": f"localhost:{port}", "X-Forwarded-Port": port, "X-Forwarded-Host": f"localhost:{port}"}
    for more in ({}, forged, {"Server-Port": port, "Server_Port": port}):
        answer = web.get("/internal/sittings/x", **headers, **more)
        assert (answer.status_code, answer.json()["detail"]) == (404, "/internal/sittings/x not found")
    inside = web.internal.get("/internal/sittings/x", headers=headers)
    assert (inside.status_code, inside.json()["detail"]) == (404, "sitting 'x' not found")
    assert web.internal.get("/internal/sittings/x").status_code == 401
    assert web.internal.get("/api/me").status_code == 404
    assert web.internal.get("/readyz", headers=POD).status_code == 200


def test_a_callers_key_is_rotated_with_an_overlap(migrated, callers, serve, tmp_path: Path) -> None:
    """If I append a key to a caller's file, web accepts both; when I have removed the old one, it rejects that."""
    old, new = callers[Caller.SOLVER], new_keys()
    file = Path(migrated["EXAM_SOLVER_SERVICE_KEYS_FILE"])

    def accepted(web: Web, keys: SigningKeys) -> bool:
        headers = bearer(Caller.SOLVER, keys)
        answer = web.internal.post("/internal/tokens/verify", json={"token": "x.y.z"}, headers=headers)
        assert answer.status_code in {200, 401}
        return answer.is_success

    for stored, expected in (([old], (True, False)), ([old, new], (True, True)), ([new], (False, True))):
        write_keys(file, *stored)
        web = serve(migrated)
        assert (accepted(web, old), accepted(web, new)) == expected
        web.child.stop()


def test_callers_of_the_release_before_are_served_until_a_time(migrated, callers, serve) -> None:
    """During an upgrade, operators and solvers of the release before reach web at its public port; later not."""
    token = secrets.token_urlsafe(32)
    headers = {"Authorization": f"Bearer {token}"}

    def web_until(until: datetime) -> Web:
        return serve(migrated | {"EXAM_SERVICE_TOKEN": token, "EXAM_FORMER_CALLERS_UNTIL": until.isoformat()})

    web = web_until(datetime.now(UTC) + timedelta(hours=1))
    read = web.get("/internal/sittings/exams.midterm.0a1b2c3d", **headers)
    assert read.json()["detail"] == "sitting 'exams.midterm.0a1b2c3d' not found"
    assert web.post("/api/auth/verify", token="x.y.z").json() == {"active": False}
    assert web.get("/internal/sittings/x", Authorization="Bearer wrong").status_code == 401
    # The old token opens nothing at the new port, and no token of the new callers anything at the old one.
    assert web.internal.get("/internal/sittings/x", headers=headers).status_code == 401
    operator = bearer(Caller.OPERATOR, callers[Caller.OPERATOR])
    assert web.get("/internal/sittings/x", **operator).status_code == 401
    assert web.internal.get("/internal/sittings/x", headers=operator).status_code == 404
    web.child.stop()

    until = datetime.now(UTC) + timedelta(seconds=4)
    web = web_until(until)

    def served() -> bool:
        """Whether the release before is served: only before the time, and without fail before it."""
        asked = datetime.now(UTC)
        read = web.get("/internal/sittings/exams.midterm.0a1b2c3d", **headers)
        found = read.json()["detail"] == "sitting 'exams.midterm.0a1b2c3d' not found"
        assert asked < until if found else datetime.now(UTC) >= until
        return found

    eventually(lambda: not served(), "the release before is no longer served", seconds=20)
    assert web.post("/api/auth/verify", token="x.y.z").status_code == 404


def test_probes_ignore_the_host_header(environment, serve) -> None:
    """Probes and metrics are served under a pod's address; everything else needs an allowed host."""
    web = serve(environment)
    assert web.get("/metrics", **POD).status_code == 200
    assert web.get("/.well-known/jwks.json", **POD).status_code == 400
    metrics = web.get("/metrics", **POD).text
    assert 'exam_web_request_seconds_count{method="GET",route="/metrics",status="200"} 1.0' in metrics


def test_unknown_methods_and_paths_share_a_label(environment, serve) -> None:
    """Unknown methods and paths are counted together, so that clients cannot create time series."""
    web = serve(environment)
    for n in range(5):
        web.http.request(f"FOO{n}", f"/nothing-{n}", headers={"Host": "localhost"})
    metrics = web.get("/metrics").text
    assert 'exam_web_request_seconds_count{method="OTHER",route="unknown",status="404"} 5.0' in metrics
    assert "FOO" not in metrics
    assert "nothing-" not in metrics


def test_log_lines_are_json_with_the_request_id(environment, serve) -> None:
    """Every log line is JSON, requests have their id, and probes are not logged."""
    web = serve(environment)
    web.get("/api/me", **{"Authorization": "Bearer x.y.z", "X-Request-ID": "id-of-this-request"})
    web.get("/readyz")
    (line,) = (line for line in web.lines() if line["event"] == "request_served")
    assert (line["request_id"], line["path"], line["status"]) == ("id-of-this-request", "/api/me", 503)
    assert {"method", "duration_ms", "timestamp", "level", "logger"} <= set(line)
    assert {line["service"] for line in web.lines()} == {"web"}


def test_web_does_not_start_without_signing_keys(environment, serve) -> None:
    """Without a usable key file web exits and names the variable, rather than failing at the first login."""
    Path(environment["EXAM_SIGNING_KEYS_FILE"]).write_text("{}")
    with pytest.raises(HarnessError, match="EXAM_SIGNING_KEYS_FILE"):
        serve(environment)


def test_web_is_ready_once_migrated(environment, migrate, serve, empty_database: str, redis_server: Redis) -> None:
    """A release is ready when its migrations are applied, and stays ready without Redis."""
    environment["EXAM_DATABASE_URL"] = empty_database
    web = serve(environment)
    before = web.get("/readyz")
    assert before.status_code == 503
    assert "unapplied migrations" in before.json()["checks"]["database"]["detail"]
    migrate(environment)
    after = web.get("/readyz")
    assert (after.status_code, after.json()["status"]) == (200, "degraded")
    assert after.json()["checks"]["database"]["ok"]
    assert not after.json()["checks"]["cache"]["ok"]
    with_redis = serve(environment | {"EXAM_REDIS_URL": redis_server.url_of("web")})
    assert with_redis.get("/readyz").json()["status"] == "ok"


def test_broken_connections_are_replaced(environment, migrate, serve, empty_database: str, postgres: Postgres) -> None:
    """After a failover the next requests succeed, although their connections were closed."""
    environment["EXAM_DATABASE_URL"] = empty_database
    migrate(environment)
    web = serve(environment)
    assert web.get("/api/sittings/none/seal").status_code == 404
    assert web.get("/readyz").status_code == 200
    name = empty_database.rsplit("/", 1)[1]
    with psycopg.connect(postgres.dsn(database="postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    for _ in range(8):
        assert web.get("/api/sittings/none/seal").status_code == 404


def test_admin_cookies_over_plain_http(environment, migrate, serve, empty_database: str, redis_server: Redis) -> None:
    """With EXAM_INSECURE_HTTP the admin's cookies are sent without TLS; otherwise they are not."""
    env = environment | {
        "EXAM_DATABASE_URL": empty_database,
        "EXAM_REDIS_URL": redis_server.url_of("web"),
        "EXAM_INSECURE_HTTP": "1",
        "ADMIN_PASSWORD": "correct horse battery",
    }
    migrate(env)
    run_python(["-m", "exam_web", "create_admin", "--username", "boss", "--password-env", "ADMIN_PASSWORD"], env)
    for insecure, inside in (("1", True), ("0", False)):
        web = serve(env | {"EXAM_INSECURE_HTTP": insecure})
        token = web.get("/admin/login/").cookies["csrftoken"]
        form = {"username": "boss", "password": "correct horse battery", "csrfmiddlewaretoken": token}
        answer = web.http.post(
            "/admin/login/?next=/admin/", data=form, headers={"Host": "localhost", "Cookie": f"csrftoken={token}"}
        )
        assert answer.status_code == 302
        # The cookie jar gives a secure cookie back only over TLS, as a browser does.
        assert (web.get("/admin/").status_code == 200) is inside
        web.child.stop()


def _run_at_terminal(arguments: list[str], env: dict[str, str], *lines: str) -> tuple[int, str]:
    """Run a command at a terminal and answer its prompts; returns its exit code and output."""
    controller, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, *arguments],
        env=env,
        cwd="/",
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    output = ""
    for line in lines:
        start = len(output)
        while not output[start:].endswith(": "):
            output += os.read(controller, 1024).decode()
        os.write(controller, f"{line}\n".encode())
    with suppress(OSError):  # raised at the end of the terminal's output
        while rest := os.read(controller, 1024).decode():
            output += rest
    os.close(controller)
    return child.wait(30), output


@pytest.mark.timeout(120)
def test_create_admin_prompts_for_the_password(environment, migrate, empty_database, redis_server) -> None:
    """If I name no variable, I type the password twice without echo, and different ones change nothing."""
    env = environment | {"EXAM_DATABASE_URL": empty_database, "EXAM_REDIS_URL": redis_server.url_of("web")}
    migrate(env)
    words = ["-m", "exam_web", "create_admin", "--username", "boss"]
    password = "correct horse battery"
    code, output = _run_at_terminal(words, env, password, "another")
    assert code == 1
    assert "the passwords do not match: nothing changed" in output
    code, output = _run_at_terminal(words, env, password, password)
    assert code == 0, output
    assert "boss can log in at /admin/" in output
    assert password not in output
    without = subprocess.run(
        [sys.executable, *words, "--reset"],
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert without.returncode == 1
    assert b"stdin is not a terminal: name the variable with the password in --password-env" in without.stderr


@pytest.mark.parametrize("words", [["gunicorn", "--config", "python:exam_web.gunicorn", "x"], ["exam_web", "check"]])
def test_wrong_variables_are_named_at_start_up(environment: dict[str, str], words: list[str]) -> None:
    """If variables are wrong, web exits with 78 and prints a line for each of them."""
    until = {"EXAM_FORMER_CALLERS_UNTIL": "2030-01-01T00:00:00Z", "EXAM_SERVICE_TOKEN": "short"}
    env = environment | {"EXAM_SECRET_KEY": "short"} | until
    done = subprocess.run([sys.executable, "-m", *words], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == os.EX_CONFIG, done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()[1:]] == ["EXAM_SECRET_KEY", "EXAM_SERVICE_TOKEN"]


def test_web_listens_on_both_families(environment, serve) -> None:
    """If web binds [::], as its pods do, IPv4 and IPv6 clients are answered; on 127.0.0.1, IPv6 ones are refused."""
    both = serve(environment, host="[::]")
    for address in ("127.0.0.1", "[::1]"):
        assert httpx.get(f"http://{address}:{both.port}/healthz", trust_env=False).status_code == 200
    one = serve(environment)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://[::1]:{one.port}/healthz", trust_env=False)
