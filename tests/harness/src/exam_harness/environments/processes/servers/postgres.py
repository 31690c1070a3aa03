"""PostgreSQL from a wheel, with the four database roles of the platform."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from exam_harness.environments.processes.paths import (
    check_traversable,
    postgres_home,
    require_installed,
    unprivileged_user,
)
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess, HarnessError
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.servers.clock import SteppedClock

OWNER = "exam_owner"
ROLES = (OWNER, "exam_web", "exam_solver", "exam_grader")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Postgres(Server):
    """A PostgreSQL server with the database ``exam``, of ``exam_owner``, which migrates and grants the other roles.

    Args:
        folder: the folder for its data and log.
        user: the user to run it as; PostgreSQL refuses to run as root.
        clock: its wall clock; by default this machine's.
    """

    ready_seconds: ClassVar[float] = 60

    def __init__(
        self, folder: Path, *, user: pwd.struct_passwd | None = None, clock: SteppedClock | None = None
    ) -> None:
        self.folder = folder.absolute() / "postgres"
        (self.port,) = free_ports(1)
        self._data = self.folder / "data"
        self._user = user or unprivileged_user()
        self._passwords = {role: secrets.token_urlsafe(24) for role in ("postgres", *ROLES)}
        self._programs = require_installed(postgres_home()) / "bin"
        self._child = ChildProcess(
            "PostgreSQL",
            [
                *(clock.command if clock else ()),
                *(str(self._programs / "postgres"), "-D", str(self._data)),
                *_settings(
                    port=self.port,
                    listen_addresses="127.0.0.1",
                    unix_socket_directories="",
                    max_connections=200,
                    shared_buffers="256MB",
                    log_min_duration_statement="1000",
                    # Files beside its data, so that a killed server leaks no shared memory.
                    dynamic_shared_memory_type="mmap",
                ),
            ],
            log=folder.absolute() / "logs/postgres.log",
            env=_ENVIRONMENT,
            user=self._user,
            # «Fast» shutdown: SIGTERM's «smart» waits until every client has disconnected.
            stop_signal=signal.SIGINT,
            # «Immediate» shutdown: SIGKILL would leak its shared memory.
            orphan_signal=signal.SIGQUIT,
        )

    def dsn(self, role: str = "postgres", database: str = "exam") -> str:
        """Return the connection URL of a role."""
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self.port}/{database}"

    def password(self, role: str) -> str:
        """Return the password of a role."""
        return self._passwords[role]

    def allow_test_databases(self) -> None:
        """Allow the owner to create the databases of Django's tests."""
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(OWNER)))

    @contextmanager
    def new_database(self, *, owner: str = OWNER) -> Iterator[str]:
        """Create a database without tables and yield its name; dropped at the end."""
        name = f"test_{secrets.token_hex(4)}"
        names = {"name": sql.Identifier(name), "owner": sql.Identifier(owner)}
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {name} OWNER {owner}").format(**names))
            yield name
            connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))

    @property
    def process(self) -> ChildProcess:
        """The child process."""
        return self._child

    def prepare(self) -> None:
        """Initialise the data folder on the first start."""
        if not self._data.exists():
            self._initialise()

    def await_ready(self) -> None:
        """Wait until it is ready; create the roles and the database on the first start."""
        super().await_ready()
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role in ROLES:
                if role not in present:
                    password = sql.Literal(self._passwords[role])
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password)
                    )
            databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            if "exam" not in databases:
                connection.execute(sql.SQL("CREATE DATABASE exam OWNER {}").format(sql.Identifier(OWNER)))

    def is_ready(self) -> bool:
        """Return whether a query succeeds."""
        try:
            with psycopg.connect(self.dsn(database="postgres"), connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def _initialise(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            check_traversable(self.folder, "TMPDIR")
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._passwords["postgres"])
        if self._user:
            os.chown(password, self._user.pw_uid, self._user.pw_gid)
        try:
            self._initdb(password)
        finally:
            password.unlink()

    def _initdb(self, password: Path) -> None:
        user = self._user
        completed = subprocess.run(
            [
                str(self._programs / "initdb"),
                *("--pgdata", str(self._data), "--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            env=_ENVIRONMENT,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode:
            if self._data.exists():
                shutil.rmtree(self._data)
            raise HarnessError(f"initdb failed with code {completed.returncode}\n{completed.stdout}{completed.stderr}")


def _settings(**settings: object) -> list[str]:
    return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
