"""The local servers restart after a crash with their data, and leave no process or port behind."""

import pwd
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import psycopg
import pytest
import redis

from exam_harness.environments.processes.paths import OVERFLOW_UID, new_run_folder
from exam_harness.environments.processes.ports import free_ports, is_listening
from exam_harness.environments.processes.process import HarnessError
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.clock import SteppedClock
from exam_harness.environments.processes.servers.nginx import Nginx
from exam_harness.environments.processes.servers.postgres import OWNER, Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder with ``logs``."""
    folder = new_run_folder("stack-test")
    (folder / "logs").mkdir()
    yield folder
    shutil.rmtree(folder)


def _gateway(folder: Path, user: pwd.struct_passwd | None = None) -> Nginx:
    return Nginx(folder, web="127.0.0.1:1", solvers=["127.0.0.1:1"], user=user)


def _write_row(server: Server) -> Callable[[], bool]:
    """Store a row in a server; return a function that checks whether the row is still there."""
    match server:
        case Postgres():
            with psycopg.connect(server.dsn(OWNER), autocommit=True) as connection:
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
                with psycopg.connect(server.dsn(OWNER)) as connection:
                    return connection.execute("SELECT n FROM kept").fetchall() == [(42,)]
            case Cassandra():
                with server.session() as session:
                    return [row.n for row in session.execute("SELECT n FROM kept.kept")] == [42]
        return True  # Redis and nginx store nothing, by design

    return is_there


@pytest.mark.parametrize("make", [Postgres, Redis, Cassandra, _gateway])
def test_a_server_survives_a_crash_and_stops_completely(folder: Path, make: Callable[[Path], Server]) -> None:
    """If a server is killed, it restarts on its port with acknowledged data; if stopped, all its processes end."""
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
def test_servers_can_run_as_a_user_with_another_group_name(folder: Path, make: Callable[..., Server]) -> None:
    """If the system has no user postgres, servers run as a user whose group has another name (nogroup)."""
    user = pwd.getpwuid(OVERFLOW_UID)
    with make(folder, user=user) as server:
        assert user.pw_uid in {Path(f"/proc/{each.pid}").stat().st_uid for each in server.process.process_tree()}


def test_postgresql_restarts_after_a_kill_during_a_query(folder: Path) -> None:
    """If PostgreSQL is killed, its busy backend is killed too, so that their shared memory is free."""
    options = "-c statement_timeout=20s"
    with Postgres(folder) as server, psycopg.connect(server.dsn("exam_web"), options=options) as connection:
        busy = Thread(target=_count_for_long, args=(connection,))
        busy.start()
        server.process.await_ready(lambda: _is_counting(server), seconds=10)
        server.kill()
        try:
            server.restart()
        finally:
            busy.join()


def test_a_killed_postgresql_leaks_no_shared_memory(folder: Path) -> None:
    """If PostgreSQL is killed, its shared memory is in files of its data folder, which are removed with it."""
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


def test_a_paused_postgresql_does_not_answer_open_connections(folder: Path) -> None:
    """If PostgreSQL is paused, a query on an open connection waits; resumed, it is answered."""
    with Postgres(folder) as server, psycopg.connect(server.dsn("exam_web"), autocommit=True) as connection:
        answers: list[object] = []
        query = Thread(target=lambda: answers.append(connection.execute("SELECT 42").fetchone()))
        server.pause()
        query.start()
        query.join(1)
        assert not answers
        server.resume()
        query.join()
    assert answers == [(42,)]


def test_a_paused_redis_times_out_and_resumes(folder: Path) -> None:
    """If Redis is paused, requests time out; resumed, it answers again."""
    with Redis(folder) as server:
        with redis.Redis.from_url(server.url, socket_timeout=0.3) as client:
            client.set("kept", "yes")
            server.pause()
            with pytest.raises(redis.TimeoutError):
                client.get("kept")
            server.resume()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"


def test_a_paused_server_can_be_stopped(folder: Path) -> None:
    """If a test leaves a server paused, it is still stopped gracefully."""
    with Redis(folder) as server:
        server.pause()
        assert server.process.stop() == 0


def test_the_solver_role_has_no_privileges_at_first(postgres: Postgres) -> None:
    """If I log in with the solver's role, I cannot create a table."""
    with (
        psycopg.connect(postgres.dsn("exam_solver")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE mine (n int)")


def test_postgresql_requires_a_password(postgres: Postgres) -> None:
    """If I log in to PostgreSQL without the run's password, I am rejected."""
    wrong = postgres.dsn("exam_web").replace(postgres.password("exam_web"), "exam_web")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_redis_requires_a_password(redis_server: Redis) -> None:
    """If I connect to Redis without the run's password, I am rejected."""
    with (
        redis.Redis.from_url(f"redis://127.0.0.1:{redis_server.port}/0") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_cassandra_has_no_default_superuser(cassandra: Cassandra) -> None:
    """If Cassandra is ready, its default superuser can no longer log in, and the run's own can."""
    with cassandra.session() as session:
        logins = {
            row.role: (row.can_login, row.is_superuser)
            for row in session.execute("SELECT role, can_login, is_superuser FROM system_auth.roles")
        }
    assert (logins["cassandra"], logins[cassandra.username]) == ((False, False), (True, True))
    # Tests may have created the roles of components.
    assert [role for role, (_, superuser) in logins.items() if superuser] == [cassandra.username]


def test_cassandra_syncs_before_it_acknowledges(cassandra: Cassandra) -> None:
    """The node of the tests has the durability settings that the platform requires of every installation."""
    with cassandra.session() as session:
        settings = {row.name: row.value for row in session.execute("SELECT name, value FROM system_views.settings")}
    assert settings["commitlog_sync"] == "batch"
    assert settings["storage_compatibility_mode"] == "NONE"


def test_a_server_that_is_not_installed_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Cassandra is not installed, the error is «run make setup» and not a Java stack trace."""
    monkeypatch.setenv("EXAM_CACHE_DIR", f"/nonexistent/{uuid4()}")
    with pytest.raises(HarnessError, match="run make setup"):
        Cassandra(folder)


def test_free_ports_are_unique_and_not_ephemeral() -> None:
    """If I ask for ports, each is returned once, and below the kernel's range of ephemeral ports."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [*free_ports(50), *free_ports(50)]
    assert len(set(ports)) == 100
    assert max(ports) < lowest


def test_the_clock_of_a_running_postgresql_is_stepped(folder: Path) -> None:
    """PostgreSQL's time of day follows its stepped clock at once, back and forth, as if its machine's had been set."""
    clock = SteppedClock(folder)

    def ahead() -> float:
        """By how much PostgreSQL's clock is ahead of this machine's (s)."""
        with psycopg.connect(server.dsn(database="postgres")) as connection:
            ((now,),) = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchall()
        return float(now) - time.time()

    with Postgres(folder, clock=clock) as server:
        assert abs(ahead()) < 10
        clock.step(100_000_000)
        assert 90 < ahead() < 110
        clock.step(-200_000_000)
        assert -110 < ahead() < -90
        server.kill()
        server.start()
        server.await_ready()
        assert -110 < ahead() < -90


def test_the_clock_of_a_running_redis_is_stepped(folder: Path) -> None:
    """Redis follows its stepped clock within seconds, back and forth."""
    clock = SteppedClock(folder / "clocks", "redis", threads=True)

    def ahead() -> float:
        """By how much Redis's clock is ahead of this machine's (s)."""
        with redis.Redis.from_url(server.url) as client:
            seconds, microseconds = client.time()
        return seconds + microseconds / 1_000_000 - time.time()

    with Redis(folder, clock=clock) as server:
        assert abs(ahead()) < 10
        clock.step(100_000_000)
        eventually(lambda: 90 < ahead() < 110, "Redis follows the step forward")
        clock.step(-200_000_000)
        eventually(lambda: -110 < ahead() < -90, "Redis follows the step back")


def test_the_clock_of_a_running_cassandra_is_stepped(folder: Path) -> None:
    """Cassandra follows its stepped clock forward at once; after a step back its time stands until it starts again."""
    clock = SteppedClock(folder / "clocks", "cassandra", threads=True)

    def ahead() -> float:
        """By how much Cassandra's clock is ahead of this machine's (s)."""
        with server.session() as session:
            now = session.execute("SELECT toUnixTimestamp(now()) AS now FROM system.local").one().now
        return now / 1_000 - time.time()

    with Cassandra(folder, clock=clock) as server:
        assert abs(ahead()) < 10
        clock.step(100_000_000)
        eventually(lambda: 90 < ahead() < 110, "Cassandra follows the step forward")
        server.kill()
        clock.step(-200_000_000)
        server.start()
        server.await_ready()
        assert -110 < ahead() < -90
