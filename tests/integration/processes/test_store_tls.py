"""External stores by TLS: every client connects to a server that it can verify, and to no other one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psycopg
import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError
from pydantic import PostgresDsn, RedisDsn

from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_grader.broker.celery_app import create_app
from exam_grader.settings import GraderSettings
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.environments.processes.servers.tls import Authority, tls_proxy

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that signs the stores' certificate."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, as an attacker has it."""
    return Authority.create(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def rediss_url(broker_server: Redis, authority: Authority) -> Iterator[str]:
    """The URL of a Redis behind TLS."""
    with tls_proxy(authority, host="127.0.0.1", port=broker_server.port) as port:
        url = broker_server.url_of("grader")
        yield url.replace("redis://", "rediss://").replace(f":{broker_server.port}/", f":{port}/")


def _grader(url: str, ca_file: Path | None) -> GraderSettings:
    dsn = PostgresDsn("postgresql://exam_grader@127.0.0.1/exam")
    return GraderSettings(database_url=dsn, broker_url=RedisDsn(url), broker_ca_file=ca_file)


def _broker(settings: GraderSettings) -> Connection:
    return create_app(settings).connection(connect_timeout=5)


def test_redis_clients_verify_the_server(rediss_url: str, authority: Authority, stranger: Authority) -> None:
    """If EXAM_BROKER_URL is rediss://, clients and Celery accept the server of my authority, and no other server."""
    settings = _grader(rediss_url, authority.ca_file)
    with redis.Redis.from_url(settings.verified_broker_url) as client:
        assert client.ping()
    with _broker(settings) as connection:
        connection.ensure_connection(max_retries=1)
    for file in (stranger.ca_file, None):
        distrusting = _grader(rediss_url, file)
        with (
            redis.Redis.from_url(distrusting.verified_broker_url) as client,
            pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.ping()
        with _broker(distrusting) as connection, pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            connection.ensure_connection(max_retries=1)


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_cassandra_clients_verify_the_nodes(
    mode: Literal["verify-ca", "verify-full"], cassandra: Cassandra, authority: Authority, stranger: Authority
) -> None:
    """If EXAM_CASSANDRA_TLS is set, services read from nodes of my authority, and connect to no other node."""
    with tls_proxy(authority, host=cassandra.host, port=cassandra.port) as port:
        settings = CassandraSettings(
            hosts=("127.0.0.1",),
            port=port,
            username=cassandra.username,
            password=cassandra.password,
            tls=mode,
            tls_ca_file=authority.ca_file,
        )
        cluster = make_cluster(settings, request_timeout=20)
        try:
            rows = connect_cluster(cluster, settings).execute(
                "SELECT keyspace_name, table_name FROM system_schema.columns"
            )
            assert len(list(rows)) > 100
        finally:
            cluster.shutdown()
        distrusting = make_cluster(settings.model_copy(update={"tls_ca_file": stranger.ca_file}), request_timeout=20)
        try:
            with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
                connect_cluster(distrusting, settings)
        finally:
            distrusting.shutdown()


def test_postgresql_clients_refuse_a_server_without_tls(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the chart sets PGSSLMODE, no client of PostgreSQL sends its password to a server without TLS."""
    with psycopg.connect(postgres.dsn()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", "system")
    with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
        psycopg.connect(postgres.dsn())
