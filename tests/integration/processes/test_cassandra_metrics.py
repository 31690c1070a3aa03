"""Metrics of a real Cassandra node, read by a role that may read nothing else."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import uuid4

import httpx
import pytest
from cassandra import Unauthorized
from cassandra.cluster import NoHostAvailable, Session
from prometheus_client.parser import text_string_to_metric_families

from exam_answerlog.node_metrics import QUERIES
from exam_answerlog.roles import create_monitoring_role
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.testing.settings import settings_from
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration

PASSWORD = "a 'secret' password"
PREFIX = "EXAM_CASSANDRA_"
ROWS, BATCH = 20_000, 500
"""Rows that a node looks through in some milliseconds, and how many are written at once."""


@pytest.fixture
def superuser(cassandra_env: dict[str, str]) -> Iterator[tuple[CassandraSettings, Session]]:
    """Settings and a session of the superuser; the monitoring role is dropped at the end."""
    settings = settings_from(cassandra_env).model_copy(update={"monitoring_password": PASSWORD})
    cluster = make_cluster(settings, request_timeout=20)
    session = connect_cluster(cluster, settings)
    create_monitoring_role(session, settings, lambda _: None)
    # A node keeps the password of a role that logged in before for two seconds, an earlier test's too.
    eventually(lambda: _logs_in(settings, PASSWORD), "the role logs in", seconds=20)
    yield settings, session
    session.execute(f"DROP ROLE {settings.monitoring_username}")
    cluster.shutdown()


def _monitoring(settings: CassandraSettings, password: str = PASSWORD) -> CassandraSettings:
    return settings.model_copy(update={"username": settings.monitoring_username, "password": password})


def test_the_role_reads_metrics_alone(superuser) -> None:
    """If an attacker has the exporter's password, they read no answer, no role, and change nothing."""
    settings, _ = superuser
    cluster = make_cluster(_monitoring(settings), request_timeout=20)
    try:
        session = connect_cluster(cluster, settings)
        for query in QUERIES.values():
            session.execute(query)
        for query in (
            "SELECT * FROM exam.answers",
            "SELECT * FROM system_auth.roles",
            "SELECT * FROM system_views.queries",
            "TRUNCATE exam.answers",
            "CREATE TABLE exam.x (y int PRIMARY KEY)",
            "UPDATE system_views.settings SET value = 'x' WHERE name = 'y'",
        ):
            with pytest.raises(Unauthorized):
                session.execute(query)
    finally:
        cluster.shutdown()


def test_the_role_gets_another_password(superuser) -> None:
    """If the Secret has another password, the next upgrade sets it; creating the role again is no error."""
    settings, session = superuser
    create_monitoring_role(session, settings.model_copy(update={"monitoring_password": "another"}), lambda _: None)
    eventually(lambda: _logs_in(settings, "another"), "the new password is accepted", seconds=20)
    eventually(lambda: not _logs_in(settings, PASSWORD), "the former password is rejected", seconds=20)


def _logs_in(settings: CassandraSettings, password: str) -> bool:
    cluster = make_cluster(_monitoring(settings, password), request_timeout=20)
    try:
        connect_cluster(cluster, settings)
    except NoHostAvailable as error:
        if "Bad credentials" not in str(error):
            raise
        return False
    finally:
        cluster.shutdown()
    return True


