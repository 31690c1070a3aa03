"""The local stack's servers are real, come back after a crash with their data, and leave nothing behind."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from exam_support.stack.cassandra import Cassandra
from exam_support.stack.places import new_folder
from exam_support.stack.ports import listening
from exam_support.stack.postgres import Postgres
from exam_support.stack.process import Child, StackError
from exam_support.stack.redis_server import Redis

pytestmark = pytest.mark.integration


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of this test's own."""
    folder = new_folder("stack-test")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


def test_postgresql_keeps_its_rows_over_a_crash_and_never_runs_as_root(folder: Path) -> None:
    """PostgreSQL killed at once comes back on the same port with what was committed, under an unprivileged user."""
    server = Postgres(folder)
    server.start()
    try:
        server.await_ready()
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
        with psycopg.connect(server.dsn("exam_web"), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (42)")
        server.process.kill()
        assert not listening(server.port)
        server.start()
        server.await_ready()
        with psycopg.connect(server.dsn("exam_web")) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (42,)
    finally:
        server.stop()
    assert not server.process.alive
    assert not listening(server.port)


def test_solver_role_starts_without_rights(postgres: Postgres) -> None:
    """The solver's role can log in and create nothing."""
    with (
        psycopg.connect(postgres.dsn("exam_solver")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE mine (n int)")


def test_redis_wants_its_password(redis_server: Redis) -> None:
    """Nobody reads Redis without the password made for this run."""
    with (
        redis.Redis(host="127.0.0.1", port=redis_server.port) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_cassandra_has_no_default_superuser(cassandra: Cassandra) -> None:
    """The superuser that Cassandra is born with can no longer log in; ours can."""
    with cassandra.session() as session:
        logins = {row.role: row.can_login for row in session.execute("SELECT role, can_login FROM system_auth.roles")}
    assert logins == {"cassandra": False, cassandra.username: True}


def test_a_paused_server_answers_nothing_and_goes_on(folder: Path) -> None:
    """A frozen Redis times out; let go, it answers as before."""
    server = Redis(folder)
    server.start()
    try:
        server.await_ready()
        with redis.Redis.from_url(server.url, socket_timeout=0.3) as client:
            client.set("kept", "yes")
            server.process.pause()
            with pytest.raises(redis.TimeoutError):
                client.get("kept")
            server.process.resume()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"
    finally:
        server.stop()


def test_a_server_that_dies_at_start_shows_the_end_of_its_log(folder: Path) -> None:
    """A start that fails says why, in the server's own words."""
    child = Child("liar", ["/bin/sh", "-c", "echo no such luck; exit 3"], log=folder / "logs/liar.log", env={})
    child.start()
    with pytest.raises(StackError, match=r"(?s)ended with code 3.*no such luck"):
        child.await_ready(lambda: False, seconds=10)


def test_children_of_a_child_end_with_it(folder: Path) -> None:
    """What a server started itself is gone with it."""
    pid_file = folder / "grandchild"
    script = f"sleep 600 & echo $! > {pid_file}.new; mv {pid_file}.new {pid_file}; wait"
    child = Child("parent", ["/bin/sh", "-c", script], log=folder / "logs/parent.log", env={"PATH": "/usr/bin:/bin"})
    child.start()
    child.await_ready(pid_file.exists, seconds=10)
    grandchild = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    child.stop()
    deadline = time.monotonic() + 10
    while grandchild.exists() and grandchild.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the grandchild outlived its parent"
