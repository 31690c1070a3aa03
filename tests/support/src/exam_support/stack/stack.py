"""The whole platform on this machine: servers, schemas, services, gateway."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx

from exam_support.stack.cassandra import Cassandra
from exam_support.stack.environment import Secrets, grader_environment, solver_environment, web_environment
from exam_support.stack.nginx import Nginx
from exam_support.stack.ports import free_ports
from exam_support.stack.postgres import Postgres
from exam_support.stack.process import Child, StackError
from exam_support.stack.redis_server import Redis

READY_SECONDS = 60
Say = Callable[[str], None]


class Part(Protocol):
    """What every server and service of the stack can do."""

    def start(self) -> None:
        """Start it; returns before it is ready."""

    def await_ready(self) -> None:
        """Wait until it serves."""

    def stop(self) -> None:
        """End it in good order."""


class Service:
    """One of our services: a child that is ready when its /readyz says so."""

    def __init__(self, name: str, argv: Sequence[str], *, port: int, folder: Path, env: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = Child(name, argv, log=folder / f"logs/{name}.log", env=env)

    def start(self) -> None:
        """Start it."""
        self.process.start()

    def await_ready(self) -> None:
        """Wait until it says that it is ready."""
        self.process.await_ready(self._ready, seconds=READY_SECONDS)

    def stop(self) -> None:
        """Stop it as a rollout would."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, headers={"Host": "localhost"}).is_success
        except httpx.TransportError:
            return False


class Stack:
    """Everything, started on entering and stopped on leaving, last started first stopped.

    Args:
        folder: where data, logs and secrets of this run go.
        solvers: how many solver processes.
        lease_ttl_ms: how long a solver may go on without PostgreSQL.
        say: hears what is being done.
    """

    def __init__(
        self, folder: Path, *, solvers: int = 2, lease_ttl_ms: int = 30_000, say: Say = lambda _: None
    ) -> None:
        self.folder = folder
        (folder / "logs").mkdir(parents=True)
        self.secrets = Secrets.new(folder / "secrets")
        self.postgres = Postgres(folder)
        self.redis = Redis(folder)
        self.cassandra = Cassandra(folder)
        self._say = say
        web_port, worker_port, beat_port, gateway_port, *solver_ports = free_ports(4 + solvers)
        self.web_env = web_environment(
            self.postgres, self.redis, self.cassandra, self.secrets, static_root=folder / "static"
        ) | {
            "EXAM_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "EXAM_CSRF_TRUSTED_ORIGINS": f"http://localhost:{gateway_port}",
            "EXAM_LEASE_TTL_MS": str(lease_ttl_ms),
        }
        self.web = self._service(
            "web",
            *("-m", "gunicorn", "--config", "python:exam_web.gunicorn", "exam_web.wsgi:application"),
            port=web_port,
            env=self.web_env | {"EXAM_BIND": f"127.0.0.1:{web_port}"},
        )
        self.solver_env = solver_environment(
            self.postgres, self.redis, self.cassandra, self.secrets, web_url=self.web.url
        ) | {"EXAM_LEASE_TTL_MS": str(lease_ttl_ms)}
        self.solvers = [
            self._service(
                f"solver-{number}",
                *("-m", "exam_solver", "--host", "127.0.0.1", "--port", str(port)),
                port=port,
                env=self.solver_env,
            )
            for number, port in enumerate(solver_ports, start=1)
        ]
        self.grader_env = grader_environment(self.postgres, self.redis, self.cassandra) | {
            "EXAM_LEASE_TTL_MS": str(lease_ttl_ms)
        }
        self.worker = self._grader("worker", worker_port)
        self.beat = self._grader("beat", beat_port)
        self.gateway = Nginx(
            folder,
            web=f"127.0.0.1:{web_port}",
            solvers=[f"127.0.0.1:{port}" for port in solver_ports],
            port=gateway_port,
        )

    @property
    def gateway_port(self) -> int:
        """The port behind which both hosts live; clients dial the loopback and set Host."""
        return self.gateway.port

    @property
    def logs(self) -> Path:
        """Where every log is."""
        return self.folder / "logs"

    def start(self) -> None:
        """Start everything and wait until it serves."""
        stores: tuple[Part, ...] = (self.cassandra, self.postgres, self.redis)
        self._say("starting PostgreSQL, Redis and Cassandra")
        for store in stores:
            store.start()
        for store in reversed(stores):
            store.await_ready()
        self._say("bringing the schemas up to date")
        self.answerlog_command("migrate")
        self.web_command("migrate", "--no-input")
        self.web_command("collectstatic", "--no-input")
        self._say("starting web, solvers, graders and nginx")
        services: tuple[Part, ...] = (self.web, *self.solvers, self.worker, self.beat, self.gateway)
        for service in services:
            service.start()
        for service in services:
            service.await_ready()

    def stop(self) -> None:
        """Stop everything that runs."""
        services: tuple[Part, ...] = (self.gateway, self.beat, self.worker, *self.solvers, self.web)
        stores: tuple[Part, ...] = (self.redis, self.postgres, self.cassandra)
        for part in (*services, *stores):
            part.stop()

    def web_command(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run one of web's commands; its output."""
        return run(["-m", "exam_web", *words], self.web_env | dict(env or {}))

    def answerlog_command(self, *words: str) -> str:
        """Run one of the answer log's commands; its output."""
        return run(["-m", "exam_answerlog", *words], self.web_env)

    def grader_command(self, *words: str) -> str:
        """Run one of the grader's commands; its output."""
        return run(["-m", "exam_grader", *words], self.grader_env)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _service(self, name: str, *words: str, port: int, env: Mapping[str, str]) -> Service:
        return Service(name, [sys.executable, *words], port=port, folder=self.folder, env=env)

    def _grader(self, role: str, port: int) -> Service:
        env = self.grader_env | {"EXAM_METRICS_PORT": str(port)}
        return self._service(f"grader-{role}", "-m", "exam_grader", role, port=port, env=env)


def run(words: Sequence[str], env: Mapping[str, str], *, seconds: float = 120) -> str:
    """Run one of our commands to its end; a code other than 0 is an error with its output."""
    done = subprocess.run(
        [sys.executable, *words], env=dict(env), capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise StackError(f"python {' '.join(words)} ended with code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
