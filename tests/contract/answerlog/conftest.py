"""The implementations that the answer log's contract is tested against: memory, and a real Cassandra.

A keyspace is created once per run; every test uses sittings of its own in it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from cassandra.cluster import Session

from exam_answerlog.cassandra import CassandraAnswerLog
from exam_answerlog.log import AnswerLog
from exam_answerlog.schema import migrate
from exam_answerlog.session import connect_cluster, make_cluster
from exam_answerlog.settings import CassandraSettings
from exam_answerlog.tables import SEALED
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_harness.environments.processes.servers.cassandra import Cassandra


@pytest.fixture(scope="session")
def cassandra_settings(cassandra: Cassandra) -> CassandraSettings:
    """The settings of this run's keyspace, which is not created yet."""
    return CassandraSettings(
        hosts=(cassandra.host,),
        port=cassandra.port,
        username=cassandra.username,
        password=cassandra.password,
        keyspace=f"contract_{uuid4().hex[:12]}",
        # A slow machine must not look like an outage; outages have tests of their own.
        timeout_ms=10_000,
    )


@pytest.fixture(scope="session")
def admin(cassandra_settings: CassandraSettings) -> Iterator[Session]:
    """A plain driver session, in the migrated keyspace."""
    cluster = make_cluster(cassandra_settings, request_timeout=30)
    session = connect_cluster(cluster, cassandra_settings)
    migrate(session, cassandra_settings, lambda _line: None)
    session.set_keyspace(cassandra_settings.keyspace)
    yield session
    session.execute(f"DROP KEYSPACE {cassandra_settings.keyspace}")
    cluster.shutdown()


@pytest.fixture
async def cassandra_log(cassandra_settings: CassandraSettings, admin: Session) -> AsyncIterator[CassandraAnswerLog]:
    """An answer log in real Cassandra."""
    log = CassandraAnswerLog.connect(cassandra_settings)
    yield log
    await log.close()


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=pytest.mark.integration)])
def log(request: pytest.FixtureRequest) -> AnswerLog:
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryAnswerLog()
    found: CassandraAnswerLog = request.getfixturevalue("cassandra_log")
    return found


@pytest.fixture
def tamper(log: AnswerLog, request: pytest.FixtureRequest) -> Callable[[UUID, int, bytes], Awaitable[None]]:
    """Replaces the bytes of a seal directly in the store."""

    async def in_memory(sitting: UUID, bucket: int, data: bytes) -> None:
        assert isinstance(log, MemoryAnswerLog)
        rows = log.tables[SEALED.name]
        rows[sitting, bucket] = replace(rows[sitting, bucket], data=data)

    async def in_cassandra(sitting: UUID, bucket: int, data: bytes) -> None:
        admin = request.getfixturevalue("admin")
        admin.execute("UPDATE sealed SET data = %s WHERE sitting = %s AND bucket = %s", (data, sitting, bucket))

    return in_memory if isinstance(log, MemoryAnswerLog) else in_cassandra
