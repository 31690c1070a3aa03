"""Grader processes as they are deployed, and fixtures that drive and block them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.db import connection
from pydantic import PostgresDsn, RedisDsn

from exam_answerlog.testing.settings import settings_from
from exam_grader.answerlog import SyncAnswerLog, cassandra_answerlog
from exam_grader.broker.celery_app import create_app
from exam_grader.broker.redis_broker import RedisBroker
from exam_grader.service import GraderService
from exam_grader.settings import GraderSettings
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis

PYTHON = [sys.executable, "-W", "error::ResourceWarning", "-m", "exam_grader"]
WAIT_SECONDS = 60


def wait_until(condition: Callable[[], bool], description: str, *, seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds; fail after a timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timed out after {seconds:g} s: {description}"
        time.sleep(0.02)


@pytest.fixture
def broker(broker_server: Redis) -> Iterator["redis.Redis"]:
    """The administrator of the real broker, emptied."""
    broker_server.empty()
    with redis.Redis.from_url(broker_server.url) as client:
        yield client
    assert broker_server.denied() == set(), "the grader's user lacks a right"


@pytest.fixture
def grader_env(
    database: None,
    postgres: Postgres,
    broker: "redis.Redis",
    broker_server: Redis,
    cassandra: Cassandra,
    cassandra_env: dict[str, str],
    tmp_path: Path,
) -> dict[str, str]:
    """The environment of grader processes: their own database role, no secret of web."""
    name = connection.settings_dict["NAME"]
    return (cassandra_env | cassandra.ring.variables("grader")) | {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "EXAM_DATABASE_URL": postgres.dsn("exam_grader", name),
        "EXAM_BROKER_URL": broker_server.url_of("grader"),
        "EXAM_CASSANDRA_TIMEOUT_MS": "10000",
        "EXAM_GRADER_CONCURRENCY": "2",
        "EXAM_GRADER_STALL_SECONDS": "2",
        "EXAM_GRADER_VISIBILITY_SECONDS": "5",
        "EXAM_GRADER_SHUTDOWN_SECONDS": "1",
        "EXAM_CLOSE_POLL_SECONDS": "1",
    }


@pytest.fixture
def start(grader_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., ChildProcess]]:
    """Starts ``python -m exam_grader …`` as a child of the test; killed with it at the latest."""
    children: list[ChildProcess] = []

    def begin(*words: str, **env: str) -> ChildProcess:
        name = f"{words[0]}-{len(children)}"
        child = ChildProcess(name, [*PYTHON, *words], log=tmp_path / f"{name}.log", env=grader_env | env)
        child.start()
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()


@pytest.fixture
def coordinate(grader_env: dict[str, str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs ``python -m exam_grader coordinate …`` to its end."""

    def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PYTHON, "coordinate", *words],
            env=grader_env | env,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    """Waits for a condition."""
    return wait_until


@pytest.fixture
def in_process(grader_env: dict[str, str]) -> GraderSettings:
    """The grader's settings for tests that call its modules directly."""
    return GraderSettings(
        database_url=PostgresDsn(grader_env["EXAM_DATABASE_URL"]), broker_url=RedisDsn(grader_env["EXAM_BROKER_URL"])
    )


@pytest.fixture
def send(in_process: GraderSettings) -> Iterator[Callable[..., object]]:
    """Sends a task through the broker."""
    app = create_app(in_process)
    yield lambda name, *args: app.send_task(name, args)
    app.close()


@pytest.fixture
def make_grader(in_process: GraderSettings, grader_env: dict[str, str]) -> Iterator[Callable[[], GraderService]]:
    """Graders that the test calls itself, each with connections of its own."""
    stores: list[SyncAnswerLog] = []
    app = create_app(in_process)

    def make() -> GraderService:
        stores.append(cassandra_answerlog(settings_from(grader_env)))
        return GraderService(in_process, stores[-1], app, RedisBroker(str(in_process.broker_url)))

    yield make
    for store in stores:
        store.close()
    app.close()


@pytest.fixture
def graders_blocked(postgres: Postgres, database: None) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Holds every grader in the middle of a chunk's transaction: its ledger row is written, its degrees are not.

    Closing the connection unblocks them.
    """
    dsn = postgres.dsn("exam_web", connection.settings_dict["NAME"])
    with psycopg.connect(dsn) as blocker:
        blocker.execute("LOCK TABLE degrees_degree IN SHARE ROW EXCLUSIVE MODE")
        yield blocker


@pytest.fixture
def graders_waiting() -> Callable[[], int]:
    """Counts the graders that `graders_blocked` blocks."""

    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'degrees_degree'::regclass"
                " AND mode = 'RowExclusiveLock'"
            )
            return int(cursor.fetchone()[0])

    return count
