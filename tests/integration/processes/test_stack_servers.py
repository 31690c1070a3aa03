"""The local stack's servers are real, come back after a crash with their data, and leave nothing behind."""

import pwd
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import psycopg
import pytest
import redis

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import free_ports, is_listening
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.nginx import Nginx
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis

pytestmark = pytest.mark.integration


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of this test's own."""
    folder = new_run_folder("stack-test")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


def _gateway(folder: Path, user: pwd.struct_passwd | None = None) -> Nginx:
    return Nginx(folder, web="127.0.0.1:1", solvers=["127.0.0.1:1"], user=user)


def _write_row(server: Server) -> Callable[[], bool]:
    """Have a server keep something; whether it has it still."""
    match server:
        case Postgres():
            with psycopg.connect(server.dsn("exam_web"), autocommit=True) as connection:
                connection.execute("CREATE TABLE kept (n int)")
                connection.execute("INSERT INTO kept VALUES (42)")
        case Cassandra():
            with server.session() as session:
                session.execute(
                    "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
                )
                session.execute("CREATE TABLE kept.kept (n int PRIMARY KEY)")
                session.execute("INSERT INTO kept.kept (n) VALUES (42)")

    def is_there() -> bool:
        match server:
            case Postgres():
                with psycopg.connect(server.dsn("exam_web")) as connection:
                    return connection.execute("SELECT n FROM kept").fetchall() == [(42,)]
            case Cassandra():
                with server.session() as session:
                    return [row.n for row in session.execute("SELECT n FROM kept.kept")] == [42]
        return True  # Redis and nginx keep nothing, by design

    return is_there


@pytest.mark.parametrize("make", [Postgres, Redis, Cassandra, _gateway])
def test_a_server_comes_back_from_a_crash_and_leaves_nothing(folder: Path, make: Callable[[Path], Server]) -> None:
    """A server killed at once comes back on its port with what was acknowledged; stopped, all of it is gone."""
    with make(folder) as server:
        assert server.is_ready()
        is_there = _write_row(server)
        killed = server.process.process_tree()
        server.kill()
        assert not any(member.alive for member in killed)
        assert not server.is_ready()
        port = server.port  # type: ignore[attr-defined]  # each has one
        assert not is_listening(port)
        server.restart()
        assert is_there()
        running = server.process.process_tree()
        assert running
    assert not server.process.alive
    assert not any(member.alive for member in running)
    assert not is_listening(port)


def test_postgresql_never_runs_as_root(postgres: Postgres) -> None:
    """Every process of PostgreSQL belongs to an unprivileged user."""
    with psycopg.connect(postgres.dsn("exam_web")):
        owners = {Path(f"/proc/{member.pid}").stat().st_uid for member in postgres.process.process_tree()}
    assert 0 not in owners


@pytest.mark.skipif("os.geteuid() != 0", reason="only root changes user")
@pytest.mark.parametrize("make", [Postgres, _gateway])
def test_servers_run_as_nobody_where_there_is_no_user_for_them(folder: Path, make: Callable[..., Server]) -> None:
    """A bare system has no user postgres; its user nobody has a group of another name."""
    nobody = pwd.getpwnam("nobody")
    with make(folder, user=nobody) as server:
        assert nobody.pw_uid in {Path(f"/proc/{each.pid}").stat().st_uid for each in server.process.process_tree()}


def test_postgresql_killed_in_the_middle_of_a_query_starts_again(folder: Path) -> None:
    """A backend that is busy dies with its server, so that the memory they share is free for the next."""
    patience = "-c statement_timeout=20s"
    with Postgres(folder) as server, psycopg.connect(server.dsn("exam_web"), options=patience) as connection:
        busy = Thread(target=_count_for_long, args=(connection,))
        busy.start()
        server.process.await_ready(lambda: _is_counting(server), seconds=10)
        server.kill()
        try:
            server.restart()
        finally:
            busy.join()