class Exporter:
    """A running exporter."""

    def __init__(self, folder: Path, cassandra_env: dict[str, str], **env: str) -> None:
        (port,) = free_ports(1)
        self.url = "http://{}:" + f"{port}/metrics"
        login = {f"{PREFIX}USERNAME": "exam_monitoring", f"{PREFIX}PASSWORD": PASSWORD}
        self.child = ChildProcess(
            "cassandra-exporter",
            [sys.executable, "-m", "exam_answerlog", "metrics", "--port", str(port)],
            log=folder / "exporter.log",
            env={"PATH": os.environ["PATH"], **cassandra_env, **login, **env},
        )

    def __enter__(self) -> Self:
        self.child.start()
        self.child.await_ready(self._serves, seconds=60)
        return self

    def __exit__(self, *_: object) -> None:
        if self.child.alive:
            self.child.stop()

    def samples(self, address: str = "127.0.0.1") -> dict[str, list[tuple[dict[str, str], float]]]:
        """What a scrape returns, by the sample's name."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        text = httpx.get(self.url.format(address), trust_env=False, timeout=30).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def _serves(self) -> bool:
        try:
            return bool(self.samples())
        except httpx.TransportError:
            return False


def test_a_node_that_is_up(superuser, cassandra, cassandra_env, tmp_path) -> None:
    """If a node is up, its requests, latencies, pools, tables and clients are exported, to IPv4 and IPv6."""
    _, session = superuser
    reads = {"table": "sealed", "operation": "read"}
    for _ in range(3):
        session.execute(f"SELECT * FROM exam.sealed WHERE sitting = {uuid4()} AND bucket = 0")  # noqa: S608
    with Exporter(tmp_path, cassandra_env) as exporter:
        samples = exporter.samples("[::1]")
        assert exporter.samples().keys() == samples.keys()
    node = {"node": cassandra.host}
    assert samples["exam_cassandra_up"] == [(node | {"rack": "rack1"}, 1.0)]
    (count,) = [value for labels, value in samples["exam_cassandra_requests_total"] if labels == node | reads]
    assert count >= 3
    assert _quantiles(samples, **reads).keys() == {"0.5", "0.99"}
    pools = {labels["pool"] for labels, _ in samples["exam_cassandra_pool_tasks"]}
    assert {"MutationStage", "ReadStage", "Native-Transport-Requests"} <= pools
    assert {labels["table"] for labels, _ in samples["exam_cassandra_table_bytes"]} >= {"answers", "sealed"}
    roles = {labels["role"]: value for labels, value in samples["exam_cassandra_client_connections"]}
    assert roles["exam_monitoring"] >= 1
    assert samples["exam_cassandra_pending_hint_files"] == [(node, 0.0)]


def test_latencies_are_in_seconds(superuser, cassandra_env, tmp_path) -> None:
    """If requests take some milliseconds, the exported latencies are of that size, measured in seconds."""
    _, session = superuser
    session.execute("CREATE TABLE exam.many (part int, number int, mark int, PRIMARY KEY (part, number))")
    try:
        for first in range(0, ROWS, BATCH):
            inserts = (f"INSERT INTO exam.many (part, number, mark) VALUES (0, {first + n}, 0);" for n in range(BATCH))  # noqa: S608
            session.execute(f"BEGIN UNLOGGED BATCH {' '.join(inserts)} APPLY BATCH")
        seconds = []
        for _ in range(20):
            began = time.perf_counter()
            assert not list(session.execute("SELECT * FROM exam.many WHERE part = 0 AND mark = 1 ALLOW FILTERING"))
            seconds.append(time.perf_counter() - began)
        with Exporter(tmp_path, cassandra_env) as exporter:
            quantiles = _quantiles(exporter.samples(), table="many", operation="read")
    finally:
        session.execute("DROP TABLE exam.many")
    # A node measures less than its client. Its histogram's buckets are 20 % wide, and it rounds to milliseconds.
    assert min(seconds) / 10 < quantiles["0.5"] <= quantiles["0.99"] < 1.2 * max(seconds) + 0.001


def _quantiles(samples: dict[str, list[tuple[dict[str, str], float]]], **labels: str) -> dict[str, float]:
    measured = samples["exam_cassandra_request_latency_seconds"]
    return {each["quantile"]: value for each, value in measured if labels.items() <= each.items()}


def test_a_node_that_cannot_be_asked_is_down(superuser, cassandra_env, tmp_path) -> None:
    """If no node answers, the exporter says so, goes on, and finds them again; SIGTERM ends it with code 0."""
    settings, session = superuser
    wrong = {f"{PREFIX}PASSWORD": "later"}
    with Exporter(tmp_path, cassandra_env, **wrong) as exporter:
        down = exporter.samples()
        assert down["exam_cassandra_up"] == [({"node": settings.hosts[0], "rack": ""}, 0.0)]
        assert down.keys() == {"exam_cassandra_up"}
        create_monitoring_role(session, settings.model_copy(update={"monitoring_password": "later"}), lambda _: None)
        eventually(lambda: exporter.samples()["exam_cassandra_up"][0][1] == 1, "the node is up", seconds=30)
        assert exporter.child.stop() == 0
