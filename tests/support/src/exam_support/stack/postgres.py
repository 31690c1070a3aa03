"""PostgreSQL from a wheel, with the three roles of the platform."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from exam_support.stack.install import postgres_home
from exam_support.stack.places import unprivileged
from exam_support.stack.ports import free_ports
from exam_support.stack.process import Child, StackError

ROLES = ("exam_web", "exam_solver", "exam_grader")


class Postgres:
    """A PostgreSQL server with the database ``exam``, owned by ``exam_web``; solver and grader start without rights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgres"
        (self.port,) = free_ports(1)
        self._passwords = {role: secrets.token_urlsafe(24) for role in ("postgres", *ROLES)}
        user = unprivileged()
        self._user = user.pw_name if user else None
        self._home = postgres_home()
        self._env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self._child = Child(
            "PostgreSQL",
            [
                str(self._home / "bin/postgres"),
                "-D",
                str(self.folder / "data"),
                *_settings(
                    port=self.port,
                    listen_addresses="127.0.0.1",
                    unix_socket_directories="",
                    max_connections=200,
                    shared_buffers="256MB",
                    log_min_duration_statement="1000",
                ),
            ],
            log=folder / "logs/postgres.log",
            env=self._env,
            user=self._user,
        )

    def dsn(self, role: str = "postgres", database: str = "exam") -> str:
        """The address for a role."""
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self.port}/{database}"

    def password(self, role: str) -> str:
        """A role's password."""
        return self._passwords[role]

    def allow_test_databases(self) -> None:
        """Let web's role create the databases that Django's tests run in."""
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute("ALTER ROLE exam_web CREATEDB")

    @property
    def process(self) -> Child:
        """The server's process."""
        return self._child

    def start(self) -> None:
        """Create the cluster the first time and start the server."""
        if not self.folder.exists():
            self._initialise()
        self._child.start()

    def await_ready(self) -> None:
        """Wait for the first query; create database and roles the first time."""
        self._child.await_ready(self._answers, seconds=60)
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
                connection.execute("CREATE DATABASE exam OWNER exam_web")

    def stop(self) -> None:
        """Stop the server: SIGINT's fast shutdown is what PostgreSQL's SIGTERM would wait for clients with."""
        if self._child.alive:
            self._child.resume()
            os.kill(self._child.pid, 2)
        self._child.stop()

    def _initialise(self) -> None:
        self.folder.mkdir(parents=True)
        if self._user:
            shutil.chown(self.folder, self._user)
        password_file = self.folder / "password"
        password_file.write_text(self._passwords["postgres"])
        if self._user:
            shutil.chown(password_file, self._user)
        password_file.chmod(0o600)
        done = subprocess.run(
            [
                str(self._home / "bin/initdb"),
                "--pgdata",
                str(self.folder / "data"),
                "--username=postgres",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            env=self._env,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        password_file.unlink()
        if done.returncode:
            raise StackError(f"initdb failed with code {done.returncode}\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.dsn(database="postgres"), connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False


def _settings(**settings: object) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