def test_a_killed_postgresql_leaves_no_memory_behind(folder: Path) -> None:
    """What a killed server shared between its processes goes with its data folder, not with the next boot."""
    with Postgres(folder) as server:
        maps = Path(f"/proc/{server.process.pid}/maps").read_text().splitlines()
        shared = {Path(line.split()[-1]) for line in maps if "/PostgreSQL." in line or "/mmap." in line}
        assert shared
        assert all(path.is_relative_to(folder) for path in shared)


def _count_for_long(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT count(*) FROM generate_series(1, 100000000000)")


def _is_counting(server: Postgres) -> bool:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'exam_web' AND state = 'active'"
        ).fetchone()
    return row == (1,)


def test_a_paused_postgresql_is_silent_on_open_connections_too(folder: Path) -> None:
    """A frozen PostgreSQL answers nobody, not even a connection it already has; let go, it answers what was asked."""
    with Postgres(folder) as server, psycopg.connect(server.dsn("exam_web"), autocommit=True) as connection:
        answers: list[object] = []
        asking = Thread(target=lambda: answers.append(connection.execute("SELECT 42").fetchone()))
        server.pause()
        asking.start()
        asking.join(1)
        assert not answers
        server.resume()
        asking.join()
    assert answers == [(42,)]


def test_a_paused_redis_answers_nothing_and_goes_on(folder: Path) -> None:
    """A frozen Redis times out; let go, it answers as before."""
    with Redis(folder) as server:
        with redis.Redis.from_url(server.url, socket_timeout=0.3) as client:
            client.set("kept", "yes")
            server.pause()
            with pytest.raises(redis.TimeoutError):
                client.get("kept")
            server.resume()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"


def test_a_paused_server_stops_all_the_same(folder: Path) -> None:
    """Whatever a test left frozen is stopped in good order."""
    with Redis(folder) as server:
        server.pause()
        assert server.process.stop() == 0


def test_solver_role_starts_without_rights(postgres: Postgres) -> None:
    """The solver's role can log in and create nothing."""
    with (
        psycopg.connect(postgres.dsn("exam_solver")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE mine (n int)")


def test_roles_want_their_passwords(postgres: Postgres) -> None:
    """Nobody logs in to PostgreSQL without the password made for this run."""
    wrong = postgres.dsn("exam_web").replace(postgres.password("exam_web"), "exam_web")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_redis_wants_its_password(redis_server: Redis) -> None:
    """Nobody reads Redis without the password made for this run."""
    with (
        redis.Redis.from_url(f"redis://127.0.0.1:{redis_server.port}/0") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_cassandra_has_no_default_superuser(cassandra: Cassandra) -> None:
    """The superuser that Cassandra is born with can no longer log in; ours can."""
    with cassandra.session() as session:
        logins = {
            row.role: (row.can_login, row.is_superuser)
            for row in session.execute("SELECT role, can_login, is_superuser FROM system_auth.roles")
        }
    assert logins == {"cassandra": (False, False), cassandra.username: (True, True)}


def test_cassandra_acknowledges_only_what_is_on_disk(cassandra: Cassandra) -> None:
    """The node that tests run on has the durability that the platform asks of every installation."""
    with cassandra.session() as session:
        settings = {row.name: row.value for row in session.execute("SELECT name, value FROM system_views.settings")}
    assert settings["commitlog_sync"] == "batch"
    assert settings["storage_compatibility_mode"] == "NONE"


def test_a_server_that_is_not_installed_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the set-up, the message is «run make setup» and not a stack of Java."""
    monkeypatch.setenv("EXAM_CACHE_DIR", f"/nonexistent/{uuid4()}")
    with pytest.raises(HarnessError, match="run make setup"):
        Cassandra(folder)


def test_ports_are_given_once_and_never_a_client_s() -> None:
    """Two servers get two ports, below those that the kernel lends to outgoing connections."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [*free_ports(50), *free_ports(50)]
    assert len(set(ports)) == 100
    assert max(ports) < lowest
