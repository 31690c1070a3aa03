"""The platform under faults: a local stack whose every link passes a proxy, kept running as an orchestrator would."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.servers.cassandra import Ring
from exam_harness.environments.processes.services import MODULES, Modules
from exam_harness.environments.processes.stack import Echo, Stack, Wiring
from exam_harness.faults.schedule import PLATFORM_CLOCK, Targets
from exam_harness.faults.tcp_proxy import ProxyLoop, TcpProxy

if TYPE_CHECKING:
    from exam_harness.environments.processes.server import Server

LEASE_TTL_MS: Final = 3_000
"""The shortest lease that a solver allows, so that short pauses outlast it."""
ROWS_PER_QUESTION: Final = 12
SETTINGS: Final = {
    "EXAM_LEASE_MARGIN_MS": "500",
    "EXAM_CASSANDRA_TIMEOUT_MS": "1000",
    "EXAM_ROWS_PER_QUESTION": str(ROWS_PER_QUESTION),
    "EXAM_CLOSE_POLL_SECONDS": "1",
    "EXAM_GRADER_STALL_SECONDS": "2",
    "EXAM_GRADER_VISIBILITY_SECONDS": "3",
}
"""Shorter times than in production, for short sittings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The time limits of platform and students, and the modules that run the services.

    Attributes:
        env: environment variables of all services.
        modules: the modules that run solver and grader.
        client_seconds: how long a student waits for a response.
        tail_seconds: how long after the deadline a student goes on sending.
        lead_seconds: the time from provisioning a sitting to its opening, within which all solvers must know it.
    """

    env: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    modules: Modules = MODULES
    client_seconds: float = 2.5
    tail_seconds: float = 2
    lead_seconds: int = 4


PACE: Final = Pace()
_PROCESSES: Final = {
    "solver-1": 5,
    "solver-2": 5,
    "postgres": 4,
    "redis": 1,
    "broker": 1,
    "grader": 3,
    "web": 2,
}
_CLOCKS: Final = {
    PLATFORM_CLOCK: 6,
    "redis": 0.5,
    "broker": 0.5,
    "solver-1": 1,
    "solver-2": 1,
    "grader": 1,
    "web": 1,
}
_LINKS: Final = {
    "solver-1→postgres": 5,
    "solver-2→postgres": 5,
    "solver-1→redis": 1,
    "solver-2→redis": 1,
    "solver-1→web": 1,
    "solver-2→web": 1,
    "gateway→solver-1": 2,
    "gateway→solver-2": 2,
    "gateway→web": 2,
    "grader→postgres": 2,
    "grader→broker": 2,
    "web→postgres": 1,
    "web→redis": 0.5,
    "web→broker": 0.5,
}
_CASSANDRA: Final = 2
"""The frequency of faults of a node, and of its clock."""
_CASSANDRA_LINKS: Final = {"solver-1": 4, "solver-2": 4, "grader": 3, "web": 1}
_PEERS: Final = "peers"
"""All other nodes, as clients of a node of Cassandra."""
_PEERS_LINK: Final = 4
_HEALTHY_SECONDS: Final = 300


def targets(students: int, nodes: int = 1) -> Targets:
    """What schedules may hit, on a platform with so many nodes of Cassandra."""
    names = Ring(size=nodes).names
    links = {f"{client}→{name}": weight for client, weight in _CASSANDRA_LINKS.items() for name in names}
    peers = {f"{_PEERS}→{name}": _PEERS_LINK for name in names if nodes > 1}
    cassandra = dict.fromkeys(names, _CASSANDRA)
    return Targets(
        processes=_PROCESSES | cassandra,
        clocks=_CLOCKS | cassandra,
        links=_LINKS | links | peers,
        students=students,
        replicas=frozenset(names if nodes > 1 else ()),
    )


class Platform:
    """A running stack with its proxies; `down` names the processes that a fault holds down."""

    def __init__(self, stack: Stack, proxies: Mapping[str, TcpProxy], pace: Pace) -> None:
        self.stack = stack
        self.proxies = proxies
        self.pace = pace
        self.down: set[str] = set()
        self.processes: Mapping[str, Server] = {
            "postgres": stack.postgres,
            "redis": stack.redis,
            "broker": stack.broker,
            **{node.name: node for node in stack.nodes},
            "web": stack.web,
            **{each.name: each for each in stack.solvers},
            "grader": stack.worker,
            "beat": stack.beat,
            "gateway": stack.gateway,
        }

    def now(self) -> int:
        """The platform's time (µs)."""
        return self.stack.clocks[PLATFORM_CLOCK].now()

    def start_missing(self) -> list[str]:
        """Start the processes that ended, as an orchestrator does, and return their names.

        Call it from the main thread, because a child ends with the thread that started it.
        """
        missing = [
            name for name, server in self.processes.items() if not server.process.alive and name not in self.down
        ]
        for name in missing:
            self.processes[name].start()
        return missing

    async def repair(self) -> None:
        """End all faults and wait until everything is ready."""
        self.down.clear()
        for proxy in self.proxies.values():
            proxy.heal()
        for name, clock in self.stack.clocks.items():
            if name != PLATFORM_CLOCK:
                clock.step(-clock.offset)
        for server in self.processes.values():
            if server.process.alive:
                server.resume()
        async with asyncio.timeout(_HEALTHY_SECONDS):
            while not await asyncio.to_thread(self._healthy):
                self.start_missing()
                await asyncio.sleep(0.1)

    def _healthy(self) -> bool:
        return all(server.process.alive and server.is_ready() for server in self.processes.values())

    def epochs(self) -> list[float]:
        """The epoch that each solver knows."""
        return [_metric(f"{each.url}/metrics", "exam_solver_lease_epoch") for each in self.stack.solvers]


@contextmanager
def running_platform(folder: Path, *, echo: Echo, pace: Pace = PACE, nodes: int = 1) -> Iterator[Platform]:
    """Start a platform with two solvers and so many nodes of Cassandra, and stop it at the end."""
    with ExitStack() as undo:
        loop = undo.enter_context(ProxyLoop())
        proxies: dict[str, TcpProxy] = {}

        def add(name: str, host: str, port: int, upstream_host: str, upstream: int) -> None:
            proxies[name] = TcpProxy(loop, name, port=port, upstream=upstream, host=host, upstream_host=upstream_host)
            proxies[name].start()

        def route(client: str, servers: Mapping[str, str], port: int) -> int:
            names = [f"{client}→{server}" for server in servers]
            if names[0] not in proxies:
                (listening,) = free_ports(1)
                for name, host in zip(names, servers.values(), strict=True):
                    add(name, host, listening, host, port)
            return proxies[names[0]].port

        def join(ring: Ring) -> None:
            for number, (name, host) in enumerate(zip(ring.names, ring.hosts, strict=True), start=1):
                port = ring.storage_port
                add(f"{_PEERS}→{name}", host, port, ring.listen_host(number), port)

        wiring = Wiring(
            route=route,
            nodes=nodes,
            join=join if nodes > 1 else None,
            env=pace.env,
            modules=pace.modules,
            stepped=True,
        )
        stack = Stack(folder, solvers=2, lease_ttl_ms=LEASE_TTL_MS, wiring=wiring, echo=echo)
        yield Platform(undo.enter_context(stack), proxies, pace)


def _metric(url: str, name: str) -> float:
    try:
        text = httpx.get(url, timeout=2, trust_env=False).text
    except httpx.TransportError:
        return 0.0
    values = [line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(values[0]) if values else 0.0
