"""Real exporters on real stores: as the chart configures them, with users that can read nothing else."""

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import yaml
from psycopg import sql

from exam_harness.chart.render import CHART, pods_of, render
from exam_harness.environments.builds.binaries import program
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.servers.exporters import exported_metrics, find_redis_exporter
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis

pytestmark = pytest.mark.integration

ROLE = "exam_monitoring"
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\\\]|\\\\.)*)"')
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
BOARDS = [json.loads(path.read_text()) for path in sorted((CHART / "files/dashboards").glob("*.json"))]
EXPRESSIONS = [
    *(rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]),
    *(target["expr"] for board in BOARDS for panel in board["panels"] for target in panel["targets"]),
]
ON = {"exporters": {"enabled": True}}


def _needed(prefix: str) -> set[str]:
    """The metrics that alerts and dashboards read."""
    return {name for text in EXPRESSIONS for name in re.findall(rf"\b{prefix}_[a-z_]+", text)}


def _samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Labels and value of each sample by its name, which prometheus_client's parser would change for some counters."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()  # type: ignore[union-attr]
            found.setdefault(name, []).append((dict(LABEL.findall(labels or "")), float(value)))
    return found


def _environment(component: str, address: tuple[str, str], password: str) -> dict[str, str]:
    """The environment of the chart's container, with another address of the store, and the password of its user."""
    (container,) = pods_of(render(ON))[f"Deployment/exam-{component}"]["spec"]["containers"]
    return {each["name"]: each["value"].replace(*address) if "value" in each else password for each in container["env"]}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for logs."""
    folder = new_run_folder("exporters")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def password(postgres: Postgres) -> Iterator[str]:
    """The password of PostgreSQL's monitoring role, which is dropped at the end."""
    password = secrets.token_hex(16)
    _create_role(postgres, password)
    yield password
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP ROLE {ROLE}")


def _create_role(postgres: Postgres, password: str) -> None:
    """Run the chart's statements; psql would quote the password."""
    statements = (CHART / "files/postgres-monitoring.sql").read_text().split(":'password'")
    assert len(statements) == 2
    quoted = sql.SQL(statements[0]) + sql.Literal(password) + sql.SQL(statements[1])
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(quoted.as_string(connection).encode())


def test_postgresql_has_the_metrics_of_alerts_and_dashboards(postgres, password, folder) -> None:
    """If PostgreSQL is up, its exporter has every metric that an alert or a panel reads."""
    (port,) = free_ports(1)
    env = _environment("postgres-exporter", ("exam-postgres:5432", f"127.0.0.1:{postgres.port}"), password)
    command = [str(program("postgres-exporter")), f"--web.listen-address=127.0.0.1:{port}"]
    with exported_metrics(command, env, port=port, log=folder / "logs/exporter.log") as client:
        samples = _samples(client.get("/metrics").text)
    needed = _needed("pg")
    assert needed
    assert needed <= samples.keys()
    assert samples["pg_up"] == [({}, 1.0)]
    assert "exam" in {labels["datname"] for labels, _ in samples["pg_stat_database_xact_commit"]}
    assert samples["pg_settings_max_connections"][0][1] == 200


def test_the_role_of_postgresql_reads_no_table(postgres, password) -> None:
    """If an attacker has the exporter's password, they read statistics, no data, and change nothing."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
        owner.execute("CREATE TABLE monitoring_probe (secret text)")
    try:
        with psycopg.connect(f"postgresql://{ROLE}:{password}@127.0.0.1:{postgres.port}/exam", autocommit=True) as role:
            assert role.execute("SELECT count(*) > 0 FROM pg_stat_activity").fetchone() == (True,)
            for statement in ("SELECT * FROM monitoring_probe", "CREATE TABLE x (y int)", "CREATE ROLE other"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    role.execute(statement)
    finally:
        with psycopg.connect(postgres.dsn(), autocommit=True) as owner:
            owner.execute("DROP TABLE monitoring_probe")


def test_the_role_of_postgresql_gets_another_password(postgres, password) -> None:
    """If the Secret has another password, the next upgrade sets it; creating the role again is no error."""
    _create_role(postgres, "another")
    address = f"127.0.0.1:{postgres.port}/exam"
    with psycopg.connect(f"postgresql://{ROLE}:another@{address}") as role:
        assert role.execute("SELECT current_user").fetchone() == (ROLE,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://{ROLE}:{password}@{address}")


@pytest.fixture(params=["redis", "broker"])
def monitored(request, folder: Path) -> Iterator[tuple[Redis, "redis.Redis", str]]:
    """A Redis server with the user that the chart has in its configuration, and a client of the default user."""
    documents = render(ON)
    (config,) = [each["data"]["redis.conf"] for each in documents if _is_config(each, f"exam-{request.param}")]
    (line,) = [each for each in config.splitlines() if each.startswith("user monitoring ")]
    server = Redis(folder)
    with server, redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", *line.replace("$REDIS_MONITORING_PASSWORD", "pw").split()[1:])
        yield server, client, request.param


def _is_config(document, name: str) -> bool:
    return bool(document["kind"] == "ConfigMap" and document["metadata"]["name"] == name)


@pytest.mark.skipif("find_redis_exporter() is None", reason="redis_exporter is neither installed nor Debian's")
def test_redis_has_the_metrics_of_alerts_and_dashboards(monitored, folder) -> None:
    """If Redis is up, its exporter has every metric that alerts and panels read, by commands that its user may use."""
    server, client, name = monitored
    client.config_set("maxmemory", "100kb")
    with pytest.raises(redis.OutOfMemoryError):
        client.set("x", b"x")
    client.execute_command("ACL", "LOG", "RESET")
    (port,) = free_ports(1)
    env = _environment(f"{name}-exporter", (f"exam-{name}:6379", f"127.0.0.1:{server.port}"), "pw")
    env |= {"REDIS_EXPORTER_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}"}
    command = [str(find_redis_exporter())]
    with exported_metrics(command, env, port=port, log=folder / "logs/exporter.log") as exporter:
        samples = _samples(exporter.get("/metrics").text)
    needed = _needed("redis")
    assert needed
    assert needed <= samples.keys()
    assert samples["redis_up"] == [({}, 1.0)]
    assert ({"err": "OOM"}, 1.0) in samples["redis_errors_total"]
    assert client.execute_command("ACL", "LOG") == []


def test_the_user_of_redis_reads_no_key(monitored) -> None:
    """If an attacker has the exporter's password, they see statistics, and neither keys nor the other password."""
    server, _, _ = monitored
    with redis.Redis(port=server.port, username="monitoring", password="pw") as client:
        assert client.info()["redis_version"]
        for command in (("GET", "x"), ("KEYS", "*"), ("CONFIG", "GET", "requirepass"), ("FLUSHALL",), ("ACL", "LIST")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_an_exporter_reports_a_store_that_is_down(folder) -> None:
    """If PostgreSQL is down, its exporter goes on and says so, which the alert reads."""
    port, closed = free_ports(2)
    env: dict[str, Any] = _environment("postgres-exporter", ("exam-postgres:5432", f"127.0.0.1:{closed}"), "x")
    command = [str(program("postgres-exporter")), f"--web.listen-address=127.0.0.1:{port}"]
    with exported_metrics(command, env, port=port, log=folder / "logs/exporter.log") as client:
        assert _samples(client.get("/metrics").text)["pg_up"] == [({}, 0.0)]
