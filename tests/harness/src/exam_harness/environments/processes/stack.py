"""The local stack: servers, schemas, services and gateway of the platform as child processes."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from exam_core.instants import HOUR, SECOND
from exam_core.keys import SigningKeys
from exam_core.service_tokens import Caller, sign_service_token
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.server import Server, start_together, stop_together
from exam_harness.environments.processes.servers.cassandra import Cassandra, Ring
from exam_harness.environments.processes.servers.clock import SteppedClock
from exam_harness.environments.processes.servers.nginx import Nginx
from exam_harness.environments.processes.servers.postgres import Postgres
from exam_harness.environments.processes.servers.redis import Redis
from exam_harness.environments.processes.service_env import (
    Secrets,
    Stores,
    grader_environment,
    migration_environment,
    solver_environment,
    web_environment,
)
from exam_harness.environments.processes.services import MODULES, Modules, Service, grader, run_python, solver, web
from exam_harness.hosts import LOCAL, Hosts

__all__ = ["Stack", "run_python"]

Echo = Callable[[str], None]
Route = Callable[[str, Mapping[str, str], int], int]
"""The port by which a client reaches a server, or all nodes of one: a proxy's or its own.

Called with the client's name, the server's names with the address of each, and their port, which is the same for all.
"""
LOOPBACK = "127.0.0.1"
TOKEN_LIFETIME = 48 * HOUR
"""Longer than a run and a step of a clock in it."""


def direct(_client: str, _servers: Mapping[str, str], port: int) -> int:
    """The route without proxies."""
    return port


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """How services are run and connected.

    Attributes:
        route: the port by which each service reaches each server.
        nodes: the number of Cassandra's nodes, which is also the number of copies of its data.
        join: serves the addresses by which Cassandra's nodes reach each other; by default they serve them themselves.
        env: environment variables of all services, in addition to their own.
        modules: the Python modules that run the solver and the grader.
        stepped: whether each store and service has a wall clock of its own that can be stepped (`Stack.clocks`).
    """

    route: Route = direct
    nodes: int = 1
    join: Callable[[Ring], None] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    modules: Modules = MODULES
    stepped: bool = False


DIRECT = Wiring()


class Stack:
    """The platform on this machine; a context manager that starts all of it and stops it in reverse order.

    Args:
        folder: a new folder for data, logs and secrets.
        solvers: the number of solver processes.
        lease_ttl_ms: the time to live of a solver's lease: how long it may answer without PostgreSQL.
        beat: whether grader-beat runs, which closes sittings on schedule; not where an operator does that.
        long_lived: whether Cassandra runs long enough for full compilation to pay off, as under a benchmark.
        wiring: how services are run and connected.
        echo: prints what is being done.
    """

    def __init__(
        self,
        folder: Path,
        *,
        solvers: int = 2,
        lease_ttl_ms: int = 30_000,
        beat: bool = True,
        long_lived: bool = False,
        wiring: Wiring = DIRECT,
        echo: Echo = lambda _: None,
    ) -> None:
        self.folder = folder = folder.absolute()
        (folder / "logs").mkdir(parents=True)
        self.secrets = Secrets.new(folder / "secrets")
        ring = Ring(size=wiring.nodes, apart=wiring.join is not None)
        if wiring.join is not None:
            wiring.join(ring)
        self.clocks = _clocks(folder, ring, solvers) if wiring.stepped else {}
        self.postgres = Postgres(folder, clock=self.clocks.get("postgres"))
        self.redis = Redis(folder, "cache", clock=self.clocks.get("redis"))
        self.broker = Redis(folder, "broker", clock=self.clocks.get("broker"))
        self.nodes = [
            Cassandra(folder, ring=ring, number=number, long_lived=long_lived, clock=self.clocks.get(name))
            for number, name in enumerate(ring.names, start=1)
        ]
        self.cassandra = self.nodes[0]
        self._echo = echo
        self._with_beat = beat
        stores = Stores(postgres=self.postgres, redis=self.redis, broker=self.broker, cassandra=self.cassandra)
        self._wiring = wiring
        gateway_port, web_port, internal_port, worker_port, beat_port, *solver_ports = free_ports(5 + solvers)
        self._internal_url = internal_url = f"http://{LOOPBACK}:{internal_port}"
        self._ports = {each: getattr(self, each).port for each in ("postgres", "redis", "broker")}
        self._ports |= {"web": web_port, "web-internal": internal_port}
        self.web_env = web_environment(
            stores, self.secrets, static_root=folder / "static", gateway_port=gateway_port
        ) | dict(wiring.env)
        self.web = web(
            folder,
            port=web_port,
            internal_port=internal_port,
            env=self._routed("web", self.web_env),
            clock=self.clocks.get("web"),
        )
        self.solver_env = solver_environment(stores, self.secrets, web_url=self.web.url, web_internal_url=internal_url)
        self.solver_env |= {"EXAM_LEASE_TTL_MS": str(lease_ttl_ms), **wiring.env}
        self.solvers = [
            solver(
                folder,
                number,
                port=port,
                env=self._routed(f"solver-{number}", self.solver_env),
                module=wiring.modules.solver,
                clock=self.clocks.get(f"solver-{number}"),
            )
            for number, port in enumerate(solver_ports, start=1)
        ]
        self.grader_env = grader_environment(stores) | dict(wiring.env)
        self.worker, self.beat = (
            grader(
                folder,
                role,
                port=port,
                env=self._routed("grader", self.grader_env),
                module=wiring.modules.grader,
                clock=self.clocks.get("grader"),
            )
            for role, port in (("worker", worker_port), ("beat", beat_port))
        )
        self.gateway = Nginx(
            folder,
            web=f"127.0.0.1:{wiring.route('gateway', {'web': LOOPBACK}, web_port)}",
            solvers=[f"127.0.0.1:{wiring.route('gateway', {each.name: LOOPBACK}, each.port)}" for each in self.solvers],
            port=gateway_port,
        )

    @property
    def stores(self) -> tuple[Server, ...]:
        """The servers that store data."""
        return (self.postgres, self.redis, self.broker, *self.nodes)

    @property
    def services(self) -> dict[str, Service]:
        """The platform's services by name: web, solver-1 and on, grader-worker, and grader-beat if enabled."""
        beat = (self.beat,) if self._with_beat else ()
        return {each.name: each for each in (self.web, *self.solvers, self.worker, *beat)}

    @property
    def web_url(self) -> str:
        """Web's own URL, without the gateway."""
        return self.web.url

    @property
    def internal_url(self) -> str:
        """The URL of web's internal API."""
        return self._internal_url

    @property
    def service_token(self) -> str:
        """A bearer token for web's internal API, as web's command issues it to tools."""
        keys = SigningKeys.read(self.secrets.web_keys.read_text())
        return sign_service_token(Caller.TOOLS, keys, now=int(time.time() * SECOND), lifetime=TOKEN_LIFETIME)

    @property
    def solver_urls(self) -> list[str]:
        """The solvers' own URLs, without the gateway."""
        return [each.url for each in self.solvers]

    @property
    def hosts(self) -> Hosts:
        """The names of both hosts."""
        return LOCAL

    @property
    def gateway_port(self) -> int:
        """The gateway's port, for both hosts: clients connect to the loopback and set Host."""
        return self.gateway.port

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.folder / "logs"

    def env_for(self, name: str) -> dict[str, str]:
        """Return the environment of a service by its name (see `services`)."""
        return self.services[name].env

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        nodes = f" (nodes: {len(self.nodes)})" if len(self.nodes) > 1 else ""
        self._echo(f"starting PostgreSQL, Redis and Cassandra{nodes}")
        # Cassandra takes longest: it boots while PostgreSQL is initialised and migrated.
        for node in self.nodes:
            node.start()
        start_together((self.postgres, self.redis, self.broker))
        with ThreadPoolExecutor() as pool:
            owner = migration_environment(self.postgres, {})
            migrated = pool.submit(self.web_command, "migrate", "--no-input", env=owner)
            collected = pool.submit(self.web_command, "collectstatic", "--no-input")
            for node in self.nodes:
                node.await_ready()
            self._echo("migrating the schemas")
            self.answerlog_command("migrate")
            self.answerlog_command("roles")
            migrated.result()
            collected.result()
        self._echo("starting web, solvers, graders and nginx")
        start_together((*self.services.values(), self.gateway))

    def stop(self) -> None:
        """Stop everything that is running, stores last."""
        with ExitStack() as stops:
            stops.callback(stop_together, self.stores)
            stops.callback(stop_together, (self.gateway, *self.services.values()))

    def web_command(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run a management command of web and return its output."""
        return run_python(["-m", "exam_web", *arguments], self.web_env | dict(env or {}), stdin=stdin or "")

    def answerlog_command(self, *arguments: str) -> str:
        """Run a command of the answer log as Cassandra's superuser and return its output."""
        return run_python(["-m", "exam_answerlog", *arguments], self.web_env | self.cassandra.ring.variables())

    def grader_command(self, *arguments: str) -> str:
        """Run a command of the grader and return its output."""
        return run_python(["-m", "exam_grader", *arguments], self.grader_env)

    def _routed(self, client: str, env: Mapping[str, str]) -> dict[str, str]:
        """A service's environment with the ports by which it reaches the stores and web."""
        routed = dict(env)
        for server, port in self._ports.items():
            address = f"127.0.0.1:{port}"
            if any(address in value for value in routed.values()):
                replaced = f"127.0.0.1:{self._wiring.route(client, {server: LOOPBACK}, port)}"
                routed = {name: value.replace(address, replaced) for name, value in routed.items()}
        nodes = {node.name: node.host for node in self.nodes}
        port = self._wiring.route(client, nodes, self.cassandra.port)
        return routed | {"EXAM_CASSANDRA_PORT": str(port)}

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


def _clocks(folder: Path, ring: Ring, solvers: int) -> dict[str, SteppedClock]:
    """A clock for each store and service, by its name; the grader's processes share one, as on one machine."""
    services = ("web", "grader", *(f"solver-{number}" for number in range(1, solvers + 1)))
    names = ("redis", "broker", *ring.names, *services)
    clocks = {name: SteppedClock(folder / "clocks", name, threads=True) for name in names}
    return clocks | {"postgres": SteppedClock(folder / "clocks", "postgres")}
