"""The whole platform on this machine: servers, schemas, services, gateway."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.server import Server, start_together, stop_together
from exam_harness.environments.processes.servers.cassandra import Cassandra
from exam_harness.environments.processes.servers.nginx import Nginx
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.environments.processes.service_env import (
    Secrets,
    grader_environment,
    solver_environment,
    web_environment,
)
from exam_harness.environments.processes.services import Service, grader, run_python, solver, web

__all__ = ["Stack", "run_python"]

Echo = Callable[[str], None]


class Stack:
    """Everything, started on entering and stopped on leaving, last started first stopped.

    Args:
        folder: where data, logs and secrets of this run go; one that does not exist yet.
        solvers: how many solver processes.
        lease_ttl_ms: how long a solver may go on without PostgreSQL.
        beat: whether the graders' clockwork runs, which ends sittings in time; an operator does that instead of it.
        long_lived: whether Cassandra serves long enough for full compilation to pay, as under a benchmark.
        say: hears what is being done.
    """

    def __init__(
        self,
        folder: Path,
        *,
        solvers: int = 2,
        lease_ttl_ms: int = 30_000,
        beat: bool = True,
        long_lived: bool = False,
        echo: Echo = lambda _: None,
    ) -> None:
        self.folder = folder = folder.absolute()
        (folder / "logs").mkdir(parents=True)
        self.secrets = Secrets.new(folder / "secrets")
        self.postgres = Postgres(folder)
        self.redis = Redis(folder)
        self.cassandra = Cassandra(folder, long_lived=long_lived)
        self._echo = echo
        self._with_beat = beat
        stores = (self.postgres, self.redis, self.cassandra)
        lease = {"EXAM_LEASE_TTL_MS": str(lease_ttl_ms)}
        gateway_port, web_port, worker_port, beat_port, *solver_ports = free_ports(4 + solvers)
        self.web_env = (
            web_environment(*stores, self.secrets, static_root=folder / "static", gateway_port=gateway_port) | lease
        )
        self.web = web(folder, port=web_port, env=self.web_env)
        self.solver_env = solver_environment(*stores, self.secrets, web_url=self.web.url) | lease
        self.solvers = [
            solver(folder, number, port=port, env=self.solver_env) for number, port in enumerate(solver_ports, start=1)
        ]
        self.grader_env = grader_environment(*stores) | lease
        self.worker = grader(folder, "worker", port=worker_port, env=self.grader_env)
        self.beat = grader(folder, "beat", port=beat_port, env=self.grader_env)
        self.gateway = Nginx(
            folder, web=self.web.address, solvers=[each.address for each in self.solvers], port=gateway_port
        )

    @property
    def stores(self) -> tuple[Server, ...]:
        """The servers that keep something."""
        return (self.postgres, self.redis, self.cassandra)

    @property
    def services(self) -> dict[str, Service]:
        """Our own services by name: web, solver-1 and on, grader-worker, and grader-beat where it runs."""
        beat = (self.beat,) if self._with_beat else ()
        return {each.name: each for each in (self.web, *self.solvers, self.worker, *beat)}

    @property
    def web_url(self) -> str:
        """Web itself, behind the gateway."""
        return self.web.url

    @property
    def service_token(self) -> str:
        """What web's internal addresses ask for."""
        return self.secrets.service_token

    @property
    def solver_urls(self) -> list[str]:
        """The solvers themselves, behind the gateway."""
        return [each.url for each in self.solvers]

    @property
    def gateway_port(self) -> int:
        """The port behind which both hosts live; clients dial the loopback and set Host."""
        return self.gateway.port

    @property
    def logs(self) -> Path:
        """Where every log is."""
        return self.folder / "logs"

    def env_for(self, name: str) -> dict[str, str]:
        """The environment of a service by its name (see `services`)."""
        return self.services[name].env

    def start(self) -> None:
        """Start everything and wait until it serves."""
        self._echo("starting PostgreSQL, Redis and Cassandra")
        # Cassandra takes longest: it boots while PostgreSQL is made and migrated.
        self.cassandra.start()
        start_together((self.postgres, self.redis))
        with ThreadPoolExecutor() as beside:
            migrated = beside.submit(self.web_command, "migrate", "--no-input")
            collected = beside.submit(self.web_command, "collectstatic", "--no-input")
            self.cassandra.await_ready()
            self._echo("bringing the schemas up to date")
            self.answerlog_command("migrate")
            migrated.result()
            collected.result()
        self._echo("starting web, solvers, graders and nginx")
        start_together((*self.services.values(), self.gateway))

    def stop(self) -> None:
        """Stop everything that runs, stores last."""
        with ExitStack() as ends:
            ends.callback(stop_together, self.stores)
            ends.callback(stop_together, (self.gateway, *self.services.values()))

    def web_command(self, *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run one of web's commands; its output."""
        return run_python(["-m", "exam_web", *words], self.web_env | dict(env or {}), stdin=stdin or "")

    def answerlog_command(self, *words: str) -> str:
        """Run one of the answer log's commands; its output."""
        return run_python(["-m", "exam_answerlog", *words], self.web_env)

    def grader_command(self, *words: str) -> str:
        """Run one of the grader's commands; its output."""
        return run_python(["-m", "exam_grader", *words], self.grader_env)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
